/**
 * The controller as a whole: stands for leadership, and serves one term whenever it leads.
 *
 *   standby ──acquired──▶ Term: lists, adopts, serves ──lost──▶ standby
 *
 * A replica that does not lead watches one Lease and nothing else.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { labels, SYSTEM_NAMESPACE } from '@fairlead/api';
import { EventRecorder, Informer, isKubeError, type KubeClient, leases } from '@fairlead/kube';
import { LeaseLock, type LeaseLockOptions, type LeaseObject } from '@fairlead/lease-lock';
import type { Logger } from 'pino';
import { brief } from './brief.js';
import { ControllerMetrics } from './metrics.js';
import { Term } from './term.js';
import { optimizeForBursts } from './v8-bursts.js';

/** Name of the Lease (in SYSTEM_NAMESPACE) that says which replica leads. */
export const CONTROLLER_LEASE = 'fairlead-controller';

/** Events kept in mind while they wait to be written: thousands of Services may get their addresses at once. */
const MAX_EVENTS = 10_000;
/** While statuses are being written, an Event waits at most so long for its turn. */
const EVENT_PATIENCE_MS = 1_000;
/** Lost Events are logged at most this often, with their number. */
const LOST_EVENTS_MS = 10_000;
/** Events that are still to be written when the controller stops get so long. */
const FLUSH_MS = 1_000;

export interface ControllerOptions {
  kube: KubeClient;
  /** Of this replica; no two that live at the same time may have the same (the Pod's name is fine). */
  identity: string;
  log: Logger;
  /** Where what happens is counted; nobody else may use it. */
  metrics?: ControllerMetrics;
  /** Serve Services without loadBalancerClass, too. Default false. */
  defaultClass?: boolean;
  /** The cluster's Pod and Service networks (CIDRs), as far as Nodes and ServiceCIDRs do not tell: no pool gets addresses of them. */
  podCidrs?: readonly string[];
  serviceCidrs?: readonly string[];
  /** Timing of the leader election, and its parts that tests replace; the defaults are lease-lock's (15 s). */
  lease?: Omit<Partial<LeaseLockOptions>, 'client' | 'namespace' | 'name' | 'identity' | 'labels'>;
}

export interface Controller {
  /**
   * Resolves when this replica leads, has adopted all addresses in use, and serves changes. That may be never: a standby
   * is healthy, too. Rejects (harmlessly, if nobody waits) when stopped before.
   */
  readonly ready: Promise<void>;
  isLeader(): boolean;
  /** Ends writing, then gives the Lease back. Resolves when both are done. */
  stop(): Promise<void>;
}

export async function startController(options: ControllerOptions): Promise<Controller> {
  optimizeForBursts();
  return new RunningController(options);
}

class RunningController implements Controller {
  readonly ready: Promise<void>;
  readonly #options: ControllerOptions;
  readonly #metrics: ControllerMetrics;
  readonly #recorder: EventRecorder;
  readonly #lock: LeaseLock;
  readonly #leaseInformer: Informer<LeaseObject>;
  #resolveReady: () => void = () => {};
  #rejectReady: (error: Error) => void = () => {};
  #term: Term | undefined;
  /** Terms that are lost but still wait for the answer to a write. */
  readonly #ending = new Set<Promise<void>>();
  #lostEvents = 0;
  #lostEventsLogAt = 0;
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(options: ControllerOptions) {
    const { kube, identity, log, lease } = options;
    this.#options = options;
    this.#metrics = options.metrics ?? new ControllerMetrics();
    this.#metrics.observe(() => ({
      leader: this.isLeader(),
      ...(this.#term?.view() ?? { pools: [], waiting: 0, queued: { service: 0, pool: 0 } }),
    }));
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => {}); // nobody has to wait for it
    this.#recorder = new EventRecorder({
      client: kube,
      component: CONTROLLER_LEASE,
      instance: identity,
      maxEvents: MAX_EVENTS,
      // Thousands of Services may get their addresses at once, and an Event costs as much as a status.
      yieldTo: async () => this.#term?.idle(AbortSignal.timeout(EVENT_PATIENCE_MS)),
      onError: (error) => this.#eventLost(error),
    });
    this.#lock = new LeaseLock({
      ...lease,
      client: kube,
      namespace: SYSTEM_NAMESPACE,
      name: CONTROLLER_LEASE,
      identity,
      labels: { [labels.name]: 'fairlead' },
    });
    this.#lock.on('acquired', () => this.#begin());
    this.#lock.on('lost', (reason) => this.#end(reason));
    this.#lock.on('holder', (holder) => log.info({ holder }, 'leader'));
    this.#lock.on('attempt', ({ purpose, error }) => {
      // Nobody has ever led: no fault. Without its namespace the create that follows fails, too.
      if (purpose === 'look' && isKubeError(error, 'FL_KUBE_NOT_FOUND')) return;
      if (error) this.#metrics.apiErrors.inc({ resource: leases.plural });
      if (error) log.warn({ ...brief(error), purpose }, `a request for Lease ${CONTROLLER_LEASE} failed, trying again`);
    });
    this.#leaseInformer = new Informer<LeaseObject>({
      client: kube,
      resource: leases,
      namespace: SYSTEM_NAMESPACE,
      fieldSelector: `metadata.name=${CONTROLLER_LEASE}`,
    })
      .on('add', (object) => this.#lock.observe(object))
      .on('update', (object) => this.#lock.observe(object))
      .on('delete', () => this.#lock.observe(undefined))
      .on('error', (error) => {
        this.#metrics.apiErrors.inc({ resource: leases.plural });
        log.warn(brief(error), `watching Lease ${CONTROLLER_LEASE} failed, trying again`);
      });
    this.#leaseInformer.start();
    this.#lock.start();
  }

  isLeader(): boolean {
    return this.#lock.isLeader();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.#rejectReady(new Error('the controller was stopped before it led'));
    const term = this.#term;
    this.#term = undefined;
    // Writes end before the Lease is given back: the next leader may read at once.
    await term?.stop();
    await Promise.all(this.#ending);
    const late = new AbortController();
    await Promise.race([this.#recorder.flush(), sleep(FLUSH_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    await this.#recorder.stop();
    await this.#lock.stop({ release: true });
    await this.#leaseInformer.stop();
  }

  #eventLost(error: Error): void {
    this.#lostEvents++;
    this.#metrics.eventsLost.inc();
    const now = performance.now();
    if (now < this.#lostEventsLogAt) return;
    this.#lostEventsLogAt = now + LOST_EVENTS_MS;
    this.#options.log.warn({ error: error.message, lost: this.#lostEvents }, 'Events were not recorded');
    this.#lostEvents = 0;
  }

  #begin(): void {
    if (this.#stopping) return;
    const { kube, log, lease, defaultClass = false, podCidrs, serviceCidrs } = this.#options;
    const clock = lease?.clock ?? (() => performance.now());
    const term = new Term({
      kube,
      log,
      recorder: this.#recorder,
      defaultClass,
      metrics: this.#metrics,
      ...(podCidrs && { podCidrs }),
      ...(serviceCidrs && { serviceCidrs }),
      leadershipMs: () => (this.#lock.isLeader() ? this.#lock.deadline - clock() : 0),
      now: Date.now,
    });
    this.#term = term;
    this.#metrics.terms.inc();
    log.info('leading');
    term.start().then(
      () => this.#resolveReady(),
      (error) => {
        // It rejects only when it is stopped before its caches are complete, which #end or stop() did and logged.
        if (this.#term === term) log.error({ err: error }, 'a term of leadership could not begin');
      },
    );
  }

  #end(reason: string): void {
    const term = this.#term;
    this.#term = undefined;
    if (!term) return;
    this.#options.log.warn({ reason, writes: term.writes }, 'not leading any more');
    const ending = term.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
