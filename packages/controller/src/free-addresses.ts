/**
 * Finds the lowest free address of a pool without walking the pool.
 *
 *      ranges   ████████████████████████████   ████████████████
 *               │ every one seen: in use,  │ never looked at
 *               │ or in the heap           │
 *                                       cursor
 *
 * Below the cursor an address is in use or waits in the heap of returned ones; from the cursor on nothing is known. So the
 * lowest free address is the heap's lowest, else the first from the cursor on that is not in use. The cursor passes each
 * address once, which makes a whole series of allocations O(log n) each, however large the pool is.
 *
 * What is in use is not kept here (an address has one user whatever the pools look like today); the caller is asked.
 */

import type { AddressRange } from '@fairlead/api';
import { MinHeap } from './min-heap.js';

export class FreeAddresses {
  readonly #ranges: { first: bigint; last: bigint }[];
  readonly #isUsed: (value: bigint) => boolean;
  readonly #returned = new MinHeap<bigint>();
  /** What is in the heap, so that an address taken and returned again and again is there once. */
  readonly #inHeap = new Set<bigint>();
  #rangeIndex = 0;
  #cursor: bigint;

  /** `ranges`: of one family, ascending and disjoint. */
  constructor(ranges: readonly AddressRange[], isUsed: (value: bigint) => boolean) {
    this.#ranges = ranges.map((range) => ({ first: BigInt(range.first.value), last: BigInt(range.last.value) }));
    this.#isUsed = isUsed;
    this.#cursor = this.#ranges[0]?.first ?? 0n;
  }

  /** Takes the lowest free address out; undefined when all are in use. The caller records it as used. */
  take(): bigint | undefined {
    for (let value = this.#returned.pop(); value !== undefined; value = this.#returned.pop()) {
      this.#inHeap.delete(value);
      if (!this.#isUsed(value)) return value;
    }
    for (;;) {
      const range = this.#ranges[this.#rangeIndex];
      if (!range) return undefined;
      if (this.#cursor < range.first) this.#cursor = range.first;
      for (; this.#cursor <= range.last; this.#cursor++) {
        if (!this.#isUsed(this.#cursor)) return this.#cursor++;
      }
      this.#rangeIndex++;
    }
  }

  /** Says that an address of these ranges is free again. The caller has already forgotten its user. */
  giveBack(value: bigint): void {
    if (value >= this.#cursor || this.#inHeap.has(value)) return;
    this.#inHeap.add(value);
    this.#returned.push(value);
  }
}
