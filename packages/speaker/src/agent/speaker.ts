/**
 * The main thread of a speaker: watches the cluster, plans, programs the director, and tells the wire thread what to contest.
 *
 * What is watched goes to the planner and the assignment of VIPs one object at a time (feed.ts), and so does what is probed (health.ts);
 * `#reconcile` takes from them what changed and has it written (upkeep.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SYSTEM_NAMESPACE } from '@fairlead/api';
import {
  checkCapabilities,
  DEFAULT_HOST_INTERFACE,
  HostObstacles,
  Planner,
  type PlanProblem,
  speakerWork,
  type VirtualServerStats,
} from '@fairlead/ipvs';
import { EventRecorder, KubeClient, resolveConfig } from '@fairlead/kube';
import { type LinkEvent, LinkMonitor, Rtnetlink } from '@fairlead/netlink';
import type { Logger } from 'pino';
import { SpeakerMetrics } from '../metrics/metrics.js';
import type { SpeakerView } from '../metrics/view.js';
import { lingeringMs } from '../wire/hold.js';
import type { ConfigurationChange, FromWire, LeaseTimings, VrrpOptions } from '../wire/messages.js';
import { Assignment } from './assignment.js';
import { Coalesced } from './coalesced.js';
import { Feed } from './feed.js';
import { Health, type HealthOptions } from './health.js';
import { growHeapSlowly } from './heap.js';
import { concernsLink, hostChange } from './host-changes.js';
import { hostInterfaces } from './host-interfaces.js';
import { Kernel } from './kernel.js';
import { LOOK_AGAIN_MS, ObstacleWatch } from './obstacle-watch.js';
import { Reporter } from './reporter.js';
import { Routers } from './routers.js';
import { type Found, readSnapshot, Snapshot } from './snapshot.js';
import { becomeSole, type SoleSpeaker } from './sole-speaker.js';
import { Standing } from './standing.js';
import { Stations } from './stations.js';
import { Upkeep, type Wanted } from './upkeep.js';
import type { HostInterface } from './uplinks.js';
import { leaveHelpersAlone } from './v8-helpers.js';
import { WatchTrouble } from './watch-trouble.js';
import { Watches } from './watches.js';
import { WireNodes } from './wire-nodes.js';
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
  timings: LeaseTimings;
  /** For pools with `election: vrrp`. */
  vrrp: VrrpOptions;
  /** For how long a better node must have been fit before a pool with `preempt` fails back to it, ms; default 60 s. */
  preemptDelayMs?: number;
  /** How nodes are probed; the defaults are NodeHealth's. */
  probes?: HealthOptions['probes'];
  /** The share of nodes that has to look unusable for all to be kept; default 1: every one of them. */
  panicShare?: number;
  /** A folder that outlives this process, for what it knows of the cluster; absent: it needs the API server to start. */
  stateFolder?: string;
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

/**
 * How often the kernel is compared with what it was told, ms: others on the host (network managers, firewalls, people) may remove what
 * is ours, and most of that nobody is told of.
 */
const AUDIT_EVERY_MS = 30_000;

/** How long a speaker that has a snapshot waits for the API server before it starts from that, ms. */
const API_PATIENCE_MS = 3_000;

/** How old the snapshot may get, ms: writing it is as much work as there are Services. */
const SNAPSHOT_DELAY_MS = 10_000;

/** Long enough for a node that has come back to have shown that it stays. */
const PREEMPT_DELAY_MS = 60_000;

/** Resolves when this node forwards and stands for election. */
export async function startSpeaker(options: SpeakerOptions): Promise<Speaker> {
  const { stateFolder, log } = options;
  growHeapSlowly();
  leaveHelpersAlone();
  checkCapabilities(speakerWork);
  const sole = await becomeSole(() => log.warn('another speaker runs on this host: waiting for it to end'));
  const found = stateFolder === undefined ? undefined : await readSnapshot(stateFolder, (why) => log.warn(why));
  const agent = new Agent(
    options,
    new KubeClient({ ...(await resolveConfig(options.kube)), userAgent: 'fairlead-speaker' }),
    found,
    sole,
  );
  await agent.start();
  return agent;
}

class Agent implements Speaker {
  readonly failed: Promise<never>;
  readonly #options: SpeakerOptions;
  readonly #log: Logger;
  readonly #metrics: SpeakerMetrics;
  readonly #kube: KubeClient;
  readonly #sole: SoleSpeaker;
  /** When the snapshot that this speaker may start from was written. */
  readonly #knownSince: string | undefined;
  readonly #snapshot: Snapshot | undefined;
  readonly #watches: Watches;
  readonly #planner: Planner;
  readonly #assignment = new Assignment();
  readonly #feed: Feed;
  readonly #health: Health;
  readonly #hostObstacles = new HostObstacles();
  readonly #obstacles: ObstacleWatch;
  readonly #kernel: Kernel;
  readonly #upkeep: Upkeep;
  readonly #rtnetlink = new Rtnetlink();
  readonly #routers = new Routers();
  readonly #reporter: Reporter;
  readonly #stations: Stations;
  readonly #standing: Standing;
  readonly #wire: WireThread;
  readonly #work = new Coalesced(() => this.#reconcile());
  #fail!: (error: Error) => void;
  #links: LinkMonitor | undefined;
  /** Of the host's interface to the director. */
  #ownIndex: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #audits: NodeJS.Timeout | undefined;
  /** This host's interfaces changed, so VIPs may belong to other ones. */
  #interfacesChanged = true;
  #interfaces: HostInterface[] = [];
  readonly #wireNodes = new WireNodes();
  /** The planner knows the whole cluster and how it is. Before that its plan would be to forward less. */
  #known = false;

  constructor(options: SpeakerOptions, kube: KubeClient, found: Found | undefined, sole: SoleSpeaker) {
    const { node, timings, log } = options;
    this.#sole = sole;
    this.#options = options;
    this.#log = log;
    this.#metrics = options.metrics ?? new SpeakerMetrics();
    this.#kube = kube;
    this.#planner = new Planner({ scheduler: options.scheduler, panicShare: options.panicShare });
    this.#knownSince = found?.writtenAt;
    this.#watches = new Watches(kube, found?.contents);
    if (options.stateFolder !== undefined) {
      const contents = () => this.#watches.contents();
      this.#snapshot = new Snapshot({ folder: options.stateFolder, contents, delayMs: SNAPSHOT_DELAY_MS, log });
    }
    this.#health = new Health({
      probes: options.probes,
      suspectForMs: lingeringMs(timings),
      planner: this.#planner,
      log,
      onChange: () => this.#work.request(),
    });
    this.#feed = new Feed(this.#planner, this.#assignment, this.#health.serviceChecks, node);
    this.#kernel = new Kernel(options);
    this.#upkeep = new Upkeep({
      kernel: this.#kernel,
      metrics: this.#metrics,
      log,
      onDoubt: () => this.#work.request(),
    });
    const events = new EventRecorder({ client: kube, component: 'fairlead-speaker', instance: node });
    const ownNode = () => this.#watches.nodes.get(node);
    this.#reporter = new Reporter({
      node,
      log,
      events,
      services: this.#watches.services,
      servicesWith: (vip) => this.#assignment.servicesWith(vip),
      ownNode,
    });
    this.#obstacles = new ObstacleWatch({
      find: (input) => this.#hostObstacles.find(input),
      log,
      event: (type, reason, message) => {
        const self = ownNode();
        if (self) events.event(self, type, reason, message);
      },
    });
    this.#stations = new Stations({
      client: kube,
      namespace: SYSTEM_NAMESPACE,
      node,
      onError: (error) => log.warn({ err: error }, `could not report stations that have our VIPs: ${error.message}`),
    });
    this.#standing = new Standing({
      node,
      log,
      nodes: () => this.#feed.nodes,
      areNodesCurrent: () => this.#watches.nodes.hasSynced,
      healthy: (name) => this.#health.healthy(name),
      onChange: (fit, why) => this.#wire.send({ kind: 'fit', fit, why }),
    });
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // whoever holds the speaker decides what a failure means
    const { director, vrrp, preemptDelayMs = PREEMPT_DELAY_MS, stateFolder } = options;
    this.#wire = new WireThread({ node, director, stateFolder, timings, vrrp, preemptDelayMs, kube: options.kube });
    this.#wire.on('message', (message) => this.#heard(message));
    this.#wire.on('died', (error) => this.#fail(new Error(`the wire thread died: ${error.message}`, { cause: error })));
  }

  async start(): Promise<void> {
    const trouble = new WatchTrouble(this.#log);
    const watching = this.#watches.start((error, resource) => {
      this.#metrics.apiErrors.inc({ resource });
      trouble.heard(error, resource);
    });
    this.#watches.nodes.on('relisted', () => this.#work.request());
    this.#upkeep.setUp();
    await this.#knowledge(watching);
    this.#watches.feed(this.#feed, {
      changed: () => this.#work.request(),
      service: (service) => this.#reporter.service(service),
      serviceGone: (service) => this.#reporter.serviceGone(service),
      node: () => this.#health.setNodes(this.#feed.nodes),
    });
    this.#health.setNodes(this.#feed.nodes);
    // Nothing is written before all of the cluster is known and was probed: the kernel may hold what a predecessor knew.
    await this.#health.start();
    this.#links = new LinkMonitor({ onEvent: (event) => this.#hostChanged(event) });
    this.#followOwn();
    this.#audits = setInterval(() => {
      this.#interfacesChanged = true;
      this.#upkeep.doubt('doubted');
    }, AUDIT_EVERY_MS);
    this.#known = true;
    this.#reconcile();
    this.#metrics.observe(
      () => this.#view(),
      (error) => this.#log.warn({ err: error }, `a scrape could not read everything: ${error.message}`),
    );
    this.#log.info({ forwarder: this.#kernel.forwarderKind, director: this.#options.director }, 'ready');
  }

  notReady(): string | undefined {
    return this.#upkeep.failure;
  }

  virtualServers(): VirtualServerStats[] {
    return this.#kernel.stats();
  }

  async stop(): Promise<void> {
    this.#work.stop();
    for (const timer of [this.#retry, this.#audits]) clearTimeout(timer);
    this.#upkeep.stop();
    this.#standing.stop();
    this.#links?.close();
    this.#health.stop();
    await this.#wire.stop({ release: true });
    await this.#stations.stop();
    await this.#snapshot?.stop();
    this.#watches.stop();
    this.#kernel.close();
    this.#rtnetlink.close();
    this.#hostObstacles.close();
    await this.#kube.close();
    this.#sole.close();
  }

  /** Their addresses, in an order that does not change with that of events. */
  #otherNodes(): string[] {
    const others = this.#feed.nodes.filter(({ name }) => name !== this.#options.node);
    return others.flatMap(({ internalIPs }) => internalIPs).sort();
  }

  /** Resolves when the cluster is known: from the API server, or, when none answers, from what was known last. */
  async #knowledge(watching: Promise<void>): Promise<void> {
    if (this.#knownSince === undefined) return watching;
    const patience = new AbortController();
    const waited = sleep(API_PATIENCE_MS, 'in vain', { signal: patience.signal }).catch(() => undefined);
    if ((await Promise.race([watching, waited])) === 'in vain') {
      const writtenAt = this.#knownSince;
      this.#log.warn({ writtenAt }, `no API server has answered yet: starting from what was known at ${writtenAt}`);
    }
    patience.abort();
  }

  #hostChanged(event: LinkEvent): void {
    const name = DEFAULT_HOST_INTERFACE;
    if (concernsLink(event, name)) this.#followOwn();
    const change = hostChange(event, { name, index: this.#ownIndex });
    if (change === 'nothing') return;
    this.#interfacesChanged = true;
    if (change === 'inspect') this.#upkeep.doubt('doubted');
    else this.#work.request();
  }

  /** The dead man's switch prolongs its address twice a second, for which this thread need not wake up. */
  #followOwn(): void {
    this.#ownIndex = this.#rtnetlink.link(DEFAULT_HOST_INTERFACE)?.index;
    this.#links?.ignoreNewAddresses(this.#ownIndex);
  }

  #reconcile(): void {
    if (!this.#known) return;
    clearTimeout(this.#retry);
    const outcome = this.#upkeep.bringInLine(() => this.#wanted());
    const failed = 'failure' in outcome ? outcome : undefined;
    if ('anew' in outcome) {
      this.#interfacesChanged = false;
      this.#tellWire(this.#routers.takeWire(), outcome.anew);
    } else if (this.#standing.standing) this.#tellWire(undefined);
    // Where it failed the kernel keeps what it has, and so do the elections, unless there is no way into the director.
    const broken = failed?.gone ? failed.failure : this.#obstacle();
    if (broken !== undefined || failed) {
      this.#retry = setTimeout(() => this.#work.request(), failed?.retryMs ?? LOOK_AGAIN_MS);
    }
    this.#standing.decide(broken, this.#upkeep.inLineSince);
    const problems = [...this.#planner.problems, ...this.#health.problems, ...this.#refusals()];
    this.#reporter.problems(this.#assignment.unannounceable, problems);
    if (this.#reporter.panic(this.#planner.panic)) this.#metrics.panics.inc();
  }

  #obstacle(): string | undefined {
    return this.#obstacles.look(this.#routers.passage(this.#otherNodes()), performance.now());
  }

  /** Of Services; the rest of what is desired is programmed all the same. */
  #refusals(): PlanProblem[] {
    return this.#kernel.refused.flatMap(({ virtualServer, message }) => {
      const service = this.#planner.ownerOf(virtualServer);
      return service === undefined ? [] : [{ service, code: 'FL_KERNEL_REFUSED' as const, message }];
    });
  }

  /** What is new to the wire thread, the nodes included; with `anyway`, also that nothing is, so that it tries again what it could not do before. */
  #tellWire(change: ConfigurationChange | undefined, anyway = false): void {
    const nodes = this.#wireNodes.take(this.#feed.nodes);
    if (!anyway && nodes === undefined && change === undefined) return;
    this.#wire.send({ kind: 'configure', changed: [], removed: [], ...change, ...(nodes && { nodes }) });
  }

  #wanted(): Wanted {
    if (this.#interfacesChanged) this.#interfaces = this.#readInterfaces();
    this.#feed.interfaces(this.#interfaces);
    this.#feed.settle();
    this.#health.settle();
    const change = this.#planner.take();
    const reroute = this.#reassign();
    const nodesChanged = this.#feed.takeNodesChanged();
    if (nodesChanged || reroute || change.changed.length + change.removed.length > 0) this.#snapshot?.changed();
    return {
      change,
      reroute,
      interfacesChanged: this.#interfacesChanged,
      desired: () => this.#planner.desired(),
      tables: () => this.#routers.tables,
      uplinks: this.#routers.uplinks,
    };
  }

  #readInterfaces(): HostInterface[] {
    return hostInterfaces(this.#rtnetlink, { ownInterface: DEFAULT_HOST_INTERFACE, only: this.#options.uplink });
  }

  /** Takes over what became of the assignment of VIPs. */
  #reassign(): Wanted['reroute'] {
    const reassignment = this.#assignment.take();
    if (!reassignment) return undefined;
    const change = this.#routers.apply(reassignment, this.#interfaces);
    for (const { name } of reassignment.changed) this.#reporter.reassigned(name, this.#routers.vipsOf(name));
    return change;
  }

  #view(): SpeakerView {
    return {
      forwarder: this.#kernel.forwarderKind,
      standing: this.#standing.standing,
      inSync: this.#upkeep.inSync,
      panic: this.#planner.panic,
      virtualRouters: this.#routers.sizes.map((router) => ({ ...router, owner: this.#reporter.owns(router.name) })),
      ...this.#planner.counts,
      draining: this.#kernel.draining,
      probes: this.#health.counters,
      stations: this.#stations.known,
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
        if (message.lapsed !== undefined) this.#health.suspect(message.lapsed);
        break;
      }
      case 'suspect':
        this.#health.suspect(message.node);
        break;
      case 'yield':
        this.#metrics.handovers.inc({ virtual_router: message.virtualRouter });
        this.#reporter.lost(message.virtualRouter);
        this.#log.info(message, `no longer owner of ${message.virtualRouter}: ${message.reason}`);
        break;
      case 'holder':
        this.#log.debug(message, `${message.virtualRouter} is held by ${message.node ?? 'nobody'}`);
        break;
      case 'announced':
        this.#reporter.announced(
          message.virtualRouter,
          message.addresses ?? this.#routers.vipsOf(message.virtualRouter),
        );
        break;
      case 'rival':
        this.#metrics.conflicts.inc();
        this.#log.warn(
          message,
          message.withheld
            ? `${message.mac} has ${message.address}, which this node owns, but has not announced yet: leaving it to that station`
            : `${message.mac} announces ${message.address}, which this node owns`,
        );
        this.#reporter.conflict(message.address, message.mac, message.uplink, message.withheld);
        this.#stations.heard(message);
        break;
      case 'lapsed':
        if (!this.#upkeep.isGone) {
          this.#log.warn(
            'the way into the director is gone: this process stood still for too long, or somebody removed it; making it anew',
          );
        }
        this.#upkeep.doubt('gone');
        break;
      case 'apiServer': {
        const seconds = (message.silentMs / 1_000).toFixed(1);
        if (message.error === undefined) this.#log.info(`an API server answers again, after ${seconds} s`);
        else {
          this.#log.warn(
            { error: message.error },
            `no API server has answered for ${seconds} s: going on with what is known, and as the owner of what this node owns`,
          );
        }
        break;
      }
      case 'requestFailed':
        this.#metrics.apiErrors.inc({ resource: message.resource });
        break;
      case 'vrrpFault':
        this.#metrics.vrrpFaults.inc({ fault: message.fault });
        this.#log.error({ fault: message.fault }, message.message);
        break;
      case 'error':
        this.#log.error({ code: message.code }, message.message);
        break;
    }
  }
}
