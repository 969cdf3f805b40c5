/**
 * The memory of cool-downs across restarts: AddressPool.status.coolingDown. Pure.
 *
 * It has to stay small however many addresses are freed, and may only err on the side of waiting: times are rounded up, and
 * when there are too many entries neighbours are joined, the later time counting for all between them. What is in use
 * within a joined entry is not affected by it, what is free there waits once more after a restart.
 */

import {
  type AddressPool,
  type AddressRange,
  type CoolingDown,
  compareAddresses,
  formatRange,
  mergeRanges,
  readRanges,
} from '@fairlead/api';
import type { CoolingAddress } from '../allocator/allocator.js';
import { wireTimeOf } from '../writing/conditions.js';

/** About 4 KB of status. */
export const MAX_COOLING_ENTRIES = 64;
/** Addresses whose time ends in the same ten seconds are one entry where they are neighbours. */
export const GRAIN_MS = 10_000;

export interface CoolingEntry {
  range: AddressRange;
  untilMs: number;
}

/** For the status; ascending by address. */
export function coolingStatus(addresses: readonly CoolingAddress[]): CoolingDown[] {
  const byEnd = new Map<number, AddressRange[]>();
  for (const { address, untilMs } of addresses) {
    const end = Math.ceil(untilMs / GRAIN_MS) * GRAIN_MS;
    const ranges = byEnd.get(end) ?? [];
    ranges.push({ first: address, last: address });
    byEnd.set(end, ranges);
  }
  const entries = [...byEnd].flatMap(([untilMs, ranges]) => mergeRanges(ranges).map((range) => ({ range, untilMs })));
  return atMost(MAX_COOLING_ENTRIES, entries).map(({ range, untilMs }) => ({
    addresses: formatRange(range),
    until: wireTimeOf(untilMs),
  }));
}

/** Read back after a restart; what cannot be read (edited by hand) is left out. */
export function coolingOf({ status }: AddressPool): CoolingEntry[] {
  return (status?.coolingDown ?? []).flatMap(({ addresses, until }) => {
    const untilMs = Date.parse(until);
    return Number.isNaN(untilMs) ? [] : readRanges([addresses]).map((range) => ({ range, untilMs }));
  });
}

/** Joins the entries that are nearest to each other until there are no more than `max` (and one, of each family). */
function atMost(max: number, entries: CoolingEntry[]): CoolingEntry[] {
  const sorted = entries.sort((a, b) => compareAddresses(a.range.first, b.range.first));
  if (sorted.length <= max) return sorted;
  const gaps = sorted.map((entry, index) => (index > 0 ? gapBetween(sorted[index - 1]!, entry) : 0n));
  const widest = [...gaps.keys()].sort((a, b) => (gaps[a]! < gaps[b]! ? 1 : -1)).slice(0, max - 1);
  const starts = new Set(widest);
  const joined: CoolingEntry[] = [];
  for (const [index, { range, untilMs }] of sorted.entries()) {
    const last = joined.at(-1);
    if (!last || starts.has(index)) {
      joined.push({ range, untilMs });
    } else {
      last.range = { first: last.range.first, last: range.last };
      last.untilMs = Math.max(last.untilMs, untilMs);
    }
  }
  return joined;
}

/** Between two families is nothing that could be joined. */
function gapBetween(a: CoolingEntry, b: CoolingEntry): bigint {
  if (a.range.last.family !== b.range.first.family) return 1n << 128n;
  return BigInt(b.range.first.value) - BigInt(a.range.last.value);
}
