/**
 * Who has which ranges, so that what overlaps one is found without looking at all. Ranges may overlap each other.
 *
 *   sorted by first address   ├──a──┤ ├─────b─────┤   ├─c─┤          fresh: a few that are not sorted in yet
 *   furthest end so far       ─────a▶ ────────────b▶ ────b▶
 *
 * A search goes back from the last range that begins in time, for as long as one before it may reach far enough.
 */

import { type AddressRange, type Family, intersection } from '@fairlead/api';

interface Entry<T> {
  range: AddressRange;
  owner: T;
}

interface Sorted<T> {
  entries: Entry<T>[];
  /** The greatest last address up to here. */
  furthest: (number | bigint)[];
}

/** So many are looked at one by one, besides a square root of all. */
const FRESH = 32;

export class RangeIndex<T> {
  readonly #sorted: Record<Family, Sorted<T>>;
  #fresh: Entry<T>[] = [];

  constructor(entries: Iterable<Entry<T>> = []) {
    const all = [...entries];
    this.#sorted = { ipv4: sort(all, 'ipv4'), ipv6: sort(all, 'ipv6') };
  }

  add(range: AddressRange, owner: T): void {
    this.#fresh.push({ range, owner });
    if (this.#fresh.length <= FRESH + Math.sqrt(this.#size)) return;
    this.#sortIn();
  }

  /** Those that have addresses of the range, each with what is shared; in no particular order. */
  *overlaps(range: AddressRange): Generator<{ owner: T; shared: AddressRange }> {
    const { entries, furthest } = this.#sorted[range.first.family];
    for (let index = countUpTo(entries, range.last.value) - 1; index >= 0; index--) {
      if (furthest[index]! < range.first.value) break;
      const shared = intersection(entries[index]!.range, range);
      if (shared) yield { owner: entries[index]!.owner, shared };
    }
    for (const entry of this.#fresh) {
      const shared = intersection(entry.range, range);
      if (shared) yield { owner: entry.owner, shared };
    }
  }

  get #size(): number {
    return this.#sorted.ipv4.entries.length + this.#sorted.ipv6.entries.length;
  }

  #sortIn(): void {
    for (const family of ['ipv4', 'ipv6'] as const) {
      this.#sorted[family] = sort([...this.#sorted[family].entries, ...this.#fresh], family);
    }
    this.#fresh = [];
  }
}

function sort<T>(all: readonly Entry<T>[], family: Family): Sorted<T> {
  const entries = all.filter(({ range }) => range.first.family === family);
  entries.sort((a, b) => (a.range.first.value < b.range.first.value ? -1 : 1));
  const furthest: (number | bigint)[] = [];
  for (const { range } of entries) {
    const before = furthest.at(-1);
    furthest.push(before !== undefined && before > range.last.value ? before : range.last.value);
  }
  return { entries, furthest };
}

/** How many begin at this address or before. */
function countUpTo<T>(entries: readonly Entry<T>[], value: number | bigint): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.range.first.value <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
