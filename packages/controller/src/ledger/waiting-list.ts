/**
 * Who waits for an address, longest first. One queue per kind of wish: who stands behind another in the same queue can be
 * served only by what would have served that one. So a freed address finds its next user by looking at the heads of a few
 * queues, not at everybody who waits for something else.
 */

import { type Family, formatAddress, type IpAddress } from '@fairlead/api';

export interface Waiter {
  key: string;
  /** All with the same text can be served by the same addresses. */
  kind: string;
  /** The pool asked for by name; undefined: any. */
  pool: string | undefined;
  /** For addresses of these families. */
  families: readonly Family[];
  /** For these very addresses. */
  addresses: readonly IpAddress[];
  /** Since when it waits, ms since the epoch. */
  sinceMs: number;
  /** Whether it has nothing at all; else it has an address, and would rather have another one or a second one. */
  pending: boolean;
}

export class WaitingList {
  readonly #waiters = new Map<string, Waiter>();
  /** Sorted. Arrays: insertion moves 8 bytes per waiter, which is less than a microsecond for thousands. */
  readonly #queues = new Map<string, Waiter[]>();
  /** By family and the pool asked for. */
  readonly #pending = new Map<string, number>();

  /** Who asks for this very address, by its text. */
  readonly #askers = new Map<string, Set<string>>();

  /** Adds a waiter, or moves it to another queue. One that waits already keeps its place in time. */
  add(waiter: Waiter): void {
    const known = this.#waiters.get(waiter.key);
    if (known && known.kind === waiter.kind && known.pending === waiter.pending) return;
    // Who has lost what it had is no newcomer, and who has got something has had its turn.
    const sinceMs = known && known.pending === waiter.pending ? known.sinceMs : waiter.sinceMs;
    this.delete(waiter.key);
    const added = { ...waiter, sinceMs };
    this.#waiters.set(added.key, added);
    const queue = this.#queues.get(added.kind) ?? [];
    queue.splice(position(queue, added), 0, added);
    this.#queues.set(added.kind, queue);
    if (added.pending) this.#countPending(added, 1);
    for (const address of added.addresses) {
      const text = formatAddress(address);
      const askers = this.#askers.get(text) ?? new Set();
      this.#askers.set(text, askers.add(added.key));
    }
  }

  delete(key: string): void {
    const waiter = this.#waiters.get(key);
    if (!waiter) return;
    this.#waiters.delete(key);
    const queue = this.#queues.get(waiter.kind)!;
    queue.splice(position(queue, waiter), 1);
    if (queue.length === 0) this.#queues.delete(waiter.kind);
    if (waiter.pending) this.#countPending(waiter, -1);
    for (const address of waiter.addresses) {
      const text = formatAddress(address);
      const askers = this.#askers.get(text)!;
      askers.delete(key);
      if (askers.size === 0) this.#askers.delete(text);
    }
  }

  has(key: string): boolean {
    return this.#waiters.has(key);
  }

  /** Who waits for this very address. */
  askersOf(address: IpAddress): Iterable<string> {
    return this.#askers.size === 0 ? [] : (this.#askers.get(formatAddress(address)) ?? []);
  }

  /** The first of every queue, longest-waiting first. */
  heads(): string[] {
    return [...this.#queues.values()]
      .map((queue) => queue[0]!)
      .sort(compare)
      .map((waiter) => waiter.key);
  }

  /** All that wait, longest first. */
  keys(): string[] {
    return [...this.#waiters.values()].sort(compare).map((waiter) => waiter.key);
  }

  /** How many have nothing, and need an address of this family of the pool with this name (undefined: of any). */
  pendingFor(family: Family, pool: string | undefined): number {
    return this.#pending.get(pendingKey(family, pool)) ?? 0;
  }

  get size(): number {
    return this.#waiters.size;
  }

  #countPending({ families, pool }: Waiter, delta: 1 | -1): void {
    for (const family of families) {
      const key = pendingKey(family, pool);
      this.#pending.set(key, (this.#pending.get(key) ?? 0) + delta);
    }
  }
}

function pendingKey(family: Family, pool: string | undefined): string {
  return `${family}/${pool ?? '*'}`;
}

/** Kubernetes' times have whole seconds, so equals are common: the name decides, as it would after a restart. */
function compare(a: Waiter, b: Waiter): number {
  return a.sinceMs - b.sinceMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/** Where the waiter is or belongs. */
function position(queue: Waiter[], waiter: Waiter): number {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(queue[middle]!, waiter) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
