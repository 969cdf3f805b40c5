/** Inclusive ranges of addresses, written as a CIDR (`192.0.2.0/28`) or with a dash (`192.0.2.10-192.0.2.20`). */

import type { Family, IpAddress } from './address.js';
import { AddressError, addressBits, addressOf, compareAddresses, formatAddress, parseAddress } from './address.js';

/** All addresses from `first` to `last`, both included; both of one family, and `first` not after `last`. */
export interface AddressRange {
  first: IpAddress;
  last: IpAddress;
}

/** Parses a CIDR or `first-last` (blanks around the dash allowed). Throws AddressError that says what to write. */
export function parseRange(text: string): AddressRange {
  const slash = text.indexOf('/');
  if (slash >= 0) return parseCidr(text, slash);
  const dash = text.indexOf('-');
  if (dash >= 0) return parseFirstLast(text, dash);
  const address = parseAddress(text);
  throw new AddressError(
    `"${text}" is a single address where a range is expected; write ${text}/${addressBits(address.family)}`,
  );
}

/** As parseRange, and a single address stands for itself. */
export function parseRangeOrAddress(text: string): AddressRange {
  if (/[/-]/.test(text)) return parseRange(text);
  const address = parseAddress(text);
  return { first: address, last: address };
}

/** Shortest text that `parseRange` reads back: a CIDR where the range is one, `first-last` otherwise. */
export function formatRange(range: AddressRange): string {
  const bits = addressBits(range.first.family);
  const count = size(range);
  const hostBits = count.toString(2).length - 1;
  const aligned = count === 1n << BigInt(hostBits) && BigInt(range.first.value) % count === 0n;
  return aligned
    ? `${formatAddress(range.first)}/${bits - hostBits}`
    : `${formatAddress(range.first)}-${formatAddress(range.last)}`;
}

/** Number of addresses, at least 1. A BigInt because an IPv6 /64 alone has more than 2^53. */
export function size(range: AddressRange): bigint {
  return BigInt(range.last.value) - BigInt(range.first.value) + 1n;
}

export function contains(range: AddressRange, address: IpAddress): boolean {
  return (
    address.family === range.first.family && address.value >= range.first.value && address.value <= range.last.value
  );
}

/** Whether the two have at least one address in common. */
export function overlaps(a: AddressRange, b: AddressRange): boolean {
  return a.first.family === b.first.family && a.first.value <= b.last.value && b.first.value <= a.last.value;
}

/** The addresses that both have, or undefined. */
export function intersection(a: AddressRange, b: AddressRange): AddressRange | undefined {
  if (!overlaps(a, b)) return undefined;
  return {
    first: compareAddresses(a.first, b.first) > 0 ? a.first : b.first,
    last: compareAddresses(a.last, b.last) < 0 ? a.last : b.last,
  };
}

/** The same addresses in ascending order (IPv4 first), with ranges that overlap or touch joined. */
export function mergeRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const merged: AddressRange[] = [];
  for (const range of [...ranges].sort((a, b) => compareAddresses(a.first, b.first))) {
    const previous = merged.at(-1);
    const touches =
      previous?.last.family === range.first.family && BigInt(range.first.value) <= BigInt(previous.last.value) + 1n;
    if (!previous || !touches) merged.push({ ...range });
    else if (compareAddresses(range.last, previous.last) > 0) previous.last = range.last;
  }
  return merged;
}

/** What is left of `ranges` without `without`, in ascending order. */
export function subtractRanges(ranges: readonly AddressRange[], without: readonly AddressRange[]): AddressRange[] {
  const holes = mergeRanges(without);
  const left: AddressRange[] = [];
  for (const range of mergeRanges(ranges)) {
    const { family } = range.first;
    let next = BigInt(range.first.value);
    for (const hole of holes) {
      if (!overlaps(hole, range)) continue;
      const before = BigInt(hole.first.value) - 1n;
      if (before >= next) left.push({ first: addressOf(family, next), last: addressOf(family, before) });
      next = BigInt(hole.last.value) + 1n;
    }
    if (next <= BigInt(range.last.value)) left.push({ first: addressOf(family, next), last: range.last });
  }
  return left;
}

/** Number of addresses in ranges that do not overlap. */
export function capacityOf(ranges: readonly AddressRange[]): bigint {
  return ranges.reduce((sum, range) => sum + size(range), 0n);
}

/** The block that the address belongs to with this prefix length. */
export function cidrOf(address: IpAddress, prefixLength: number): AddressRange {
  const hostMask = (1n << BigInt(addressBits(address.family) - prefixLength)) - 1n;
  const first = BigInt(address.value) & ~hostMask;
  return { first: addressOf(address.family, first), last: addressOf(address.family, first | hostMask) };
}

function parseCidr(text: string, slash: number): AddressRange {
  const address = parseAddress(text.slice(0, slash));
  const prefixLength = parsePrefixLength(text, text.slice(slash + 1), address.family);
  const range = cidrOf(address, prefixLength);
  if (range.first.value !== address.value) {
    throw new AddressError(
      `"${text}" does not begin at the start of its block; write ${formatRange(range)} for the whole block ` +
        `or ${formatAddress(address)}-${formatAddress(range.last)} for the part from that address on`,
    );
  }
  return range;
}

function parsePrefixLength(text: string, digits: string, family: Family): number {
  const bits = addressBits(family);
  const prefixLength = /^(0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(prefixLength <= bits)) {
    throw new AddressError(`"${text}": the prefix length is "${digits}", it has to be a number from 0 to ${bits}`);
  }
  return prefixLength;
}

function parseFirstLast(text: string, dash: number): AddressRange {
  const first = parseAddress(text.slice(0, dash).trim());
  const last = parseAddress(text.slice(dash + 1).trim());
  if (first.family !== last.family) {
    throw new AddressError(`"${text}" begins with an ${first.family} and ends with an ${last.family} address`);
  }
  if (compareAddresses(first, last) > 0) {
    throw new AddressError(`"${text}" ends before it begins; write ${formatAddress(last)}-${formatAddress(first)}`);
  }
  return { first, last };
}
