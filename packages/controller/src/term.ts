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
import type { AllocatorPool, Withheld } from './allocator.js';
import { brief } from './brief.js';
import { ClusterFacts } from './cluster-facts.js';
import { Contention, TRUCE_MS } from './contention.js';
import { withoutCounts } from './explain.js';
import { FreshCache } from './fresh-cache.js';
import { Ledger, type Verdict } from './ledger.js';
import type { ControllerMetrics, ControllerView } from './metrics.js';
import { coolingOf } from './pool-cooling.js';
import { judgePools } from './pool-judgement.js';
import { withheldFrom } from './pool-occupants.js';
import { planPool } from './pool-plan.js';
import { allocatorPoolOf, byAge } from './pool-view.js';
import { observeService } from './service-observation.js';
import { planService } from './service-plan.js';
import { reduceService } from './service-reduce.js';
import { NotLeaderError, Writer } from './writer.js';

/** Status writes in flight at once: enough to keep the API server busy, few enough not to crowd out others. */
const CONCURRENT_WRITES = 16;
/** The counters of a pool follow its use at most this often; acceptance is written at once. */
const USAGE_INTERVAL_MS = 500;
/** How long a term waits for what else there is in the cluster before it begins without. */
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
  readonly #ledger: Ledger;
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
  #poolsInLedger = '';
  #wakeTimer: NodeJS.Timeout | undefined;

  constructor(options: TermOptions) {
    const { kube, recorder, leadershipMs, metrics, now } = options;
    this.#options = options;
    setMaxListeners(0, this.#abort.signal); // one for each write in flight
    this.#ledger = new Ledger(now);
    this.#writer = new Writer({
      kube,
      onWrite: () => metrics.writes.inc(),
      leadershipMs,
      emit: (object, { type, reason, message }) => recorder.event(object, type, reason, message),
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
    this.#abort.signal.throwIfAborted();
    this.#facts.setKubernetesIps(this.#services.get('default/kubernetes')?.spec?.clusterIPs ?? []);
    await this.#judgeNewPools();
    this.#abort.signal.throwIfAborted();
    // From here to listen() nothing is awaited, so no change falls between the lists and the listeners.
    const pools = this.#allocatorPools();
    const withheld = this.#withheld(pools);
    this.#poolsInLedger = fingerprint([pools, withheld]);
    this.#ledger.load(
      pools,
      this.#services.list().map((service) => this.#observation(service)),
      { withheld, cooling: this.#pools.list().flatMap(coolingOf) },
    );
    this.#services.listen({
      onChange: (service, taken) => {
        const seen = this.#observation(service);
        const changed = this.#ledger.observe(seen);
        // The writer has just taken the answer to its own write, and goes on with it.
        if (taken) changed.delete(seen.key);
        this.#enqueue(changed);
      },
      onDelete: (key) => {
        this.#contention.forget(key);
        this.#enqueue(this.#ledger.remove(key));
      },
    });
    this.#pools.listen({ onChange: () => this.#poolsChanged(), onDelete: () => this.#poolsChanged() });
    this.#facts.listen({
      onOccupants: () => this.#poolsChanged(),
      onNamespace: (name) => this.#namespaceChanged(name),
    });
    this.#armWake();
    this.#poolQueue.add(ALL_POOLS);
    for (const service of this.#services.list()) this.#serviceQueue.add(keyOf(service));
    this.#options.log.info(
      { services: this.#serviceInformer.size, pools: this.#poolInformer.size, inUse: this.#ledger.allocator.size },
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

  /** Resolves when no Service waits to be written. */
  idle(): Promise<void> {
    return this.#serviceQueue.idle();
  }

  /** What the metrics show of it. */
  view(): Omit<ControllerView, 'leader'> {
    const { allocator, waiting } = this.#ledger;
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

  #informer<T extends KubeObject>(resource: Resource, transform?: (object: T) => T): Informer<T> {
    const informer = new Informer<T>({ client: this.#options.kube, resource, ...(transform && { transform }) });
    return informer.on('error', (error) => {
      const isUnknown = resource === addressPools && isKubeError(error, 'FL_KUBE_NOT_FOUND');
      this.#options.metrics.apiErrors.inc({ resource: resource.plural });
      const hint = isUnknown ? '; apply deploy/crd.yaml, without which nothing can be allocated' : '';
      this.#options.log.warn(brief(error), `watching ${resource.plural} failed, trying again${hint}`);
    });
  }

  #observation(service: V1Service) {
    const namespaceLabels = this.#facts.namespaceLabels(service.metadata?.namespace ?? '');
    return observeService(service, { defaultClass: this.#options.defaultClass, namespaceLabels });
  }

  #allocatorPools() {
    return this.#pools.list().sort(byAge).map(allocatorPoolOf);
  }

  #enqueue(keys: Iterable<string>): void {
    for (const key of keys) this.#serviceQueue.add(key);
    this.#poolQueue.addAfter(ALL_POOLS, USAGE_INTERVAL_MS);
    this.#armWake();
  }

  /** An address whose cool-down ends is free without any event from the cluster. */
  #armWake(): void {
    clearTimeout(this.#wakeTimer);
    const { wakeAtMs } = this.#ledger;
    if (wakeAtMs === undefined || this.#abort.signal.aborted) return;
    const delayMs = Math.min(Math.max(wakeAtMs - this.#options.now(), 0), MAX_TIMER_MS);
    this.#wakeTimer = setTimeout(() => this.#enqueue(this.#ledger.wake()), delayMs);
  }

  /** Its labels decide which pools its Services may use. */
  #namespaceChanged(name: string): void {
    for (const service of this.#services.list()) {
      if (service.metadata?.namespace === name) this.#enqueue(this.#ledger.observe(this.#observation(service)));
    }
  }

  /**
   * Pools of which nothing has been said yet are judged before anything is given out: whoever waits for them would be looked at twice,
   * once in vain. What cannot be written now is left to the queue.
   */
  async #judgeNewPools(): Promise<void> {
    const pools = this.#allocatorPools();
    if (!pools.some(({ mode }) => mode === 'undecided')) return;
    // Their status says how many addresses are in use: a ledger of those that have one, which nobody else sees.
    const inUse = new Ledger(this.#options.now);
    const having = this.#services.list().filter(({ status }) => status?.loadBalancer?.ingress?.length);
    inUse.adopt(
      pools,
      having.map((service) => this.#observation(service)),
      { withheld: this.#withheld(pools), cooling: this.#pools.list().flatMap(coolingOf) },
    );
    try {
      await this.#writePools(inUse.allocator);
    } catch (error) {
      this.#abort.signal.throwIfAborted();
      this.#failed(error as Error, 'pool', 'AddressPools', 1);
    }
  }

  #withheld(pools: readonly AllocatorPool[]): Withheld[] {
    return withheldFrom(pools, this.#facts.occupants);
  }

  #poolsChanged(): void {
    const pools = this.#allocatorPools();
    const withheld = this.#withheld(pools);
    const print = fingerprint([pools, withheld]);
    // Our own counters come back this way: they are no reason to count again at once.
    if (print === this.#poolsInLedger) {
      this.#poolQueue.addAfter(ALL_POOLS, USAGE_INTERVAL_MS);
      return;
    }
    this.#poolsInLedger = print;
    this.#enqueue(this.#ledger.setPools(pools, withheld));
    this.#poolQueue.add(ALL_POOLS);
  }

  async #writeService(key: string): Promise<Again | undefined> {
    let wanted: string | undefined;
    let judged: ReturnType<Contention['judge']> | undefined;
    const plan = (service: V1Service) => {
      const now = this.#options.now();
      const verdict = this.#ledger.verdict(key);
      const patch = planService(service, verdict, now);
      wanted = summaryOf(verdict);
      if (!patch || wanted === undefined) return patch;
      judged ??= this.#contention.judge(key, wanted, now);
      return judged === 'write' ? patch : undefined;
    };
    await this.#writer.settle(services, this.#services, key, plan, this.#abort.signal);
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

  /** One pool after the other, and each judged anew: what was written to one counts for the next. */
  async #writePools(usage: Ledger['allocator'] = this.#ledger.allocator): Promise<void> {
    const { signal } = this.#abort;
    const errors: unknown[] = [];
    for (const { metadata } of this.#pools.list().sort(byAge)) {
      let counted = false;
      const plan = (pool: AddressPool) => {
        const { occupants } = this.#facts;
        const judgement = judgePools(this.#pools.list(), occupants).get(metadata.name);
        const patch = judgement && planPool(pool, judgement, usage, this.#options.now(), occupants);
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
    this.#options.log.warn({ ...brief(error), failures }, `writing to ${what} failed, trying again`);
  }
}

/** What a Service is to have, for comparison and messages; undefined: nothing that somebody could quarrel about. */
function summaryOf(verdict: Verdict): string | undefined {
  if (verdict.kind !== 'decided') return undefined;
  const { allocations, problem } = verdict;
  if (allocations.length > 0) return allocations.map(({ address }) => formatAddress(address)).join(', ');
  return problem && `no address: ${problem.reason} ${withoutCounts(problem.message)}`;
}

/** Whether pools have changed in anything that matters to allocation; their counters change all the time. */
function fingerprint(pools: readonly object[]): string {
  return JSON.stringify(pools, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
}
