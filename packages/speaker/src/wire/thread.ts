/**
 * The wire thread: a worker with its own sockets, its own Kubernetes connection and its own timers, so that parsing ten thousand
 * Services on the main thread never delays a renewal or an ARP reply (docs/architecture.md, "Two threads").
 * It only ties the parts together; wire.ts and ../election decide.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { leaseLabels, SYSTEM_NAMESPACE } from '@fairlead/api';
import { FormerOwners, OwnerRules } from '@fairlead/ipvs';
import { isKubeError, KubeClient, type KubeError, leases, resolveConfig } from '@fairlead/kube';
import { type LeaseClient, LeaseLock, type LeaseObject } from '@fairlead/lease-lock';
import { Rtnetlink } from '@fairlead/netlink';
import type { ElectionListener } from '../election/election.js';
import { Engines } from '../election/engines.js';
import { HeldLeases } from '../election/held-leases.js';
import { LeaseElection } from '../election/lease-election.js';
import { settledAnnotations } from '../election/lease-notes.js';
import { LeaseWatch } from '../election/lease-watch.js';
import { Reachability } from '../election/reachability.js';
import { mismatchText } from '../vrrp/address-lists.js';
import { LeaseRecord } from '../vrrp/lease-record.js';
import { faultTexts, VrrpTransport } from '../vrrp/transport.js';
import { VrrpElection } from '../vrrp/vrrp-election.js';
import { Alarm } from './alarm.js';
import { aliveMs, closedMs, HAND_OVER_MS, signLives } from './hold.js';
import { HostLinks } from './host-links.js';
import { HostUpkeep } from './host-upkeep.js';
import { LanPort } from './lan-port.js';
import type {
  ConfigurationChange,
  FromWire,
  ToWire,
  VrrpFault,
  WireNode,
  WireOptions,
  WireUplink,
} from './messages.js';
import { goFirst } from './priority.js';
import { isUnreachable, Surroundings } from './surroundings.js';
import { Throttle } from './throttle.js';
import { Wire } from './wire.js';

/** The same complaint is told once in so long: what fails for VRRP fails ten times a second. */
const COMPLAIN_EVERY_MS = 60_000;
/**
 * How long a node that has just started listens before it takes what nobody seems to own: an owner's kernel may need a second to find out that
 * it is reachable again (RFC 4861 RetransTimer).
 */
const HEARING_MS = 1_200;
/** About what it takes to announce some thousand VIPs. */
const RECORD_DELAY_MS = 100;

const port = parentPort!;
const options = workerData as WireOptions;
const clock = () => performance.now();
const tell = (message: FromWire) => port.postMessage(message);
/** All that this thread asks of the API server is about Leases. */
const requestFailed = () => tell({ kind: 'requestFailed', resource: leases.plural });

const kube = new KubeClient({ ...(await resolveConfig(options.kube)), userAgent: 'fairlead-speaker-wire' });
const locks = new Map<string, LeaseLock>();
const rules = new OwnerRules();
const exits = new FormerOwners({ director: options.director, lives: signLives(options.vrrp) });
const rtnetlink = new Rtnetlink();

const listener: ElectionListener = {
  own: (name, lapsed, claim) => wire.own(name, lapsed, claim),
  yield: (name, reason, handsOver) => wire.yield(name, reason, handsOver),
  contended: (name) => wire.contended(name),
  suspect: (node) => tell({ kind: 'suspect', node }),
  holder: (name, node) => wire.holder(name, node, options.node),
};

const reachability = new Reachability({
  patienceMs: options.timings.leaseDurationMs,
  clock,
  tell: (silentMs, error) => tell({ kind: 'apiServer', silentMs, error: error?.message }),
});

/** Of which the watch hears the answers first. */
const leaseClient: LeaseClient = {
  get: (resource, key, callOptions) => kube.get(resource, key, callOptions),
  create: (resource, object, callOptions) => kube.create(resource, object, callOptions),
  update: async (resource, object, callOptions) => {
    const answer = await kube.update(resource, object, callOptions);
    surroundings.heardApi();
    watch.answered(answer as LeaseObject);
    return answer;
  },
};

const leaseElection = new LeaseElection({
  node: options.node,
  clock,
  held: new HeldLeases(options.stateFolder, (error) => tell({ kind: 'error', message: error.message })),
  leaseDurationMs: options.timings.leaseDurationMs,
  isUnreachable,
  createLock: ({ contested, startDelayMs }) => {
    const lock = new LeaseLock({
      client: leaseClient,
      namespace: SYSTEM_NAMESPACE,
      name: contested.leaseName,
      identity: options.node,
      labels: leaseLabels(contested.name),
      settle: (annotations) => settledAnnotations(annotations, options.node),
      ...options.timings,
      renewInStep: true,
      startDelayMs,
      clock,
    });
    lock.on('attempt', ({ purpose, error }) => {
      reachability.attempt(isUnreachable(error) ? error : undefined);
      // That there is no Lease yet, or that another node was faster, is an answer.
      const isAnswer =
        purpose === 'look'
          ? isKubeError(error, 'FL_KUBE_NOT_FOUND')
          : isKubeError(error, 'FL_KUBE_CONFLICT', 'FL_KUBE_ALREADY_EXISTS');
      if (error && !isAnswer) requestFailed();
    });
    locks.set(contested.leaseName, lock);
    return lock;
  },
  listener,
});

const record = new LeaseRecord({
  client: kube,
  namespace: SYSTEM_NAMESPACE,
  node: options.node,
  delayMs: RECORD_DELAY_MS,
  onError: (error, failures) => {
    requestFailed();
    if (failures === 1) tell({ kind: 'error', message: `could not record an owner in its Lease: ${error.message}` });
  },
});
/** Names of Leases by virtual router, and of nodes by address. */
const leaseNames = new Map<string, string>();
let nodeNames = new Map<string, string>();
/** As they were told last. */
let uplinks: readonly WireUplink[] = [];
let nodes: readonly WireNode[] = [];
const complaints = new Throttle(COMPLAIN_EVERY_MS);
const surroundings = new Surroundings({
  client: kube,
  namespace: SYSTEM_NAMESPACE,
  clock,
  askLan: (widely) => wire.askWitnesses(widely),
  anyLease: () => leaseNames.values().next().value,
  complain,
});
const transport = new VrrpTransport({
  mode: options.vrrp.mode,
  onReceived: (received, absorb) => vrrpElection.received(received, absorb),
  onFault: (fault, from) => complainOfVrrp(fault, `a VRRP packet of ${from} was not heeded: ${faultTexts[fault]}`),
  onError: (error) => complain(`VRRP socket: ${error.message}`),
});
const vrrpAlarm = new Alarm(clock, () => vrrpElection.tick());
const vrrpElection: VrrpElection = new VrrpElection({
  node: options.node,
  intervalMs: options.vrrp.intervalMs,
  preemptDelayMs: options.preemptDelayMs,
  transport,
  clock,
  listener: {
    ...listener,
    own: (name, lapsed, claim) => {
      listener.own(name, lapsed, claim);
      record.own({ name, leaseName: leaseNames.get(name)! });
    },
    yield: (name, reason, handsOver) => {
      record.yield(leaseNames.get(name)!);
      listener.yield(name, reason, handsOver);
    },
  },
  nodeOf: (address) => nodeNames.get(address),
  witnesses: {
    heard: (node, at) => surroundings.witnesses.heard(node, at),
    hears: (since, silent) => surroundings.witnesses.hears(since, silent),
    ask: (widely) => surroundings.ask(widely),
  },
  onMismatch: (mismatch) => complainOfVrrp('addresses', mismatchText(mismatch)),
  hearingMs: HEARING_MS,
  onError: (attempt, error) => complain(`could not ${attempt}: ${error.message}`),
  wakeAt: (at) => vrrpAlarm.set(at),
});
const election = new Engines({ lease: leaseElection, vrrp: vrrpElection });

function complain(message: string): void {
  if (complaints.allows(message, clock())) tell({ kind: 'error', message });
}

function complainOfVrrp(fault: VrrpFault, message: string): void {
  if (complaints.allows(message, clock())) tell({ kind: 'vrrpFault', fault, message });
}

const wireAlarm = new Alarm(clock, () => wire.announceDue());
const wire: Wire = new Wire({
  election,
  rules,
  exits,
  // Without a hardware address: an announcement fills it in, which the kernel does for addresses only that it has an entry for.
  expectNeighbour: (index, address) => rtnetlink.replaceNeighbour({ index, address, state: 'none' }),
  aliveMs: (engine) => aliveMs(engine, options.vrrp),
  silentMs: closedMs(options.timings),
  witnesses: surroundings.witnesses,
  clock,
  tell,
  openPort: (uplink) =>
    new LanPort(uplink, {
      frame: (from, bytes) => wire.frame(from, bytes),
      error: (from, error) =>
        tell({ kind: 'error', message: `socket for ARP and NDP on ${from.name}: ${error.message}` }),
    }),
  wakeAt: (at) => wireAlarm.set(at),
});

const links = new HostLinks((index) => wire.linkReturned(index));

const upkeep = new HostUpkeep({
  ...options,
  exits,
  keepRules: () => wire.keepRules(),
  askForOwners: () => wire.askForOwners(),
  tell,
});

const watch = new LeaseWatch({
  client: kube,
  namespace: SYSTEM_NAMESPACE,
  node: options.node,
  preemptDelayMs: options.preemptDelayMs,
  clock,
  observed: (leaseName, lease) => {
    if (lease !== undefined) surroundings.heardApi();
    locks.get(leaseName)?.observe(lease);
  },
  claimed: (name, node) => election.claimed(name, node),
  onError: (what, error) => {
    requestFailed();
    if (complaints.allows(`${what} ${(error as KubeError).code}`, clock()))
      tell({ kind: 'error', message: `could not ${what}: ${error.message}` });
  },
});
watch.start();

port.on('message', (message: ToWire) => {
  switch (message.kind) {
    case 'configure':
      configure(message);
      upkeep.begin();
      break;
    case 'fit':
      election.setFit(message.fit);
      watch.setFit(message.fit, message.why);
      break;
    case 'stop':
      void stop(message.release);
      break;
  }
});

function configure(change: ConfigurationChange): void {
  for (const { name, leaseName } of change.changed) leaseNames.set(name, leaseName);
  uplinks = change.uplinks ?? uplinks;
  nodes = change.nodes ?? nodes;
  if (change.uplinks || change.nodes) {
    const peers = nodes.filter(({ name }) => name !== options.node);
    surroundings.configure(peers, uplinks);
    nodeNames = new Map(nodes.flatMap(({ name, internalIPs }) => internalIPs.map((ip) => [ip, name])));
    transport.configure({
      uplinks,
      self: nodes.find(({ name }) => name === options.node)?.internalIPs ?? [],
      peers: peers.flatMap(({ internalIPs }) => internalIPs),
    });
  }
  wire.configure(change);
  watch.configure(wire.contested);
}

/** Forwards what still comes here until others have taken over, if there are any. */
async function handOver(): Promise<void> {
  const shareable = () => wire.lingering.some(({ ranking }) => ranking.length > 1);
  watch.follow((name, { holder }) => wire.holder(name, holder, options.node));
  if (shareable()) await Promise.race([wire.settled(), sleep(HAND_OVER_MS)]);
  upkeep.handedOver({ everything: wire.lingering.length === 0 });
}

async function stop(release: boolean): Promise<void> {
  watch.stopClaiming();
  surroundings.close();
  await election.stop({ release });
  transport.close();
  if (release) await handOver();
  upkeep.close();
  await Promise.all([watch.stop(), record.stop()]);
  wire.close();
  links.close();
  rules.close();
  exits.close();
  rtnetlink.close();
  await kube.close();
  tell({ kind: 'stopped' });
  process.exit(0); // of this thread alone
}

const last = goFirst();
if (last) tell({ kind: 'error', message: last });
tell({ kind: 'ready' });
