/**
 * IP addresses as numbers: u32 for IPv4, BigInt for IPv6. Parsing is strict on purpose: libraries that read `010.1.1.1`
 * as octal or `10.1` as 10.0.0.1 would put addresses into a pool that its owner never wrote down.
 */

export type Family = 'ipv4' | 'ipv6';

/** One address. `value` is in host order: `10.0.0.1` is 0x0a000001, `::1` is 1n. */
export type IpAddress = { family: 'ipv4'; value: number } | { family: 'ipv6'; value: bigint };

/** Text that is not an address, CIDR or range. The message says which text and what is wrong with it. */
export class AddressError extends Error {
  readonly code = 'FL_BAD_ADDRESS';
  override readonly name = 'AddressError';
}

/**
 * Parses one address in its full text form. IPv4: four decimal numbers without leading zeros. IPv6: RFC 4291 §2.2, in
 * any of its three forms, without zone. No white space. Throws AddressError.
 */
export function parseAddress(text: string): IpAddress {
  return text.includes(':')
    ? { family: 'ipv6', value: parseIpv6(text, text) }
    : { family: 'ipv4', value: parseIpv4(text, text) };
}

/** As parseAddress; undefined where that throws. */
export function readAddress(text: string): IpAddress | undefined {
  try {
    return parseAddress(text);
  } catch {
    return undefined;
  }
}

/** Whether `parseAddress` accepts the text. */
export function isAddress(text: string): boolean {
  return readAddress(text) !== undefined;
}

/** Canonical text: dotted decimal, or RFC 5952 (lower case, longest run of zeros shortened, `::ffff:a.b.c.d`). */
export function formatAddress(address: IpAddress): string {
  return address.family === 'ipv4' ? formatIpv4(address.value) : formatIpv6(address.value);
}

/** Order over all addresses: every IPv4 before every IPv6, numeric within a family. Negative, 0 or positive. */
export function compareAddresses(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family === 'ipv4' ? -1 : 1;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

/** The address with this numeric value. Throws RangeError when the family has no such address. */
export function addressOf(family: Family, value: bigint): IpAddress {
  if (value < 0n || value >> BigInt(addressBits(family)) !== 0n) {
    throw new RangeError(`${value} is not the number of an ${family} address`);
  }
  return family === 'ipv4' ? { family, value: Number(value) } : { family, value };
}

/** 32 or 128. */
export function addressBits(family: Family): number {
  return family === 'ipv4' ? 32 : 128;
}

function parseIpv4(text: string, whole: string): number {
  const parts = text.split('.');
  if (parts.length !== 4) throw bad(whole, 'an IPv4 address has four decimal numbers, as in 192.0.2.10');
  let value = 0;
  for (const part of parts) {
    if (!/^\d+$/.test(part)) throw bad(whole, `"${part}" is not a decimal number`);
    if (part.length > 1 && part[0] === '0') throw bad(whole, `"${part}" has a leading zero`);
    if (part.length > 3 || Number(part) > 255) throw bad(whole, `${part} is greater than 255`);
    value = value * 256 + Number(part);
  }
  return value;
}

function parseIpv6(text: string, whole: string): bigint {
  if (text.includes('%')) throw bad(whole, 'an address with a zone is not usable here');
  const halves = text.split('::');
  if (halves.length > 2) throw bad(whole, '"::" may occur once');
  const head = parseGroups(halves[0]!, whole, halves.length === 1);
  if (halves.length === 1) {
    if (head.length !== 8) throw bad(whole, `it has ${head.length} groups, an IPv6 address has 8`);
    return joinGroups(head);
  }
  const tail = parseGroups(halves[1]!, whole, true);
  const missing = 8 - head.length - tail.length;
  if (missing < 1) throw bad(whole, '"::" stands for at least one group, and there is none left');
  return joinGroups([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

/** Groups of one side of "::". Only the last group of an address may be a dotted IPv4 address, which counts as two. */
function parseGroups(text: string, whole: string, isEnd: boolean): number[] {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  parts.forEach((part, index) => {
    if (part.includes('.') && isEnd && index === parts.length - 1) {
      const v4 = parseIpv4(part, whole);
      groups.push(v4 >>> 16, v4 & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      throw bad(whole, part === '' ? 'a group is empty' : `"${part}" is not a group of one to four hex digits`);
    }
  });
  if (groups.length > 8) throw bad(whole, `it has ${groups.length} groups, an IPv6 address has 8`);
  return groups;
}

function joinGroups(groups: number[]): bigint {
  // Two numbers of 48 bits (exact as doubles) and one of 32: three BigInt operations instead of eight.
  const high = groups[0]! * 2 ** 32 + groups[1]! * 2 ** 16 + groups[2]!;
  const middle = groups[3]! * 2 ** 32 + groups[4]! * 2 ** 16 + groups[5]!;
  const low = groups[6]! * 2 ** 16 + groups[7]!;
  return (BigInt(high) << 80n) | (BigInt(middle) << 32n) | BigInt(low);
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function formatIpv6(value: bigint): string {
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(Number(value & 0xffffffffn))}`; // RFC 5952 §5
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((value >> shift) & 0xffffn));
  const run = longestZeroRun(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups); // RFC 5952 §4.2.2: a single zero group is not shortened
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

/** The first of the longest runs (RFC 5952 §4.2.3). */
function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = -1;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) {
      if (start < 0) start = index;
    } else if (start >= 0) {
      if (index - start > best.length) best = { start, length: index - start };
      start = -1;
    }
  }
  return best;
}

function bad(text: string, why: string): AddressError {
  return new AddressError(`"${text}" is not an IP address: ${why}`);
}
