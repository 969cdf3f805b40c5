/**
 * What a term of leadership knows and decides, without I/O: two caches tell it what the API server shows, it tells which
 * objects to look at again, and what to write to one.
 *
 *   Services ─▶ ledger ─▶ servicePlan      pools ─▶ judgement ─▶ poolPlan
 *                  ▲  └── what is in use ─────────────▲  │
 *                  └──── pools, as their status says ────┘
 *
 * The order of writes that keeps cool-downs over a crash: what a Service is about to lose is on record in its pool's status
 * before the write that takes it away is made. Where no record can be had (an older CRD), that is waited for in vain, but
 * not for long.
 */

import { type AddressPool, type Labels, rangesHave } from '@fairlead/api';
import { keyOf, versionOf } from '@fairlead/kube';
import type { V1Service } from '@kubernetes/client-node';
import type { Withheld } from './allocator/allocator.js';
import { type Leaving, Ledger } from './ledger/ledger.js';
import type { Verdict } from './ledger/verdict.js';
import { type CoolingEntry, coolingOf, GRAIN_MS } from './pools/pool-cooling.js';
import { type Judgement, judgePools } from './pools/pool-judgement.js';
import { type Occupant, withheldFrom } from './pools/pool-occupants.js';
import { planPool } from './pools/pool-plan.js';
import type { PoolUsage } from './pools/pool-status.js';
import { allocatorPoolOf, byAge } from './pools/pool-view.js';
import { type Observation, observeService, sinceOf } from './services/service-observation.js';
import { type PlannedPatch, planService } from './services/service-plan.js';
import type { FreshCache } from './writing/fresh-cache.js';
import { SentPatches } from './writing/sent-patches.js';

/** How long a write waits for the record of what it frees. */
const RECORD_PATIENCE_MS = 3_000;

/** What is known of the cluster besides Services and pools. */
export interface Facts {
  readonly occupants: readonly Occupant[];
  /** Undefined while the namespace is not known. */
  namespaceLabels(name: string): Labels | undefined;
}

export interface BookkeepingOptions {
  services: FreshCache<V1Service>;
  pools: FreshCache<AddressPool>;
  facts: Facts;
  defaultClass: boolean;
  /** ms since the epoch. */
  now: () => number;
  /** These Services are to be looked at again: servicePlan may say something new. */
  onServices: (keys: Iterable<string>) => void;
  /** So are the pools: at once, or when their counters are written next. */
  onPools: (when: 'now' | 'later') => void;
}

/** What to do about a Service. */
export interface ServiceDecision {
  verdict: Verdict;
  patch: PlannedPatch | undefined;
  /** The write that there is has to wait until the pools are written. */
  waits: boolean;
}

export class Bookkeeping {
  readonly #options: BookkeepingOptions;
  readonly #ledger: Ledger;
  #poolsInLedger = '';
  /** Since when Services wait for the record of what they lose, ms since the epoch. */
  readonly #unrecorded = new Map<string, number>();
  readonly #sent = new SentPatches();
  readonly #recorded = new WeakMap<AddressPool, CoolingEntry[]>();
  #judgements: Map<string, Judgement> | undefined;
  /** What the judgements are about. */
  readonly #judgedAs = new Map<string, string>();
  #judgedOccupants: readonly Occupant[] = [];

  constructor(options: BookkeepingOptions) {
    this.#options = options;
    this.#ledger = new Ledger(options.now);
  }

  /** Adopts everything in use, and listens to the caches from then on. */
  load(): void {
    const { services, pools } = this.#options;
    this.#judgements = undefined;
    const allocatorPools = this.#allocatorPools();
    const withheld = this.#withheld(allocatorPools);
    this.#poolsInLedger = fingerprint([allocatorPools, withheld]);
    this.#ledger.load(
      allocatorPools,
      services.list().map((service) => this.observation(service)),
      { withheld, cooling: pools.list().flatMap((pool) => this.#coolingOf(pool)) },
    );
    services.listen({
      onChange: (service, taken) => {
        if (taken && this.#isConfirmed(service)) return;
        const seen = this.observation(service);
        const changed = this.#ledger.observe(seen);
        // The writer has just taken the answer to its own write, and goes on with it.
        if (taken) changed.delete(seen.key);
        this.#changed(changed);
      },
      onDelete: (key) => {
        this.#unrecorded.delete(key);
        this.#sent.delete(key);
        this.#changed(this.#ledger.remove(key));
      },
    });
    pools.listen({
      onChange: (pool, taken) => this.#poolChanged(pool, taken),
      onDelete: () => {
        this.#judgements = undefined;
        this.poolsChanged();
      },
    });
  }

  get ledger(): Pick<Ledger, 'allocator' | 'waiting' | 'wakeAtMs'> {
    return this.#ledger;
  }

  observation(service: V1Service): Observation {
    const { facts, defaultClass } = this.#options;
    return observeService(service, {
      defaultClass,
      namespaceLabels: facts.namespaceLabels(service.metadata?.namespace ?? ''),
    });
  }

  /** A namespace's labels decide which pools its Services may use. */
  namespaceChanged(name: string): void {
    for (const service of this.#options.services.list()) {
      if (service.metadata?.namespace === name) this.#changed(this.#ledger.observe(this.observation(service)));
    }
  }

  /** Pools have changed, or what else has addresses of them. */
  poolsChanged(): void {
    const pools = this.#allocatorPools();
    const withheld = this.#withheld(pools);
    const print = fingerprint([pools, withheld]);
    // Our own counters come back this way: they are no reason to count again at once.
    if (print === this.#poolsInLedger) {
      this.#options.onPools('later');
      return;
    }
    this.#poolsInLedger = print;
    this.#changed(this.#ledger.setPools(pools, withheld));
    this.#options.onPools('now');
  }

  /** To be called at ledger.wakeAtMs. */
  wake(): void {
    this.#changed(this.#ledger.wake());
  }

  /** What to do about this Service; undefined: nothing since the answer to our last write. */
  servicePlan(key: string, service: V1Service): ServiceDecision | undefined {
    if (this.#ledger.isConfirmed(key)) return undefined;
    const now = this.#options.now();
    const verdict = this.#ledger.verdict(key);
    const patch = planService(service, verdict, now);
    if (patch && !this.#isRecorded(key, now)) {
      this.#options.onPools('now');
      return { verdict, patch: undefined, waits: true };
    }
    this.#unrecorded.delete(key);
    return { verdict, patch, waits: false };
  }

  /** What servicePlan has said is to be written to this Service is being sent. */
  sending(key: string, service: V1Service, { body }: PlannedPatch): void {
    this.#ledger.sending(key);
    this.#sent.add(key, service, body);
  }

  /** The next write to this pool, if there is one. */
  poolPlan(pool: AddressPool, usage: PoolUsage = this.#ledger.usage): PlannedPatch | undefined {
    const { facts, now } = this.#options;
    const judgement = this.#judged(pool).get(pool.metadata.name);
    return judgement && planPool(pool, judgement, usage, now(), facts.occupants);
  }

  /**
   * What is in use, for the statuses of pools of which nothing has been said yet. Undefined where there are none. A ledger that nobody else sees: nothing is given out of it.
   */
  usageBeforeLoad(): PoolUsage | undefined {
    const { services, pools, now } = this.#options;
    const allocatorPools = this.#allocatorPools();
    if (!allocatorPools.some(({ mode }) => mode === 'undecided')) return undefined;
    const ledger = new Ledger(now);
    const having = services.list().filter(({ status }) => status?.loadBalancer?.ingress?.length);
    ledger.adopt(
      allocatorPools,
      having.map((service) => this.observation(service)),
      { withheld: this.#withheld(allocatorPools), cooling: pools.list().flatMap((pool) => this.#coolingOf(pool)) },
    );
    return ledger.usage;
  }

  /** The answer to our write is what was planned, and nothing has happened since. */
  #isConfirmed(answer: V1Service): boolean {
    const key = keyOf(answer);
    if (!this.#sent.answered(key, answer)) return false;
    return this.#ledger.confirm(key, { version: versionOf(answer), since: sinceOf(answer) });
  }

  #allocatorPools() {
    return this.#options.pools.list().sort(byAge).map(allocatorPoolOf);
  }

  #withheld(pools: ReturnType<typeof allocatorPoolOf>[]): Withheld[] {
    return withheldFrom(pools, this.#options.facts.occupants);
  }

  #changed(keys: Set<string>): void {
    this.#options.onServices(keys);
    const now = this.#options.now();
    // What users or the API server have taken off a status could not be put on record before.
    const isRecorded = this.#ledger.takeCooled().every((each) => this.#isOnRecord(each, now));
    this.#options.onPools(isRecorded ? 'later' : 'now');
  }

  #poolChanged(pool: AddressPool, taken: boolean): void {
    // A status that says what was judged changes no judgement.
    if (!taken || this.#judgedAs.get(pool.metadata.name) !== editionOf(pool)) this.#judgements = undefined;
    this.poolsChanged();
    const now = this.#options.now();
    const free = [...this.#unrecorded.keys()].filter((key) => this.#isRecorded(key, now));
    if (free.length > 0) this.#options.onServices(free);
  }

  /** All pools together: of one alone nothing can be said. */
  #judged(pool: AddressPool): Map<string, Judgement> {
    const { pools, facts } = this.#options;
    const isStale =
      this.#judgedOccupants !== facts.occupants || this.#judgedAs.get(pool.metadata.name) !== editionOf(pool);
    if (!this.#judgements || isStale) {
      this.#judgedOccupants = facts.occupants;
      this.#judgements = judgePools(pools.list(), facts.occupants);
      this.#judgedAs.clear();
      for (const each of pools.list()) this.#judgedAs.set(each.metadata.name, editionOf(each));
    }
    return this.#judgements;
  }

  /** Whether what the Service's next write frees is in the pools' statuses, as far as it has to cool down. */
  #isRecorded(key: string, now: number): boolean {
    if (this.#ledger.leaving(key).every((each) => this.#isOnRecord(each, now))) return true;
    const since = this.#unrecorded.get(key) ?? now;
    this.#unrecorded.set(key, since);
    return now - since >= RECORD_PATIENCE_MS;
  }

  /** A record is as good as new for a while: it is rounded up. Of a pool that is gone there is none. */
  #isOnRecord({ address, pool, coolDownMs }: Leaving, now: number): boolean {
    const object = this.#options.pools.get(pool);
    if (!object) return true;
    return this.#coolingOf(object).some(
      ({ range, untilMs }) => untilMs >= now + coolDownMs - GRAIN_MS && rangesHave([range], address),
    );
  }

  #coolingOf(pool: AddressPool): CoolingEntry[] {
    const known = this.#recorded.get(pool) ?? coolingOf(pool);
    this.#recorded.set(pool, known);
    return known;
  }
}

/** Of what users have said about it; a deletion counts. */
function editionOf({ metadata: { uid, generation, deletionTimestamp } }: AddressPool): string {
  return `${uid} ${generation} ${deletionTimestamp}`;
}

/** Whether pools have changed in anything that matters to allocation; their counters change all the time. */
function fingerprint(pools: readonly object[]): string {
  return JSON.stringify(pools, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
}
