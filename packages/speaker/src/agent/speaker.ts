/**
 * The main thread of a speaker: watches the cluster, plans, programs the director, and tells the wire thread what to contest.
 * Every change leads through one path, `#reconcile`, which compares whole states and writes only differences; whatever order the
 * watches deliver in, it ends at the same kernel.
 */

import { type AddressPool, poolInEffect } from '@fairlead/api';
import {
  createForwarder,
  DEFAULT_HOST_INTERFACE,
  Director,
  type Forwarder,
  familyOf,
  HostRoutes,
  hostObstacles,
  NodeHealth,
  type NodeHealthOptions,
  type NodeObject,
  nodeInput,
  type Plan,
  plan,
  type ServiceObject,
  serviceInput,
  type VirtualServerStats,
} from '@fairlead/ipvs';
import {
  addressPools,
  EventRecorder,
  endpointSlices,
  Informer,
  KubeClient,
  type KubeObject,
  nodes,
  resolveConfig,
  services,
} from '@fairlead/kube';
import { type LinkEvent, LinkMonitor, Rtnetlink } from '@fairlead/netlink';
import type { Logger } from 'pino';
import { SpeakerMetrics } from '../metrics/metrics.js';
import { lingeringMs } from '../wire/hold.js';
import type { FromWire, LeaseTimings, WireVirtualRouter } from '../wire/messages.js';
import { type AssignedRouter, assign } from './assignment.js';
import { Coalesced } from './coalesced.js';
import { contestable } from './contestable.js';
import { keepInput, type WatchedSlice } from './endpoint-slices.js';
import { fitness, Patience } from './fitness.js';
import { hostChange } from './host-changes.js';
import { hostInterfaces } from './host-interfaces.js';
import { ObstacleWatch } from './obstacle-watch.js';
import { Reporter } from './reporter.js';
import { Suspects } from './suspects.js';
import { TableSlots } from './tables.js';
import type { HostInterface } from './uplinks.js';
import { WireThread } from './wire-thread.js';

export interface SpeakerOptions {
  /** Name of this process's Node. */
  node: string;
  /** Where the API server is; the Pod's own configuration when empty. */
  kube: { server?: string; kubeconfig?: string };
  /** Name of the director's network namespace. */
  director: string;
  forwarder: 'auto' | 'ipvs' | 'nftables';
  /** Announce on this interface only. */
  uplink?: string;
  /** Namespace of the Leases. */
  namespace: string;
  timings: LeaseTimings;
  /** How nodes are probed; the defaults are NodeHealth's. */
  probes?: Omit<NodeHealthOptions, 'send' | 'timers'>;
  /** Where what happens is counted; nobody else may use it. */
  metrics?: SpeakerMetrics;
  log: Logger;
}

export interface Speaker {
  /** Hands everything over, and leaves the director forwarding what still arrives. */
  stop(): Promise<void>;
  /** Why the kernel is not what it should be; undefined: it is. */
  notReady(): string | undefined;
  /** What every virtual server has done, from the kernel: as much work as there are virtual servers. */
  virtualServers(): VirtualServerStats[];
  /** Rejects if the speaker cannot go on. */
  failed: Promise<never>;
}

/** After how long a failed attempt to program the kernel is repeated, ms. */
const RETRY_MS = 1_000;

/**
 * How often the kernel is compared with what it was told, ms: others on the host (network managers, firewalls, people) may remove what
 * is ours, and most of that nobody is told of.
 */
const INSPECT_EVERY_MS = 30_000;

type WatchedService = ServiceObject & KubeObject;
type WatchedNode = NodeObject & KubeObject;

/** Resolves when this node forwards and stands for election. */
export async function startSpeaker(options: SpeakerOptions): Promise<Speaker> {
  const agent = new Agent(options, new KubeClient(await resolveConfig(options.kube)));
  await agent.start();
  return agent;
}

class Agent implements Speaker {
  readonly failed: Promise<never>;
  readonly #options: SpeakerOptions;
  readonly #log: Logger;
  readonly #metrics: SpeakerMetrics;
  readonly #kube: KubeClient;
  readonly #services: Informer<WatchedService>;
  readonly #nodes: Informer<WatchedNode>;
  readonly #slices: Informer<WatchedSlice>;
  readonly #pools: Informer<AddressPool & KubeObject>;
  readonly #health: NodeHealth;
  readonly #rtnetlink = new Rtnetlink();
  readonly #slots = new TableSlots();
  readonly #suspects = new Suspects();
  readonly #patience = new Patience();
  readonly #reporter: Reporter;
  readonly #obstacles: ObstacleWatch;
  readonly #wire: WireThread;
  readonly #work = new Coalesced(() => this.#reconcile());
  #fail!: (error: Error) => void;
  #links: LinkMonitor | undefined;
  #director: Director | undefined;
  #routes: HostRoutes | undefined;
  #forwarder: Forwarder | undefined;
  #routers = new Map<string, WireVirtualRouter>();
  #retry: NodeJS.Timeout | undefined;
  /**
   * `doubted`: the kernel may not hold what it was told, so it has to be read before anything else. `gone`: there is no way into the
   * director for certain.
   */
  #kernel: 'known' | 'doubted' | 'gone' = 'known';
  #broken: string | undefined;
  /** Why nothing could pass this host, though everything of ours is in place. */
  #obstacle: string | undefined;
  /** The last failure to bring the kernel in line that was logged; undefined when it is in line. */
  #failure: string | undefined;
  #inspections: NodeJS.Timeout | undefined;
  /** undefined until it was first decided, so that a node that does not stand from the beginning says why. */
  #standing: boolean | undefined;
  #askAgain: NodeJS.Timeout | undefined;

  constructor(options: SpeakerOptions, kube: KubeClient) {
    this.#options = options;
    this.#log = options.log;
    this.#metrics = options.metrics ?? new SpeakerMetrics();
    this.#kube = kube;
    this.#health = new NodeHealth(options.probes);
    this.#services = new Informer({ client: kube, resource: services });
    this.#nodes = new Informer({ client: kube, resource: nodes });
    this.#pools = new Informer({ client: kube, resource: addressPools });
    this.#slices = new Informer<WatchedSlice>({ client: kube, resource: endpointSlices, transform: keepInput });
    const events = new EventRecorder({ client: kube, component: 'fairlead-speaker', instance: options.node });
    this.#obstacles = new ObstacleWatch({
      find: hostObstacles,
      log: options.log,
      event: (type, reason, message) => {
        const self = this.#nodes.list().find(({ metadata }) => metadata?.name === options.node);
        if (self) events.event(self, type, reason, message);
      },
    });
    this.#reporter = new Reporter({
      node: options.node,
      log: options.log,
      events,
      services: () => this.#services.list(),
    });
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // whoever holds the speaker decides what a failure means
    const { node, namespace, timings } = options;
    this.#wire = new WireThread({ node, namespace, timings, kube: options.kube });
    this.#wire.on('message', (message) => this.#heard(message));
    this.#wire.on('died', (error) => this.#fail(new Error(`the wire thread died: ${error.message}`, { cause: error })));
  }

  async start(): Promise<void> {
    for (const informer of this.#informers()) {
      informer.on('error', (error) => this.#log.warn({ err: error }, error.message));
      informer.start();
    }
    this.#setUpKernel();
    await Promise.all(this.#informers().map(({ synced }) => synced));
    this.#watchHealth();
    await this.#health.firstRound();
    for (const informer of this.#informers()) {
      for (const change of ['add', 'update', 'delete'] as const) informer.on(change, () => this.#work.request());
    }
    this.#links = new LinkMonitor({ onEvent: (event) => this.#hostChanged(event) });
    this.#inspections = setInterval(() => this.#inspect('doubted'), INSPECT_EVERY_MS);
    this.#reconcile();
    this.#log.info({ forwarder: this.#forwarder!.kind, director: this.#options.director }, 'ready');
  }

  notReady(): string | undefined {
    return this.#failure;
  }

  virtualServers(): VirtualServerStats[] {
    return this.#forwarder?.stats() ?? [];
  }

  async stop(): Promise<void> {
    this.#work.stop();
    clearTimeout(this.#retry);
    clearTimeout(this.#askAgain);
    clearInterval(this.#inspections);
    this.#links?.close();
    this.#health.stop();
    await this.#wire.stop({ release: true });
    for (const informer of this.#informers()) informer.stop();
    this.#closeKernel();
    this.#rtnetlink.close();
    await this.#kube.close();
  }

  #informers(): Informer<KubeObject>[] {
    return [this.#services, this.#nodes, this.#pools, this.#slices] as Informer<KubeObject>[];
  }

  /** Makes what is missing and adopts what is there; the next `#reconcile` compares with the kernel itself. */
  #setUpKernel(): void {
    const { director, forwarder, log } = this.#options;
    this.#closeKernel();
    this.#director = Director.ensure({ name: director, log });
    // What was chosen once stays: both engines at once would fight.
    this.#forwarder = createForwarder({ kind: this.#forwarder?.kind ?? forwarder, director, log });
    this.#routes = new HostRoutes({ log });
    this.#kernel = 'known';
    this.#broken = undefined;
  }

  #inspect(finding: 'doubted' | 'gone'): void {
    if (this.#kernel !== 'gone') this.#kernel = finding;
    this.#work.request();
  }

  #hostChanged(event: LinkEvent): void {
    const name = DEFAULT_HOST_INTERFACE;
    const change = hostChange(event, { name, index: this.#rtnetlink.link(name)?.index });
    if (change === 'inspect') this.#inspect('doubted');
    else if (change === 'plan') this.#work.request();
  }

  #closeKernel(): void {
    this.#forwarder?.close();
    this.#director?.close();
    this.#routes?.close();
  }

  #watchHealth(): void {
    const retarget = () => {
      this.#health.setNodes(
        this.#nodes.list().flatMap((node) => {
          const { name, internalIPs } = nodeInput(node);
          return internalIPs[0] === undefined ? [] : [{ name, address: internalIPs[0] }];
        }),
      );
    };
    retarget();
    this.#nodes.on('add', retarget);
    this.#nodes.on('update', retarget);
    this.#nodes.on('delete', retarget);
    this.#health.on('change', ({ node, healthy, reason }) => {
      this.#log.info(
        { peer: node, healthy, reason },
        `node ${node} is ${healthy ? 'healthy' : `unhealthy: ${reason}`}`,
      );
      this.#work.request();
    });
    this.#health.start();
  }

  #reconcile(): void {
    clearTimeout(this.#retry);
    try {
      if (this.#kernel !== 'known') this.#setUpKernel();
      const interfaces = hostInterfaces(this.#rtnetlink, {
        ownInterface: DEFAULT_HOST_INTERFACE,
        only: this.#options.uplink,
      });
      const objects = this.#services.list();
      const assignment = assign({
        services: objects,
        pools: this.#pools.list().flatMap((pool) => poolInEffect(pool) ?? []),
        nodes: this.#nodes.list().map((node) => node.metadata?.name ?? ''),
        interfaces,
      });
      const known = new Set(assignment.routers.flatMap(({ vips }) => vips.map(({ address }) => address)));
      const desired = plan({
        services: objects.flatMap((service) => serviceInput(service, (vip) => known.has(vip)) ?? []),
        nodes: this.#nodes.list().map(nodeInput),
        endpoints: this.#slices.list().flatMap(({ input }) => input ?? []),
        health: (node) => this.#health.healthy(node) && !this.#suspects.has(node, performance.now()),
      });
      this.#program(desired, assignment.routers, interfaces);
      this.#reporter.problems(assignment.unannounceable, desired.problems);
      if (this.#failure !== undefined) this.#log.info('the kernel is in line again');
      this.#failure = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) this.#log.error({ err: error }, `could not bring the kernel in line: ${message}`);
      this.#failure = message;
      // The kernel keeps what it has, and so do the elections, unless there is no way into the director.
      if (this.#kernel === 'gone') {
        this.#broken = message;
        this.#stand();
      }
      if (this.#kernel === 'known') this.#kernel = 'doubted';
      this.#retry = setTimeout(() => this.#work.request(), RETRY_MS);
    }
  }

  #program(desired: Plan, routers: readonly AssignedRouter[], interfaces: readonly HostInterface[]): void {
    const slots = this.#slots.assign(routers.map(({ name }) => name));
    const operations =
      this.#director!.sync(desired).operations +
      this.#forwarder!.sync(desired).operations +
      this.#routes!.sync(
        routers.map(({ name, vips }) => ({ index: slots.get(name)!, vips: vips.map(({ address }) => address) })),
      ).operations;
    if (operations > 0) this.#log.info({ operations, vips: desired.vips.length }, 'kernel brought in line');
    const virtualRouters = contestable(routers, interfaces).map((router) => ({
      ...router,
      table: slots.get(router.name)!,
    }));
    this.#routers = new Map(virtualRouters.map((router) => [router.name, router]));
    const used = new Set(virtualRouters.flatMap(({ vips }) => vips.map(({ uplink }) => uplink)));
    const uplinks = interfaces
      .filter(({ name }) => used.has(name))
      .map(({ name, index, mac }) => ({ name, index, mac }));
    const families = [...new Set(desired.vips.map(familyOf))].sort();
    this.#obstacle = this.#obstacles.look(
      { uplinks: [...used], families, virtualRouters: [...slots.values()] },
      performance.now(),
    );
    this.#wire.send({ kind: 'configure', virtualRouters, uplinks });
    this.#stand();
  }

  /** Not reached before the kernel was in line once: a node that has never forwarded does not stand. */
  #stand(): void {
    const broken = this.#broken ?? this.#obstacle;
    const result = fitness({
      self: this.#options.node,
      nodes: this.#nodes.list().map(nodeInput),
      healthy: (node) => this.#health.healthy(node),
      ...(broken === undefined ? {} : { broken }),
    });
    const { stand, askAgainAt } = this.#patience.next(result, performance.now());
    clearTimeout(this.#askAgain);
    if (askAgainAt !== undefined) this.#askAgain = setTimeout(() => this.#stand(), askAgainAt - performance.now());
    if (stand === this.#standing) return;
    this.#standing = stand;
    const why = result.fit ? '' : result.why;
    this.#log.info({ stand, why }, stand ? 'standing for election' : `not standing for election: ${why}`);
    this.#wire.send({ kind: 'fit', fit: stand });
  }

  #suspect(node: string): void {
    const forMs = lingeringMs(this.#options.timings);
    this.#suspects.suspect(node, performance.now() + forMs);
    this.#work.request();
    setTimeout(() => this.#work.request(), forMs).unref();
  }

  #heard(message: FromWire): void {
    switch (message.kind) {
      case 'own': {
        const vips = this.#routers.get(message.virtualRouter)?.vips.map(({ address }) => address) ?? [];
        this.#log.info(
          { virtualRouter: message.virtualRouter, vips: vips.length },
          `owner of ${message.virtualRouter}`,
        );
        this.#metrics.takeovers.inc({
          virtual_router: message.virtualRouter,
          cause: message.lapsed === undefined ? 'free' : 'lapsed',
        });
        this.#reporter.took(message.virtualRouter, vips);
        if (message.lapsed !== undefined) this.#suspect(message.lapsed);
        break;
      }
      case 'yield':
        this.#metrics.handovers.inc({ virtual_router: message.virtualRouter });
        this.#log.info(message, `no longer owner of ${message.virtualRouter}: ${message.reason}`);
        break;
      case 'holder':
        this.#log.debug(message, `${message.virtualRouter} is held by ${message.node ?? 'nobody'}`);
        break;
      case 'rival':
        this.#metrics.conflicts.inc();
        this.#log.warn(message, `${message.mac} announces ${message.address}, which this node owns`);
        break;
      case 'lapsed':
        if (this.#kernel !== 'gone') {
          this.#log.warn(
            'the way into the director is gone: this process stood still for too long, or somebody removed it; making it anew',
          );
        }
        this.#inspect('gone');
        break;
      case 'error':
        this.#log.error({ code: message.code }, message.message);
        break;
    }
  }
}
