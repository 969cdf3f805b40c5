/**
 * Who waits for an address, longest first. One queue per (family, pool asked for), so that a freed address finds its
 * next user by looking at the heads of two queues, not at everybody who waits for something else.
 */

import type { Family } from '@fairlead/api';

export interface Wish {
  family: Family;
  /** The pool asked for by name; undefined: any with autoAssign. */
  pool: string | undefined;
}

interface Entry {
  key: string;
  /** Since when it waits, ms since the epoch. */
  sinceMs: number;
  queue: string;
}

export class WaitingList {
  readonly #entries = new Map<string, Entry>();
  /** Sorted. Arrays: insertion moves 8 bytes per waiter, which is less than a microsecond for thousands. */
  readonly #queues = new Map<string, Entry[]>();

  /** Adds a waiter, or moves it to another queue. One that already waits for the same keeps its place. */
  add(key: string, wish: Wish, sinceMs: number): void {
    const queue = queueName(wish);
    const known = this.#entries.get(key);
    if (known?.queue === queue) return;
    this.delete(key);
    const entry = { key, sinceMs: known?.sinceMs ?? sinceMs, queue };
    this.#entries.set(key, entry);
    const list = this.#queues.get(queue) ?? [];
    list.splice(position(list, entry), 0, entry);
    this.#queues.set(queue, list);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    const list = this.#queues.get(entry.queue)!;
    list.splice(position(list, entry), 1);
    if (list.length === 0) this.#queues.delete(entry.queue);
  }

  /** The longest-waiting one that an address of this pool would satisfy. */
  next(family: Family, pool: { name: string; autoAssign: boolean }): string | undefined {
    const named = this.#queues.get(queueName({ family, pool: pool.name }))?.[0];
    const any = pool.autoAssign ? this.#queues.get(queueName({ family, pool: undefined }))?.[0] : undefined;
    if (!named || !any) return (named ?? any)?.key;
    return compare(named, any) < 0 ? named.key : any.key;
  }

  /** All that wait, longest first. */
  keys(): string[] {
    return [...this.#entries.values()].sort(compare).map((entry) => entry.key);
  }

  get size(): number {
    return this.#entries.size;
  }
}

function queueName(wish: Wish): string {
  return `${wish.family}/${wish.pool ?? '*'}`;
}

/** Kubernetes' times have whole seconds, so equals are common: the name decides, as it would after a restart. */
function compare(a: Entry, b: Entry): number {
  return a.sinceMs - b.sinceMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/** Where the entry is or belongs. */
function position(list: Entry[], entry: Entry): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(list[middle]!, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
