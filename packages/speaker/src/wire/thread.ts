/**
 * The wire thread: a worker with its own sockets, its own Kubernetes connection and its own timers, so that parsing ten thousand
 * Services on the main thread never delays a renewal or an ARP reply (docs/architecture.md, "Two threads").
 * It only ties the parts together; wire.ts and ../election decide.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { LEASE_SELECTOR, labels, leaseAnnotations, leaseLabels, SYSTEM_NAMESPACE } from '@fairlead/api';
import { DeadMansSwitch, FormerOwners, OwnerRules } from '@fairlead/ipvs';
import { Informer, isKubeError, KubeClient, type KubeError, leases, resolveConfig } from '@fairlead/kube';
import { LeaseLock, type LeaseObject } from '@fairlead/lease-lock';
import { Rtnetlink, RuleMonitor } from '@fairlead/netlink';
import { Claimant } from '../election/claimant.js';
import type { ElectionListener } from '../election/election.js';
import { Engines } from '../election/engines.js';
import { HeldLeases } from '../election/held-leases.js';
import { LeaseElection } from '../election/lease-election.js';
import { notesOf, settledAnnotations } from '../election/lease-notes.js';
import { Reachability } from '../election/reachability.js';
import { LeaseRecord } from '../vrrp/lease-record.js';
import { faultTexts, VrrpTransport } from '../vrrp/transport.js';
import { VrrpElection } from '../vrrp/vrrp-election.js';
import { ALONE_SECONDS, aliveMs, closedMs, HAND_OVER_MS, HOLD_EVERY_MS, switchSeconds } from './hold.js';
import { HostLinks } from './host-links.js';
import { LanPort } from './lan-port.js';
import type { ConfigurationChange, FromWire, ToWire, WireNode, WireOptions, WireUplink } from './messages.js';
import { goFirst } from './priority.js';
import { isUnreachable, Surroundings } from './surroundings.js';
import { Throttle } from './throttle.js';
import { Wire } from './wire.js';

/** The same complaint is told once in so long: what fails for VRRP fails ten times a second. */
const COMPLAIN_EVERY_MS = 60_000;
const CLAIM_TICK_MS = 1_000;
const KEEP_RULES_MS = 10_000;
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
const exits = new FormerOwners();
const rtnetlink = new Rtnetlink();
const deadMansSwitch = new DeadMansSwitch({ seconds: switchSeconds(options.timings) });

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

const leaseElection = new LeaseElection({
  node: options.node,
  clock,
  held: new HeldLeases(options.stateFolder, (error) => tell({ kind: 'error', message: error.message })),
  leaseDurationMs: options.timings.leaseDurationMs,
  isUnreachable,
  createLock: ({ contested, startDelayMs }) => {
    const lock = new LeaseLock({
      client: kube,
      namespace: SYSTEM_NAMESPACE,
      name: contested.leaseName,
      identity: options.node,
      labels: leaseLabels(contested.name),
      settle: (annotations) => settledAnnotations(annotations, options.node),
      ...options.timings,
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
  onReceived: (received) => vrrpElection.received(received),
  onFault: (fault, from) => complain(`a VRRP packet of ${from} was not heeded: ${faultTexts[fault]}`),
  onError: (error) => complain(`VRRP socket: ${error.message}`),
});
let vrrpTimer: NodeJS.Timeout | undefined;
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
    heard: (node) => surroundings.witnesses.heard(node, clock()),
    hears: (since, silent) => surroundings.witnesses.hears(since, silent),
    ask: (widely) => surroundings.ask(widely),
  },
  hearingMs: HEARING_MS,
  onError: (attempt, error) => complain(`could not ${attempt}: ${error.message}`),
  wakeAt: (at) => {
    clearTimeout(vrrpTimer);
    if (at !== undefined) vrrpTimer = setTimeout(() => vrrpElection.tick(), Math.max(0, at - clock()));
  },
});
const election = new Engines({ lease: leaseElection, vrrp: vrrpElection });

function complain(message: string): void {
  if (complaints.allows(message, clock())) tell({ kind: 'error', message });
}

let timer: NodeJS.Timeout | undefined;
let immediate: NodeJS.Immediate | undefined;
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
  wakeAt: (at) => {
    clearTimeout(timer);
    clearImmediate(immediate);
    if (at === undefined) return;
    const delayMs = at - clock();
    // A timer takes a millisecond at least, and what is received is handled before the next immediate, too.
    if (delayMs > 0) timer = setTimeout(() => wire.announceDue(), delayMs);
    else immediate = setImmediate(() => wire.announceDue());
  },
});

const links = new HostLinks((index) => wire.linkReturned(index));

/** Rules that are taken away are put back at once, and looked for now and then, in case that nobody was told. */
let rulesWatched: RuleMonitor | undefined;
let rulesKept: NodeJS.Timeout | undefined;
function watchRules(): void {
  rulesWatched ??= new RuleMonitor({ onRemoved: () => wire.keepRules() });
  rulesKept ??= setInterval(() => wire.keepRules(), KEEP_RULES_MS);
}

/** From the first configuration on, when there is a director for certain. */
let holding: NodeJS.Timeout | undefined;
function hold(): void {
  try {
    exits.keep();
    wire.askForOwners();
    if (!deadMansSwitch.hold()) tell({ kind: 'lapsed' });
  } catch (error) {
    tell({ kind: 'error', message: `could not prolong the way into the director: ${(error as Error).message}` });
  }
}

/** For owners whose successors do not wait for as long as `hold` takes. */
let livening: NodeJS.Timeout | undefined;
function liven(): void {
  try {
    exits.keepAlive(aliveMs('vrrp', options.vrrp));
  } catch (error) {
    complain(`could not tell the kernel that this process lives: ${(error as Error).message}`);
  }
}

// One watch feeds the locks of all virtual routers: standbys do not poll, and API load grows with owners, not with nodes.
const observed = new Informer<LeaseObject>({
  client: kube,
  resource: leases,
  namespace: SYSTEM_NAMESPACE,
  labelSelector: LEASE_SELECTOR,
});
const lockOf = (lease: LeaseObject) => locks.get(lease.metadata?.name ?? '');
const routerOf = (lease: LeaseObject) => lease.metadata?.labels?.[labels.virtualRouter] ?? '';
const claimant = new Claimant({
  node: options.node,
  preemptDelayMs: options.preemptDelayMs,
  clock,
  claim: (name) => {
    // The owner may hand over before the watch shows our own writing.
    election.claimed(name, options.node);
    note(name, { [leaseAnnotations.claimedBy]: options.node, [leaseAnnotations.refused]: null });
  },
  refuse: (name, why) => note(name, { [leaseAnnotations.refused]: `${options.node}: ${why}` }),
});
function note(name: string, annotations: Record<string, string | null>): void {
  const lease = observed.list().find((candidate) => routerOf(candidate) === name);
  const key = { namespace: SYSTEM_NAMESPACE, name: lease?.metadata?.name ?? '' };
  kube.patch(leases, key, { metadata: { annotations } }, { type: 'merge' }).catch((error: Error) => {
    requestFailed();
    complain(`could not note in Lease ${key.name} who takes over: ${error.message}`);
  });
}
const claiming = setInterval(() => claimant.tick(), CLAIM_TICK_MS);
function seen(lease: LeaseObject): void {
  surroundings.heardApi();
  lockOf(lease)?.observe(lease);
  const notes = notesOf(lease);
  election.claimed(routerOf(lease), notes.claimedBy);
  claimant.lease(routerOf(lease), notes);
}
observed.on('add', seen);
observed.on('update', seen);
observed.on('delete', (lease) => {
  lockOf(lease)?.observe(undefined);
  claimant.leaseGone(routerOf(lease));
});
observed.on('error', (error) => {
  requestFailed();
  const text = 'watching Leases failed, trying again';
  if (complaints.allows(`${text} ${(error as KubeError).code}`, clock()))
    tell({ kind: 'error', message: `${text}: ${error.message}` });
});
observed.start();

port.on('message', (message: ToWire) => {
  switch (message.kind) {
    case 'configure':
      configure(message);
      holding ??= setInterval(hold, HOLD_EVERY_MS);
      watchRules();
      livening ??= setInterval(liven, options.vrrp.intervalMs);
      break;
    case 'fit':
      election.setFit(message.fit);
      claimant.setFit(message.fit, message.why);
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
  claimant.configure(wire.contested);
}

/**
 * Forwards what still comes here until others have taken over. Where nobody does (there is no other, none is fit, or none reaches the API
 * server), the kernel goes on alone. Where all is handed over there is nothing to switch off: no rule leads into the director, but the
 * connections that it has live on through it.
 */
async function handOver(): Promise<void> {
  const shareable = () => wire.lingering.some(({ ranking }) => ranking.length > 1);
  const tellHolders = () => {
    for (const lease of observed.list()) wire.holder(routerOf(lease), notesOf(lease).holder, options.node);
  };
  observed.on('update', tellHolders);
  tellHolders();
  if (shareable()) await Promise.race([wire.settled(), sleep(HAND_OVER_MS)]);
  if (wire.lingering.length > 0) deadMansSwitch.hold(ALONE_SECONDS);
  else deadMansSwitch.holdForGood();
}

async function stop(release: boolean): Promise<void> {
  clearInterval(claiming);
  surroundings.close();
  await election.stop({ release });
  transport.close();
  if (release) await handOver();
  clearInterval(holding);
  clearInterval(rulesKept);
  rulesWatched?.close();
  clearInterval(livening);
  await Promise.all([observed.stop(), record.stop()]);
  wire.close();
  links.close();
  rules.close();
  exits.close();
  rtnetlink.close();
  deadMansSwitch.close();
  await kube.close();
  tell({ kind: 'stopped' });
  process.exit(0); // of this thread alone
}

const last = goFirst();
if (last) tell({ kind: 'error', message: `the wire thread waits its turn like any other: ${last.message}` });
tell({ kind: 'ready' });
