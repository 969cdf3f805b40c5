/**
 * The addresses that a pool has: ranges, less those that end in .0 and .255 where these are avoided. The latter is a rule
 * and not a list of holes, because a /12 would have 8,192 of them.
 */

import type { Family, IpAddress } from '../addresses/address.js';
import type { AddressRange } from '../addresses/range.js';
import { capacityOf, contains } from '../addresses/range.js';

export interface AddressSpace {
  /** In ascending order (IPv4 first), without overlap. */
  readonly ranges: readonly AddressRange[];
  readonly avoidBuggyAddresses: boolean;
}

/** Whether an IPv4 address (as u32) ends in .0 or .255. */
export function isBuggy(value: number): boolean {
  const last = value & 255;
  return last === 0 || last === 255;
}

export function spaceHas({ ranges, avoidBuggyAddresses }: AddressSpace, address: IpAddress): boolean {
  if (avoidBuggyAddresses && address.family === 'ipv4' && isBuggy(address.value)) return false;
  return rangesHave(ranges, address);
}

/** Number of addresses of one family. */
export function spaceCapacity({ ranges, avoidBuggyAddresses }: AddressSpace, family: Family): bigint {
  const own = ranges.filter((range) => range.first.family === family);
  const all = capacityOf(own);
  if (!avoidBuggyAddresses || family === 'ipv6') return all;
  return own.reduce((sum, { first, last }) => sum - BigInt(buggyIn(Number(first.value), Number(last.value))), all);
}

/** Binary search: pools may list hundreds of ranges. `ranges` ascending and disjoint. */
export function rangesHave(ranges: readonly AddressRange[], address: IpAddress): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle]!;
    if (contains(range, address)) return true;
    const before =
      range.first.family === address.family ? range.first.value < address.value : range.first.family === 'ipv4';
    if (before) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

/** How many of first to last end in .0 or .255. */
function buggyIn(first: number, last: number): number {
  return buggyBelow(last + 1) - buggyBelow(first);
}

/** How many of 0 to end - 1. */
function buggyBelow(end: number): number {
  return 2 * Math.floor(end / 256) + (end % 256 > 0 ? 1 : 0);
}
