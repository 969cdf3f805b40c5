/**
 * Addresses that were freed a short while ago, and who had them: caches of clients still point there, so nobody else gets
 * them for a time. One family. Times are ms since the epoch, because they outlive the process (AddressPool.status).
 */

import { AddressMap } from './allocator-map.js';
import { MinHeap } from './min-heap.js';

interface Cooling {
  untilMs: number;
  /** Who had it; undefined where nobody remembers (after a restart). */
  owner: string | undefined;
}

export class CoolingAddresses {
  readonly #entries = new AddressMap<Cooling>();
  readonly #ofOwner = new Map<string, bigint>();
  /** Ends of cool-downs, each once; what ends then is in the map. */
  readonly #ends = new MinHeap<number>();
  readonly #endingAt = new Map<number, bigint[]>();

  add(value: bigint, untilMs: number, owner: string | undefined): void {
    this.delete(value);
    this.#entries.set(value, { untilMs, owner });
    if (owner !== undefined) this.#ofOwner.set(owner, value);
    const others = this.#endingAt.get(untilMs);
    if (others) {
      others.push(value);
      return;
    }
    this.#endingAt.set(untilMs, [value]);
    this.#ends.push(untilMs);
  }

  /** Whether it was there. */
  delete(value: bigint): boolean {
    const entry = this.#entries.get(value);
    if (!entry) return false;
    this.#entries.delete(value);
    if (entry.owner !== undefined && this.#ofOwner.get(entry.owner) === value) this.#ofOwner.delete(entry.owner);
    return true;
  }

  has(value: bigint): boolean {
    return this.#entries.has(value);
  }

  /** The address that its last owner may have back at once. */
  of(owner: string): bigint | undefined {
    return this.#ofOwner.get(owner);
  }

  /** Removes and returns those whose time is over, first come first. */
  expire(nowMs: number): bigint[] {
    const over: bigint[] = [];
    for (let end = this.#ends.peek(); end !== undefined && end <= nowMs; end = this.#ends.peek()) {
      this.#ends.pop();
      for (const value of this.#endingAt.get(end)!) {
        // It may have been taken, and freed again, since.
        if (this.#entries.get(value)?.untilMs !== end) continue;
        this.delete(value);
        over.push(value);
      }
      this.#endingAt.delete(end);
    }
    return over;
  }

  /** When the next one may be over; undefined when there is none. */
  get nextMs(): number | undefined {
    return this.#entries.size > 0 ? this.#ends.peek() : undefined;
  }

  *entries(): Generator<[value: bigint, untilMs: number]> {
    for (const [value, { untilMs }] of this.#entries.entries()) yield [value, untilMs];
  }

  get size(): number {
    return this.#entries.size;
  }
}
