/**
 * One term of leadership: from "the lock is ours" to "it is lost, or we are told to stop".
 *
 *   start informers ─▶ both synced ─▶ adopt everything in use ─▶ serve changes ─▶ abort: stop writing, forget everything
 *
 * Nothing outlives a term. The next one, here or elsewhere, begins with complete lists read after the lock was taken, so
 * it sees every address that an earlier leader gave away; and it begins without any memory that could contradict them.
 */

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AddressPool, formatAddress, reasons } from '@fairlead/api';
import {
  type Again,
  addressPools,
  type EventRecorder,
  Informer,
  isKubeError,
  type KubeClient,
  type KubeObject,
  keyOf,
  type Resource,
  services,
  WorkQueue,
} from '@fairlead/kube';
import type { V1Service } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { Bookkeeping } from './bookkeeping.js';
import { brief } from './brief.js';
import { ClusterFacts } from './cluster-facts.js';
import { withoutCounts } from './ledger/explain.js';
import type { Verdict } from './ledger/verdict.js';
import type { ControllerMetrics, ControllerView } from './metrics.js';
import type { PoolUsage } from './pools/pool-status.js';
import { byAge } from './pools/pool-view.js';
import { reduceService } from './services/service-reduce.js';
import { Contention, TRUCE_MS } from './writing/contention.js';
import { FreshCache } from './writing/fresh-cache.js';
import { NotLeaderError, Writer } from './writing/writer.js';

/** Status writes in flight at once: enough to keep the API server busy, few enough not to crowd out others. */
const CONCURRENT_WRITES = 16;
/** The counters of a pool follow its use at most this often; acceptance is written at once. */
const USAGE_INTERVAL_MS = 500;
/** How long a term waits for an answer about what else there is in the cluster before it begins without. */
const FACTS_WAIT_MS = 5_000;
/** Timers take 31 bits; whoever wakes early sleeps again. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** All pools are judged together, so their queue has one key. */
const ALL_POOLS = 'pools';
const FAMILIES = ['ipv4', 'ipv6'] as const;

export interface TermOptions {
  kube: KubeClient;
  log: Logger;
  recorder: Pick<EventRecorder, 'event'>;
  defaultClass: boolean;
  /** The cluster's networks, where the API does not tell. */
  podCidrs?: readonly string[];
  serviceCidrs?: readonly string[];
  /** ms for which nobody else can be the leader. */
  leadershipMs: () => number;
  metrics: ControllerMetrics;
  /** Wall clock, ms since the epoch: for lastTransitionTime and the order of waiting, never for leadership. */
  now: () => number;
}

export class Term {
  readonly #options: TermOptions;
  readonly #books: Bookkeeping;
  readonly #writer: Writer;
  readonly #serviceInformer: Informer<V1Service>;
  readonly #poolInformer: Informer<AddressPool>;
  readonly #services: FreshCache<V1Service>;
  readonly #pools: FreshCache<AddressPool>;
  readonly #serviceQueue: WorkQueue;
  readonly #poolQueue: WorkQueue;
  /** Aborts writes that are under way. */
  readonly #abort = new AbortController();
  readonly #facts: ClusterFacts;
  readonly #contention = new Contention();
  #wakeTimer: NodeJS.Timeout | undefined;

  constructor(options: TermOptions) {
    const { kube, recorder, leadershipMs, metrics, now } = options;
    this.#options = options;
    setMaxListeners(0, this.#abort.signal); // one for each write in flight
    this.#writer = new Writer({
      kube,
      onWrite: () => metrics.writes.inc(),
      leadershipMs,
      emit: (object, { type, reason, message }) => {
        recorder.event(object, type, reason, message);
        // A pool that gives out less than it says concerns who runs the cluster; Services are too many to log.
        if (object.kind === addressPools.kind && type === 'Warning')
          options.log.warn({ pool: object.metadata?.name, reason }, message);
      },
    });
    this.#facts = new ClusterFacts({
      kube,
      ...(options.podCidrs && { podCidrs: options.podCidrs }),
      ...(options.serviceCidrs && { serviceCidrs: options.serviceCidrs }),
      onError: (error, what) => options.log.warn(brief(error), `watching ${what} failed, trying again`),
    });
    this.#serviceInformer = this.#informer<V1Service>(services, reduceService);
    this.#poolInformer = this.#informer<AddressPool>(addressPools);
    this.#services = new FreshCache(this.#serviceInformer);
    this.#pools = new FreshCache(this.#poolInformer);
    this.#books = new Bookkeeping({
      services: this.#services,
      pools: this.#pools,
      facts: this.#facts,
      defaultClass: options.defaultClass,
      now,
      onServices: (keys) => this.#enqueue(keys),
      onPools: (when) => {
        if (when === 'now') this.#poolQueue.add(ALL_POOLS);
        else this.#poolQueue.addAfter(ALL_POOLS, USAGE_INTERVAL_MS);
      },
    });
    this.#serviceQueue = new WorkQueue({
      process: (key) => this.#writeService(key),
      concurrency: CONCURRENT_WRITES,
      onError: (error, key, failures) => this.#failed(error, 'service', `Service "${key}"`, failures),
    });
    this.#poolQueue = new WorkQueue({
      process: () => this.#writePools(),
      onError: (error, _, failures) => this.#failed(error, 'pool', 'AddressPools', failures),
    });
  }

  /** Resolves when everything in use has been adopted and changes are served. Rejects when stopped before. */
  async start(): Promise<void> {
    this.#serviceInformer.start();
    this.#poolInformer.start();
    const known = this.#facts.start().catch(() => {}); // rejects only when stopped before
    await Promise.all([this.#serviceInformer.synced, this.#poolInformer.synced]);
    // Facts that cannot be had (an older rbac.yaml) keep nobody from getting an address; they are taken in when they come.
    await Promise.race([known, sleep(FACTS_WAIT_MS, undefined, { signal: this.#abort.signal }).catch(() => {})]);
    const { missing } = this.#facts;
    if (missing.length > 0) {
      this.#options.log.warn(
        { missing },
        'beginning without having read these: until they can be read, pools may give out addresses that they have, and ' +
          'selectors of namespaces match none; compare the rights of the controller with deploy/rbac.yaml',
      );
    }
    this.#abort.signal.throwIfAborted();
    this.#facts.setKubernetesIps(this.#services.get('default/kubernetes')?.spec?.clusterIPs ?? []);
    await this.#judgeNewPools();
    this.#abort.signal.throwIfAborted();
    // Nothing is awaited between the lists and the listeners, so no change falls between them.
    this.#books.load();
    this.#serviceInformer.on('delete', (service) => this.#contention.forget(keyOf(service)));
    // The API server takes the status off what is no load balancer (for a moment): nobody quarrels.
    this.#serviceInformer.on('update', (service) => {
      if (service.spec?.type !== 'LoadBalancer') this.#contention.forget(keyOf(service));
    });
    this.#facts.listen({
      onOccupants: () => this.#books.poolsChanged(),
      onNamespace: (name) => this.#books.namespaceChanged(name),
    });
    this.#armWake();
    this.#poolQueue.add(ALL_POOLS);
    for (const service of this.#services.list()) this.#serviceQueue.add(keyOf(service));
    this.#options.log.info(
      {
        services: this.#serviceInformer.size,
        pools: this.#poolInformer.size,
        inUse: this.#books.ledger.allocator.size,
      },
      'addresses in use adopted',
    );
  }

  /** Resolves when no write is under way any more. */
  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#wakeTimer);
    await Promise.all([
      this.#serviceQueue.stop(),
      this.#poolQueue.stop(),
      this.#serviceInformer.stop(),
      this.#poolInformer.stop(),
      this.#facts.stop(),
    ]);
  }

  /** Patches sent in this term. */
  get writes(): number {
    return this.#writer.writes;
  }

  /** Resolves when no Service waits to be written, or the signal aborts. */
  idle(signal: AbortSignal): Promise<void> {
    return this.#serviceQueue.idle(signal);
  }

  /** What the metrics show of it. */
  view(): Omit<ControllerView, 'leader'> {
    const { allocator, waiting } = this.#books.ledger;
    return {
      pools: allocator.pools().flatMap(({ name }) =>
        FAMILIES.flatMap((family) => {
          const usage = allocator.usage(name, family);
          return usage && (usage.capacity > 0n || usage.draining > 0) ? [{ pool: name, family, usage }] : [];
        }),
      ),
      waiting,
      queued: { service: this.#serviceQueue.size, pool: this.#poolQueue.size },
    };
  }

  #informer<T extends KubeObject>(resource: Resource, transform?: (object: T, known?: T) => T): Informer<T> {
    const informer = new Informer<T>({ client: this.#options.kube, resource, ...(transform && { transform }) });
    return informer.on('error', (error) => {
      const isUnknown = resource === addressPools && isKubeError(error, 'FL_KUBE_NOT_FOUND');
      this.#options.metrics.apiErrors.inc({ resource: resource.plural });
      const hint = isUnknown ? '; apply deploy/crd.yaml, without which nothing can be allocated' : '';
      this.#options.log.warn(brief(error), `watching ${resource.plural} failed, trying again${hint}`);
    });
  }

  #enqueue(keys: Iterable<string>): void {
    for (const key of keys) this.#serviceQueue.add(key);
    this.#armWake();
  }

  /** An address whose cool-down ends is free without any event from the cluster. */
  #armWake(): void {
    clearTimeout(this.#wakeTimer);
    const { wakeAtMs } = this.#books.ledger;
    if (wakeAtMs === undefined || this.#abort.signal.aborted) return;
    const delayMs = Math.min(Math.max(wakeAtMs - this.#options.now(), 0), MAX_TIMER_MS);
    this.#wakeTimer = setTimeout(() => this.#books.wake(), delayMs);
  }

  /**
   * Pools of which nothing has been said yet are judged before anything is given out: whoever waits for them would be looked at twice,
   * once in vain. What cannot be written now is left to the queue.
   */
  async #judgeNewPools(): Promise<void> {
    const usage = this.#books.usageBeforeLoad();
    if (!usage) return;
    try {
      await this.#writePools(usage);
    } catch (error) {
      this.#abort.signal.throwIfAborted();
      this.#failed(error as Error, 'pool', 'AddressPools', 1);
    }
  }

  async #writeService(key: string): Promise<Again | undefined> {
    let wanted: string | undefined;
    let waits = false;
    let judged: ReturnType<Contention['judge']> | undefined;
    const plan = (service: V1Service) => {
      const decision = this.#books.servicePlan(key, service);
      if (!decision) return undefined;
      const { verdict, patch } = decision;
      wanted = summaryOf(verdict);
      waits = decision.waits;
      if (patch && wanted !== undefined) judged ??= this.#contention.judge(key, wanted, this.#options.now());
      if (!patch || judged === 'yield' || judged === 'truce') return undefined;
      this.#books.sending(key, service, patch);
      return patch;
    };
    await this.#writer.settle(services, this.#services, key, plan, this.#abort.signal);
    if (waits) return { againAfterMs: USAGE_INTERVAL_MS };
    if (judged === 'yield') this.#reportContention(key, wanted!);
    if (judged === 'yield' || judged === 'truce') return { againAfterMs: TRUCE_MS };
    if (wanted !== undefined) this.#contention.settled(key, wanted);
    return undefined;
  }

  #reportContention(key: string, wanted: string): void {
    const service = this.#services.get(key);
    if (!service) return;
    const message =
      `somebody else changes the status as often as Fairlead writes it (${wanted}); look for another load-balancer ` +
      'controller that takes this Service for its own, and set spec.loadBalancerClass; Fairlead leaves the status alone ' +
      `for ${TRUCE_MS / 60_000} minutes, and keeps the address for the Service`;
    this.#options.recorder.event(service, 'Warning', reasons.statusContested, message);
    this.#options.log.warn({ service: key, wanted }, 'the status of a Service is written by somebody else, too');
  }

  /** One pool after the other: what was written to one counts for the next. */
  async #writePools(usage?: PoolUsage): Promise<void> {
    const { signal } = this.#abort;
    const errors: unknown[] = [];
    for (const { metadata } of this.#pools.list().sort(byAge)) {
      let counted = false;
      const plan = (pool: AddressPool) => {
        const patch = this.#books.poolPlan(pool, usage);
        if (patch?.subresource !== 'status') return patch;
        // What has been allocated while the counters were written is for the next time.
        if (counted) this.#poolQueue.addAfter(ALL_POOLS, USAGE_INTERVAL_MS);
        const first = !counted;
        counted = true;
        return first ? patch : undefined;
      };
      try {
        await this.#writer.settle(addressPools, this.#pools, metadata.name, plan, signal);
      } catch (error) {
        // One pool that cannot be written must not keep the others from being.
        if (error instanceof NotLeaderError || signal.aborted) throw error;
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #failed(error: Error, object: 'service' | 'pool', what: string, failures: number): void {
    this.#options.metrics.reconcileErrors.inc({ object });
    // That of all objects at once, and followed by the end of the term, which says why.
    const level = error instanceof NotLeaderError ? 'debug' : 'warn';
    this.#options.log[level]({ ...brief(error), failures }, `writing to ${what} failed, trying again`);
  }
}

/** What a Service is to have, for comparison and messages; undefined: nothing that somebody could quarrel about. */
function summaryOf(verdict: Verdict): string | undefined {
  if (verdict.kind !== 'decided') return undefined;
  const { allocations, problem } = verdict;
  let text = '';
  for (const { address } of allocations) text += `${text && ', '}${formatAddress(address)}`;
  if (text) return text;
  return problem && `no address: ${problem.reason} ${withoutCounts(problem.message)}`;
}
