/**
 * The main thread of a speaker: watches the cluster, plans, programs the director, and tells the wire thread what to contest.
 *
 * What is watched goes to the planner one object at a time (feed.ts); `#reconcile` takes from it what changed and writes that. Only what
 * may give VIPs other places (pools, nodes, a Service's addresses, this host's interfaces) has virtual routers assigned anew. When
 * the kernel is not known, it is told everything, and when others may have changed it, it is audited.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Checks,
  DEFAULT_HOST_INTERFACE,
  hostObstacles,
  NodeHealth,
  type NodeHealthOptions,
  nodeInput,
  Planner,
  type RoutesChange,
  type VirtualServerStats,
} from '@fairlead/ipvs';
import { EventRecorder, KubeClient, resolveConfig } from '@fairlead/kube';
import { type LinkEvent, LinkMonitor, Rtnetlink } from '@fairlead/netlink';
import type { Logger } from 'pino';
import { type KernelPart, SpeakerMetrics } from '../metrics/metrics.js';
import type { SpeakerView } from '../metrics/view.js';
import { lingeringMs } from '../wire/hold.js';
import type { FromWire, LeaseTimings } from '../wire/messages.js';
import { Assignment, type Reassignment } from './assignment.js';
import { Coalesced } from './coalesced.js';
import { Feed, type WatchedNode } from './feed.js';
import { hostChange } from './host-changes.js';
import { hostInterfaces } from './host-interfaces.js';
import { Kernel, type Operations } from './kernel.js';
import { LOOK_AGAIN_MS, ObstacleWatch } from './obstacle-watch.js';
import { Reporter } from './reporter.js';
import { Routers } from './routers.js';
import { ServiceChecks } from './service-checks.js';
import { Standing } from './standing.js';
import { Suspects } from './suspects.js';
import type { HostInterface } from './uplinks.js';
import { Watches } from './watches.js';
import { WireThread } from './wire-thread.js';

export interface SpeakerOptions {
  /** Name of this process's Node. */
  node: string;
  /** Where the API server is; the Pod's own configuration when empty. */
  kube: { server?: string; kubeconfig?: string };
  /** Name of the director's network namespace. */
  director: string;
  forwarder: 'auto' | 'ipvs' | 'nftables';
  /** For Services that name no scheduler, as in their annotation; default `wrr`. */
  scheduler?: string;
  /** Announce on this interface only. */
  uplink?: string;
  /** Namespace of the Leases. */
  namespace: string;
  timings: LeaseTimings;
  /** How nodes are probed; the defaults are NodeHealth's. */
  probes?: Omit<NodeHealthOptions, 'send' | 'timers'>;
  /** The share of nodes that has to look unusable for all to be kept; default 1: every one of them. */
  panicShare?: number;
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
const AUDIT_EVERY_MS = 30_000;

/** How long a speaker that starts waits for what Services want to be checked: very many checks take their time. */
const FIRST_CHECKS_MS = 2_000;

/** How often real servers that drain are looked at, ms. */
const TEND_EVERY_MS = 1_000;

/**
 * What is known of the kernel. `untold`: it is there, and was not told anything. `known`: it was told everything so far. `doubted`: so it
 * was, but others may have changed it. `unknown`: it may have missed something. `gone`: there is no way into the director for certain.
 */
type State = 'untold' | 'known' | 'doubted' | 'unknown' | 'gone';

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
  readonly #watches: Watches;
  readonly #planner: Planner;
  readonly #assignment = new Assignment();
  readonly #feed: Feed;
  readonly #health: NodeHealth;
  readonly #checks: Checks;
  readonly #serviceChecks: ServiceChecks;
  readonly #suspects: Suspects;
  readonly #obstacles: ObstacleWatch;
  readonly #kernel: Kernel;
  readonly #rtnetlink = new Rtnetlink();
  readonly #routers = new Routers();
  readonly #reporter: Reporter;
  readonly #standing: Standing;
  readonly #wire: WireThread;
  readonly #work = new Coalesced(() => this.#reconcile());
  #fail!: (error: Error) => void;
  #links: LinkMonitor | undefined;
  #retry: NodeJS.Timeout | undefined;
  #audits: NodeJS.Timeout | undefined;
  #tending: NodeJS.Timeout | undefined;
  #state: State = 'unknown';
  /** This host's interfaces changed, so VIPs may belong to other ones. */
  #interfacesChanged = true;
  #interfaces: HostInterface[] = [];
  /** The planner knows the whole cluster. Before that its plan would be to forward nothing. */
  #fed = false;
  /** The last failure to bring the kernel in line that was logged; undefined when it is in line. */
  #failure: string | undefined;

  constructor(options: SpeakerOptions, kube: KubeClient) {
    const { node, namespace, timings, log } = options;
    this.#options = options;
    this.#log = log;
    this.#metrics = options.metrics ?? new SpeakerMetrics();
    this.#kube = kube;
    this.#planner = new Planner({ scheduler: options.scheduler, panicShare: options.panicShare });
    this.#watches = new Watches(kube);
    this.#health = new NodeHealth(options.probes);
    const { port: _, ...timing } = options.probes ?? {};
    this.#checks = new Checks({ ...timing, nodeAlive: (name) => this.#health.healthy(name) });
    this.#serviceChecks = new ServiceChecks({
      checks: this.#checks,
      planner: this.#planner,
      onVerdict: (service, subject, healthy, reason) => {
        const message = `${subject} of Service ${service} ${healthy ? 'passes its check' : `fails its check: ${reason}`}`;
        log.info({ service, subject, healthy, reason }, message);
        this.#work.request();
      },
    });
    this.#feed = new Feed(this.#planner, this.#assignment, this.#serviceChecks);
    this.#kernel = new Kernel(options);
    this.#suspects = new Suspects({
      forMs: lingeringMs(timings),
      onChange: (name, suspect) => {
        this.#planner.setNodeSuspect(name, suspect);
        this.#work.request();
      },
    });
    const events = new EventRecorder({ client: kube, component: 'fairlead-speaker', instance: node });
    const ownNode = () => this.#watches.nodes.get(node);
    this.#reporter = new Reporter({ node, log, events, services: this.#watches.services, ownNode });
    this.#obstacles = new ObstacleWatch({
      find: hostObstacles,
      log,
      event: (type, reason, message) => {
        const self = ownNode();
        if (self) events.event(self, type, reason, message);
      },
    });
    this.#standing = new Standing({
      node,
      log,
      nodes: () => this.#feed.nodes,
      healthy: (name) => this.#health.healthy(name),
      onChange: (fit) => this.#wire.send({ kind: 'fit', fit }),
    });
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // whoever holds the speaker decides what a failure means
    this.#wire = new WireThread({ node, namespace, timings, kube: options.kube });
    this.#wire.on('message', (message) => this.#heard(message));
    this.#wire.on('died', (error) => this.#fail(new Error(`the wire thread died: ${error.message}`, { cause: error })));
  }

  async start(): Promise<void> {
    const watching = this.#watches.start((error, resource) => {
      this.#metrics.apiErrors.inc({ resource });
      this.#log.warn({ err: error, resource }, error.message);
    });
    this.#kernel.setUp();
    this.#state = 'untold';
    await watching;
    // Nothing is planned before all of the cluster is known, and every node was probed: the kernel may hold what a predecessor knew.
    this.#probeNodes();
    this.#health.start();
    await this.#health.firstRound();
    this.#watches.feed(this.#feed, {
      changed: () => this.#work.request(),
      service: (service) => this.#reporter.service(service),
      serviceGone: (service) => this.#reporter.serviceGone(service),
      node: (node) => this.#nodeChanged(node),
    });
    for (const { name } of this.#feed.nodes) this.#planner.setNodeHealth(name, this.#health.healthy(name));
    this.#serviceChecks.nodesChanged(this.#feed.nodes);
    this.#serviceChecks.settle();
    this.#checks.start();
    await Promise.race([this.#checks.firstRound(), sleep(FIRST_CHECKS_MS, undefined, { ref: false })]);
    this.#health.on('change', ({ node, healthy, reason }) => {
      const message = `node ${node} is ${healthy ? 'healthy' : `unhealthy: ${reason}`}`;
      this.#log.info({ peer: node, healthy, reason }, message);
      this.#planner.setNodeHealth(node, healthy);
      this.#serviceChecks.healthChanged();
      this.#work.request();
    });
    this.#links = new LinkMonitor({ onEvent: (event) => this.#hostChanged(event) });
    this.#audits = setInterval(() => {
      this.#interfacesChanged = true;
      this.#doubt('doubted');
    }, AUDIT_EVERY_MS);
    this.#fed = true;
    this.#reconcile();
    this.#metrics.observe(
      () => this.#view(),
      (error) => this.#log.warn({ err: error }, `a scrape could not read everything: ${error.message}`),
    );
    this.#log.info({ forwarder: this.#kernel.forwarderKind, director: this.#options.director }, 'ready');
  }

  notReady(): string | undefined {
    return this.#failure;
  }

  virtualServers(): VirtualServerStats[] {
    return this.#kernel.stats();
  }

  async stop(): Promise<void> {
    this.#work.stop();
    for (const timer of [this.#retry, this.#audits, this.#tending]) clearTimeout(timer);
    this.#standing.stop();
    this.#suspects.stop();
    this.#links?.close();
    this.#health.stop();
    this.#checks.stop();
    await this.#wire.stop({ release: true });
    this.#watches.stop();
    this.#kernel.close();
    this.#rtnetlink.close();
    await this.#kube.close();
  }

  #probeNodes(): void {
    this.#health.setNodes(
      this.#watches.nodes.list().flatMap((node) => {
        const { name, internalIPs } = nodeInput(node);
        return internalIPs[0] === undefined ? [] : [{ name, address: internalIPs[0] }];
      }),
    );
  }

  #nodeChanged(node: WatchedNode): void {
    this.#probeNodes();
    // One that has another address, or was away, starts anew there.
    const { name } = nodeInput(node);
    this.#planner.setNodeHealth(name, this.#health.healthy(name));
    this.#serviceChecks.nodesChanged(this.#feed.nodes);
  }

  #doubt(state: 'doubted' | 'gone'): void {
    if (this.#state === 'known' || state === 'gone') this.#state = state; // worse than that is mended anyway
    this.#work.request();
  }

  #hostChanged(event: LinkEvent): void {
    const name = DEFAULT_HOST_INTERFACE;
    const change = hostChange(event, { name, index: this.#rtnetlink.link(name)?.index });
    if (change === 'nothing') return;
    this.#interfacesChanged = true;
    if (change === 'inspect') this.#doubt('doubted');
    else this.#work.request();
  }

  #reconcile(): void {
    if (!this.#fed) return;
    clearTimeout(this.#retry);
    const state = this.#state;
    const end = this.#metrics.programming.startTimer();
    try {
      this.#bringInLine();
      end();
      if (this.#failure !== undefined) this.#log.info('the kernel is in line again');
      this.#failure = undefined;
      const obstacle = this.#obstacles.look(this.#routers.passage, performance.now());
      if (obstacle !== undefined) this.#retry = setTimeout(() => this.#work.request(), LOOK_AGAIN_MS);
      this.#standing.decide(obstacle);
    } catch (error) {
      this.#failed(error as Error, state);
    }
    this.#reporter.problems(this.#assignment.unannounceable, [
      ...this.#planner.problems,
      ...this.#serviceChecks.problems,
    ]);
    if (this.#reporter.panic(this.#planner.panic)) this.#metrics.panics.inc();
    if (this.#kernel.unfinished) this.#tending ??= setTimeout(() => this.#tend(), TEND_EVERY_MS);
  }

  #bringInLine(): void {
    const state = this.#state;
    if (this.#interfacesChanged) this.#interfaces = this.#readInterfaces();
    this.#feed.interfaces(this.#interfaces);
    this.#feed.settle();
    this.#serviceChecks.settle();
    const change = this.#planner.take();
    const reassignment = this.#assignment.take();
    if (state !== 'gone') this.#state = 'unknown'; // until the kernel has taken it
    const reroute = reassignment && this.#reassign(reassignment);
    if (state === 'known' || state === 'doubted') {
      if (this.#interfacesChanged) this.#wrote(this.#kernel.follow());
      this.#wrote(this.#kernel.update(change));
      if (reroute) this.#wrote(this.#kernel.reroute(reroute));
      if (state === 'doubted') this.#repaired(this.#kernel.audit(this.#routers.tables));
    } else {
      if (state !== 'untold') this.#kernel.setUp();
      this.#state = 'unknown';
      this.#wrote(this.#kernel.sync(this.#planner.desired()));
      this.#wrote(this.#kernel.route(this.#routers.tables));
    }
    this.#state = 'known';
    this.#interfacesChanged = false;
    if (state !== 'known' || reassignment) this.#wire.send({ kind: 'configure', ...this.#routers.wire });
  }

  #readInterfaces(): HostInterface[] {
    return hostInterfaces(this.#rtnetlink, { ownInterface: DEFAULT_HOST_INTERFACE, only: this.#options.uplink });
  }

  #reassign(reassignment: Reassignment): RoutesChange {
    const change = this.#routers.apply(reassignment, this.#interfaces);
    for (const { name } of reassignment.changed) this.#reporter.reassigned(name, this.#routers.vipsOf(name));
    return change;
  }

  /** The kernel keeps what it has, and so do the elections, unless there is no way into the director. */
  #failed(error: Error, state: State): void {
    const { message } = error;
    this.#metrics.kernelErrors.inc();
    if (message !== this.#failure) this.#log.error({ err: error }, `could not bring the kernel in line: ${message}`);
    this.#failure = message;
    if (this.#state === 'gone') this.#standing.decide(message);
    // What an audit cannot repair can be made anew at once.
    this.#retry = setTimeout(() => this.#work.request(), state === 'doubted' ? 0 : RETRY_MS);
  }

  #wrote(operations: Operations): void {
    const written = Object.entries(operations).filter(([, count]) => count > 0);
    for (const [part, count] of written) this.#metrics.kernelOperations.inc({ part: part as KernelPart }, count);
    if (written.length > 0) this.#log.info({ operations: Object.fromEntries(written) }, 'kernel brought in line');
  }

  #repaired(operations: Operations): void {
    for (const [part, count] of Object.entries(operations)) {
      if (count === 0) continue;
      this.#metrics.repairs.inc({ part: part as KernelPart }, count);
      this.#log.warn({ part, repaired: count }, `${count} things of the ${part} were not as they were left: repaired`);
    }
  }

  #tend(): void {
    this.#tending = undefined;
    try {
      this.#kernel.tend(performance.now());
    } catch (error) {
      this.#log.warn({ err: error }, `could not end what drains: ${(error as Error).message}`);
      this.#doubt('doubted');
    }
    if (this.#kernel.unfinished) this.#tending ??= setTimeout(() => this.#tend(), TEND_EVERY_MS);
  }

  #view(): SpeakerView {
    return {
      forwarder: this.#kernel.forwarderKind,
      standing: this.#standing.standing,
      inSync: this.#failure === undefined && this.#state === 'known',
      panic: this.#planner.panic,
      virtualRouters: this.#routers.sizes.map((router) => ({ ...router, owner: this.#reporter.owns(router.name) })),
      ...this.#planner.counts,
      draining: this.#kernel.draining,
      probes: { node: this.#health.counters(), service: this.#checks.counters() },
      kernel: this.#kernel.view(),
    };
  }

  #heard(message: FromWire): void {
    switch (message.kind) {
      case 'own': {
        const vips = this.#routers.vipsOf(message.virtualRouter);
        this.#log.info(
          { virtualRouter: message.virtualRouter, vips: vips.length },
          `owner of ${message.virtualRouter}`,
        );
        this.#metrics.takeovers.inc({
          virtual_router: message.virtualRouter,
          cause: message.lapsed === undefined ? 'free' : 'lapsed',
        });
        this.#reporter.took(message.virtualRouter, vips);
        if (message.lapsed !== undefined) this.#suspects.suspect(message.lapsed);
        break;
      }
      case 'yield':
        this.#metrics.handovers.inc({ virtual_router: message.virtualRouter });
        this.#reporter.lost(message.virtualRouter);
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
        if (this.#state !== 'gone') {
          this.#log.warn(
            'the way into the director is gone: this process stood still for too long, or somebody removed it; making it anew',
          );
        }
        this.#doubt('gone');
        break;
      case 'error':
        this.#log.error({ code: message.code }, message.message);
        break;
    }
  }
}
