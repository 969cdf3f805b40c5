/**
 * Finds the next free address of a pool without walking the pool.
 *
 *      ranges   ████████████████████████████   ████████████████
 *               │ every one seen: taken,   │ never looked at
 *               │ or among the returned    │
 *                                       cursor
 *
 * Below the cursor an address is taken or waits among the returned ones; from the cursor on nothing is known. The cursor
 * passes each address once, which makes a whole series of allocations O(log n) each, however large the pool is.
 *
 * Lowest first: the lowest returned one, else the first from the cursor on. Least recently used: first those that were never
 * used, from the cursor on; then the returned ones in the order in which they came back.
 *
 * What is taken is not kept here (an address has one entry whatever the pools look like today); the caller is asked.
 */

import { type AddressSpace, type Family, isBuggy, type ReusePolicy } from '@fairlead/api';
import { AddressMap } from './allocator-map.js';
import { MinHeap } from './min-heap.js';

const HERE = Object.freeze({});

/** Returned addresses, in the order in which they are to be given out. */
interface Returned {
  push(value: bigint): void;
  /** The next one, which stays. */
  peek(): bigint | undefined;
  pop(): bigint | undefined;
}

export class FreeAddresses {
  readonly #ranges: { first: bigint; last: bigint }[];
  readonly #skipsBuggy: boolean;
  readonly #isTaken: (value: bigint) => boolean;
  readonly #lowestFirst: boolean;
  readonly #returned: Returned;
  /** What is among the returned, so that an address taken and returned again and again is there once. */
  readonly #known = new AddressMap<typeof HERE>();
  #rangeIndex = 0;
  #cursor: bigint;

  constructor(space: AddressSpace, family: Family, policy: ReusePolicy, isTaken: (value: bigint) => boolean) {
    this.#ranges = space.ranges
      .filter((range) => range.first.family === family)
      .map((range) => ({ first: BigInt(range.first.value), last: BigInt(range.last.value) }));
    this.#skipsBuggy = space.avoidBuggyAddresses && family === 'ipv4';
    this.#isTaken = isTaken;
    this.#lowestFirst = policy === 'LowestFirst';
    this.#returned = this.#lowestFirst ? new MinHeap<bigint>() : new Fifo();
    this.#cursor = this.#ranges[0]?.first ?? 0n;
  }

  /** The address to be given out next; undefined when all are taken. It stays next until the caller says it is taken. */
  next(): bigint | undefined {
    return this.#lowestFirst ? (this.#nextReturned() ?? this.#atCursor()) : (this.#atCursor() ?? this.#nextReturned());
  }

  /** Says that an address of these ranges is free again. The caller already answers that it is not taken. */
  giveBack(value: bigint): void {
    if (value >= this.#cursor || this.#known.has(value)) return;
    this.#known.set(value, HERE);
    this.#returned.push(value);
  }

  #nextReturned(): bigint | undefined {
    for (let value = this.#returned.peek(); value !== undefined; value = this.#returned.peek()) {
      if (!this.#isTaken(value)) return value;
      this.#returned.pop();
      this.#known.delete(value);
    }
    return undefined;
  }

  /** Never passes an address that is not taken, so everything below has been seen. */
  #atCursor(): bigint | undefined {
    for (; this.#rangeIndex < this.#ranges.length; this.#rangeIndex++) {
      const range = this.#ranges[this.#rangeIndex]!;
      if (this.#cursor < range.first) this.#cursor = range.first;
      for (; this.#cursor <= range.last; this.#cursor++) {
        if (this.#skipsBuggy && isBuggy(Number(this.#cursor))) continue;
        if (!this.#isTaken(this.#cursor)) return this.#cursor;
      }
    }
    return undefined;
  }
}

/** A queue whose head moves through an array that is cut now and then. */
class Fifo implements Returned {
  #items: bigint[] = [];
  #head = 0;

  push(value: bigint): void {
    this.#items.push(value);
  }

  peek(): bigint | undefined {
    return this.#items[this.#head];
  }

  pop(): bigint | undefined {
    const value = this.#items[this.#head];
    if (value === undefined) return undefined;
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return value;
  }
}
