/** The demo's stage: the lab with Fairlead in it, what is done there, and the facts that come out. */

import {
  type AddressPool,
  annotations,
  conditions,
  LOAD_BALANCER_CLASS,
  labels,
  parseVirtualRouterName,
} from '@fairlead/api';
import { createForwarder, type VirtualServerStats } from '@fairlead/ipvs';
import { addressPools, Informer, type KubeObject, leases, type nodes, services } from '@fairlead/kube';
import {
  deployEcho,
  epochMs,
  Lab,
  type LabNode,
  type LabProcess,
  type Probe,
  sendRequests,
  startProbe,
} from '@fairlead/lab';
import { type ForwarderChoice, installManifests, startController, startSpeaker } from '../lab/deployment.js';
import { steady, stopWhenSteady } from '../lab/steady.js';
import { until } from '../lab/until.js';
import { add, connections, settledStats } from './counters.js';
import type { Facts } from './facts.js';
import type { TimelineInput } from './timeline.js';

const POOL = 'public';
const POOL_ADDRESSES = '10.77.0.200-10.77.0.215';
const SERVICE = { namespace: 'default', name: 'web' };
const PORT = 80;
/**
 * How soon after a crash the control plane calls the node NotReady and its Pods unready. Kubernetes takes 40 s by default, and until
 * then kube-proxy on the other nodes sends a share of the connections to dead Pods, whatever load balancer is in front.
 */
const NODE_MONITOR_GRACE_MS = 2_000;
/** Enough for every real server to get several, whatever the scheduler; and how often, if one was missing for a moment. */
const REQUESTS = 60;
const REQUEST_ROUNDS = 5;
const REQUEST_TIMEOUT_MS = 10_000;
/**
 * A connect that takes longer has failed. Short of the second after which TCP sends its SYN again, so that each attempt stands for the
 * moment at which it was made; long enough for a busy machine.
 */
const CONNECT_TIMEOUT_MS = 500;
/** For so long the client must have been served without a failure, before the crash and after it. */
const STEADY_MS = 1_000;
/** A guest without hardware acceleration is ten times slower than its machine. */
const START_TIMEOUT_MS = 300_000;
const PATIENCE_MS = 180_000;

interface ServiceObject extends KubeObject {
  status?: {
    loadBalancer?: { ingress?: { ip?: string }[] };
    conditions?: { type: string; status: string; message: string }[];
  };
}
interface LeaseObject extends KubeObject {
  spec?: { holderIdentity?: string };
}

export class Scene {
  readonly #choice: ForwarderChoice;
  readonly #begun = performance.now();
  readonly #informers: { stop(): void }[] = [];
  readonly #processes: LabProcess[] = [];
  #lab: Lab | undefined;
  #probe: Probe | undefined;
  #leases: Informer<LeaseObject> | undefined;
  #crash: { node: LabNode; epochMs: number } | undefined;
  #takeover: { node: LabNode; epochMs: number } | undefined;

  readonly facts: Facts = {
    forwarder: 'ipvs',
    vip: '',
    owners: [],
    requests: { total: 0, perPod: {}, perNode: {}, perBackend: [] },
    crash: undefined,
    attempts: 0,
    failures: 0,
    outageMs: undefined,
  };

  constructor(choice: ForwarderChoice) {
    this.#choice = choice;
  }

  async build(progress: (text: string) => void): Promise<Lab> {
    this.#lab = await Lab.start({ nodes: 3, nodeMonitorGraceMs: NODE_MONITOR_GRACE_MS, onStep: progress });
    progress('Pods');
    await deployEcho(this.#lab, { name: SERVICE.name, namespace: SERVICE.namespace, perNode: 1, port: PORT });
    return this.#lab;
  }

  async install(progress: (text: string) => void): Promise<{ forwarder: string }> {
    const lab = this.lab;
    await installManifests(lab.kube);
    const speakers = lab.nodes.map((node) => startSpeaker(lab, node, { forwarder: this.#choice }));
    this.#processes.push(startController(lab), ...speakers);
    progress('waiting for the speakers');
    const forwarders = await Promise.all(speakers.map(forwarderOf));
    this.facts.forwarder = forwarders[0]!;
    return { forwarder: this.facts.forwarder };
  }

  async createPool(): Promise<{ name: string; addresses: string; free: string }> {
    const pools = await this.#watch<AddressPool & KubeObject>(addressPools);
    await this.lab.kube.create(addressPools, {
      apiVersion: 'fairlead.dev/v1alpha1',
      kind: 'AddressPool',
      metadata: { name: POOL },
      spec: { addresses: [POOL_ADDRESSES] },
    });
    const free = await until(pools, `AddressPool "${POOL}" being accepted`, ({ status }) =>
      status?.conditions?.some(({ type, status }) => type === conditions.accepted && status === 'True')
        ? status.ipv4?.free
        : undefined,
    );
    return { name: POOL, addresses: POOL_ADDRESSES, free };
  }

  async createService(): Promise<{ name: string; vip: string; afterMs: number }> {
    const watched = await this.#watch<ServiceObject>(services);
    const started = performance.now();
    await this.lab.kube.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...SERVICE, annotations: { [annotations.addressPool]: POOL } },
      spec: {
        type: 'LoadBalancer',
        loadBalancerClass: LOAD_BALANCER_CLASS,
        selector: { app: SERVICE.name },
        ports: [{ name: 'http', port: PORT, targetPort: PORT, protocol: 'TCP' }],
      },
    });
    const vip = await until(watched, 'the Service getting an address', (service) =>
      service.metadata?.name === SERVICE.name ? service.status?.loadBalancer?.ingress?.[0]?.ip : undefined,
    );
    this.facts.vip = vip;
    return { name: `${SERVICE.namespace}/${SERVICE.name}`, vip, afterMs: performance.now() - started };
  }

  async firstOwner(): Promise<{ node: LabNode; lease: string; mac: string }> {
    this.#leases = await this.#watch<LeaseObject>(leases);
    this.#leases.on('add', (lease) => this.#noteOwner(lease));
    this.#leases.on('update', (lease) => this.#noteOwner(lease));
    for (const lease of this.#leases.list()) this.#noteOwner(lease);
    const { lease, holder } = await until(this.#leases, 'a speaker taking the VIP', holderOf);
    const node = this.lab.node(holder);
    await this.#steady('the LAN client reaching the VIP');
    return { node, lease, mac: await this.#macOfVip() };
  }

  /** Sends requests until every real server has had some, as the kernel of the owner counts them. */
  async request(progress: (text: string) => void): Promise<{ total: number; table: VirtualServerStats[] }> {
    const owner = this.#owner();
    const forwarder = createForwarder({ kind: this.facts.forwarder, director: owner.directorName });
    try {
      progress('the kernel counting the connections so far');
      const before = connections(await settledStats(forwarder));
      const { requests } = this.facts;
      let table: VirtualServerStats[] = [];
      for (let round = 0; round < REQUEST_ROUNDS; round++) {
        progress(`${requests.total} requests`);
        const target = { address: this.facts.vip, port: PORT, count: REQUESTS, timeoutMs: REQUEST_TIMEOUT_MS };
        const report = await sendRequests(this.lab.client, target);
        if (report.failures > 0) {
          throw new Error(`${report.failures} of ${REQUESTS} requests failed: ${JSON.stringify(report.errors)}`);
        }
        requests.total += report.total;
        add(requests.perPod, report.perPod);
        add(requests.perNode, report.perNode);
        table = await settledStats(forwarder);
        requests.perBackend = this.#backends(owner, before, connections(table));
        const used = requests.perBackend.filter((backend) => backend.connections > 0);
        if (used.length === this.lab.nodes.length) return { total: requests.total, table };
      }
      throw new Error(`not every node was used as a real server: ${JSON.stringify(requests.perBackend)}`);
    } finally {
      forwarder.close();
    }
  }

  /** Cuts the owner's links and kills its processes in one moment, while the client connects every 10 ms. */
  async crashOwner(progress: (text: string) => void): Promise<{ node: LabNode }> {
    progress('the client connects every 10 ms');
    this.#probe = startProbe(this.lab.client, { address: this.facts.vip, port: PORT, timeoutMs: CONNECT_TIMEOUT_MS });
    await steady(this.#probe, STEADY_MS, PATIENCE_MS);
    const node = this.#owner();
    const crashedAt = epochMs();
    node.crash();
    this.#crash = { node, epochMs: crashedAt };
    this.facts.crash = { node: node.name, atMs: this.#since(crashedAt) };
    return { node };
  }

  async nextOwner(): Promise<{ node: LabNode; afterMs: number }> {
    const crashed = this.#crash!;
    const { holder } = await until(this.#leases!, 'another speaker taking the VIP', (lease) => {
      const found = holderOf(lease);
      return found?.holder === crashed.node.name ? undefined : found;
    });
    const takenOverAt = epochMs();
    const node = this.lab.node(holder);
    this.#takeover = { node, epochMs: takenOverAt };
    return { node, afterMs: takenOverAt - crashed.epochMs };
  }

  async recovery(): Promise<{ attempts: number; failures: number; outageMs: number; timeline: TimelineInput }> {
    const report = await stopWhenSteady(this.#probe!, {
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      forMs: STEADY_MS,
      timeoutMs: PATIENCE_MS,
    });
    if (report.outageMs === null) {
      const last = report.attempts.slice(-10).map(({ outcome }) => outcome);
      throw new Error(`the client was not served again: its last attempts were ${last.join(', ')}`);
    }
    if (report.failures === 0) throw new Error('no connect failed: the crash cannot have happened');
    this.facts.attempts = report.attempts.length;
    this.facts.failures = report.failures;
    this.facts.outageMs = report.outageMs;
    const timeline: TimelineInput = {
      crashMs: this.#crash!.epochMs,
      attempts: report.attempts.map(({ startMs, outcome }) => ({ startMs, ok: outcome === 'connected' })),
      marks: [{ atMs: this.#takeover!.epochMs, label: `${this.#takeover!.node.name} takes over` }],
    };
    return { attempts: report.attempts.length, failures: report.failures, outageMs: report.outageMs, timeline };
  }

  /** The last log lines of Fairlead's own processes, for whoever has to find out what went wrong. */
  lastWords(): string {
    const words = this.#processes
      .filter(({ output }) => output.trim() !== '')
      .map(({ label, output }) => `\n--- ${label}\n${output.trim().split('\n').slice(-5).join('\n')}`);
    return words.length === 0 ? '' : `The last lines of Fairlead's logs:${words.join('')}`;
  }

  async close(): Promise<void> {
    for (const informer of this.#informers) informer.stop();
    await this.#lab?.stop();
  }

  get lab(): Lab {
    if (this.#lab === undefined) throw new Error('the data centre is not built yet');
    return this.#lab;
  }

  async #watch<T extends KubeObject>(resource: typeof nodes): Promise<Informer<T>> {
    const informer = new Informer<T>({ client: this.lab.kube, resource });
    this.#informers.push(informer);
    informer.start();
    await informer.synced;
    return informer;
  }

  /** Resolves when the client has been served without a failure for a while. */
  async #steady(what: string): Promise<void> {
    const probe = startProbe(this.lab.client, { address: this.facts.vip, port: PORT, timeoutMs: CONNECT_TIMEOUT_MS });
    try {
      await steady(probe, STEADY_MS, PATIENCE_MS);
    } catch (cause) {
      throw new Error(`${what} did not happen: ${(cause as Error).message}`, { cause });
    } finally {
      await probe.stop();
    }
  }

  async #macOfVip(): Promise<string> {
    const { stdout } = await this.lab.client.exec(['ip', '-j', 'neighbour', 'show', this.facts.vip]);
    return (JSON.parse(stdout) as { lladdr?: string }[])[0]?.lladdr ?? 'nothing';
  }

  #backends(owner: LabNode, before: Map<string, number>, after: Map<string, number>): Facts['requests']['perBackend'] {
    return [...after].map(([key, total]) => {
      const [address, port] = key.split(' ');
      const node = this.lab.nodes.find(({ lanAddress }) => lanAddress === address);
      const connections = total - (before.get(key) ?? 0);
      return { address: address!, port: Number(port), node: node?.name ?? '?', own: node === owner, connections };
    });
  }

  /** The owner as last seen. */
  #owner(): LabNode {
    return this.lab.node(this.facts.owners.at(-1)!.node);
  }

  #noteOwner(lease: LeaseObject): void {
    const node = holderOf(lease)?.holder;
    const { owners } = this.facts;
    if (node !== undefined && node !== owners.at(-1)?.node) owners.push({ node, sinceMs: this.#since(epochMs()) });
  }

  #since(at: number): number {
    return Math.round(at - performance.timeOrigin - this.#begun);
  }
}

function holderOf({ metadata, spec }: LeaseObject): { lease: string; holder: string } | undefined {
  const virtualRouter = metadata?.labels?.[labels.virtualRouter];
  if (virtualRouter === undefined || parseVirtualRouterName(virtualRouter)?.pool !== POOL) return undefined;
  return spec?.holderIdentity ? { lease: metadata?.name ?? '', holder: spec.holderIdentity } : undefined;
}

/** Which forwarder a speaker has chosen, from its log. */
function forwarderOf(speaker: LabProcess): Promise<Facts['forwarder']> {
  return speaker.waitFor(
    'it was ready',
    (line) =>
      line.includes('"msg":"ready"') ? (JSON.parse(line) as { forwarder: Facts['forwarder'] }).forwarder : undefined,
    START_TIMEOUT_MS,
  );
}
