/**
 * The metrics of a controller. What happens is counted when it happens; what is, is read when somebody asks. A standby has no pools to
 * tell of: only the leader knows them. Labels are bounded by the pools.
 */

import type { Family } from '@fairlead/api';
import type { FamilyUsage } from './allocator/allocator-pool.js';
import { Counter, Gauge, Registry } from './prom-client.js';

export interface PoolUsage {
  pool: string;
  family: Family;
  usage: FamilyUsage;
}

/** What is now. */
export interface ControllerView {
  leader: boolean;
  pools: readonly PoolUsage[];
  /** Services that wait for an address. */
  waiting: number;
  /** Objects that wait to be written, by kind. */
  queued: { service: number; pool: number };
}

const POOL = ['pool', 'family'] as const;

export class ControllerMetrics {
  readonly registry = new Registry();

  readonly terms = this.#counter('terms_total', 'How often this replica became the leader.');
  readonly writes = this.#counter('writes_total', 'Patches sent to the API server.');
  readonly reconcileErrors = this.#counter('reconcile_errors_total', 'Writes that failed. They are repeated.', [
    'object',
  ]);
  readonly apiErrors = this.#counter('api_errors_total', 'Failed watches and requests for the leader Lease.', [
    'resource',
  ]);
  readonly eventsLost = this.#counter('events_lost_total', 'Events that could not be recorded.');

  readonly #leader = this.#gauge('leader', 'Whether this replica leads (1).');
  readonly #capacity = this.#gauge('pool_capacity_addresses', 'Addresses that the pool can give out, in all.', POOL);
  readonly #addresses = this.#gauge(
    'pool_addresses',
    'Addresses of the pool by what they are: in_use; draining (in use, but no longer of the pool); cooling_down and withheld (not given out now); free.',
    [...POOL, 'state'],
  );
  readonly #waiting = this.#gauge('services_waiting', 'Services that wait for an address.');
  readonly #queued = this.#gauge('queue_length', 'Objects that wait to be looked at.', ['object']);

  #view: (() => ControllerView) | undefined;

  /** Where `scrape` reads what is now. */
  observe(view: () => ControllerView): void {
    this.#view = view;
  }

  /** All metrics in Prometheus' text format. */
  async scrape(): Promise<string> {
    if (this.#view) this.#show(this.#view());
    return this.registry.metrics();
  }

  #show({ leader, pools, waiting, queued }: ControllerView): void {
    this.#leader.set(Number(leader));
    this.#capacity.reset();
    this.#addresses.reset();
    for (const { pool, family, usage } of pools) {
      this.#capacity.set({ pool, family }, Number(usage.capacity));
      const show = (state: string, count: number | bigint) =>
        this.#addresses.set({ pool, family, state }, Number(count));
      show('in_use', usage.inUse);
      show('draining', usage.draining);
      show('cooling_down', usage.coolingDown);
      show('withheld', usage.withheld);
      show('free', usage.free);
    }
    this.#waiting.set(waiting);
    for (const object of ['service', 'pool'] as const) this.#queued.set({ object }, queued[object]);
  }

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[] = []): Counter<T> {
    return new Counter({ name: `fairlead_controller_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge<T extends string>(name: string, help: string, labelNames: readonly T[] = []): Gauge<T> {
    return new Gauge({ name: `fairlead_controller_${name}`, help, labelNames, registers: [this.registry] });
  }
}
