/** spec.addresses with everything that is taken off again: excludeAddresses, the ends of subnets, .0 and .255. */

import { addressOf, compareAddresses } from '../addresses/address.js';
import type { AddressRange } from '../addresses/range.js';
import {
  formatRange,
  intersection,
  overlaps,
  parseRange,
  parseRangeOrAddress,
  subtractRanges,
} from '../addresses/range.js';
import { reasons } from '../names.js';
import { MAX_ADDRESS_ENTRIES, MAX_EXCLUDE_ENTRIES, MAX_LIST_ENTRIES } from './address-pool.js';
import { type AddressSpace, spaceCapacity } from './address-space.js';
import { booleanOf, type Fields, invalid, optional, Refusal, show } from './refusal.js';

/** Ranges that no client could reach as a VIP. */
const UNUSABLE: readonly [string, AddressRange][] = (
  [
    ['0.0.0.0/8', 'the unspecified network'],
    ['127.0.0.0/8', 'loopback'],
    ['224.0.0.0/4', 'multicast'],
    ['255.255.255.255/32', 'the broadcast address'],
    ['::/128', 'the unspecified address'],
    ['::1/128', 'loopback'],
    ['::ffff:0.0.0.0/96', 'IPv4 addresses mapped into IPv6'],
    ['fe80::/10', 'link-local'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([text, what]) => [`${what} (${text})`, parseRange(text)]);

/** Throws Refusal. */
export function parseSpace(spec: Fields): AddressSpace {
  const listed = listedRanges(spec);
  const excluded = rangesOf(spec, 'excludeAddresses', MAX_EXCLUDE_ENTRIES, parseRangeOrAddress);
  const subnets = rangesOf(spec, 'subnets', MAX_LIST_ENTRIES, parseSubnet);
  const ranges = subtractRanges(listed, [...excluded, ...subnets.flatMap(unusableEnds)]);
  const space = {
    // Without anything to take off, entries stay as they were written: neighbours are not joined.
    ranges: excluded.length + subnets.length > 0 ? ranges : listed,
    avoidBuggyAddresses: booleanOf(spec, 'avoidBuggyAddresses', false),
  };
  if (spaceCapacity(space, 'ipv4') + spaceCapacity(space, 'ipv6') === 0n) {
    throw new Refusal(
      reasons.empty,
      `nothing is left of spec.addresses (${listed.map(formatRange).join(', ')}) without ${takenOff(spec)}; ` +
        'list more addresses, or take less off',
    );
  }
  return space;
}

function takenOff(spec: Fields): string {
  const names = ['excludeAddresses', 'subnets', 'avoidBuggyAddresses'].filter((name) => optional(spec, name));
  return names.map((name) => `spec.${name}`).join(' and ');
}

function listedRanges(spec: Fields): AddressRange[] {
  const texts = optional(spec, 'addresses');
  if (!Array.isArray(texts) || texts.length === 0) {
    throw invalid(
      'spec.addresses is empty; list at least one CIDR or range, such as 192.0.2.0/28 or 192.0.2.10-192.0.2.20',
    );
  }
  if (texts.length > MAX_ADDRESS_ENTRIES) {
    throw invalid(
      `spec.addresses has ${texts.length} entries, at most ${MAX_ADDRESS_ENTRIES} are allowed; ` +
        'join neighbouring ones or make a second pool',
    );
  }
  const entries = texts.map((text, index) => {
    const where = `spec.addresses[${index}]`;
    const range = rangeOf(text, where, parseRange);
    const unusable = UNUSABLE.find(([, other]) => overlaps(range, other));
    if (unusable) {
      throw bad(`${where} "${text}" includes ${unusable[0]}, which cannot be an external address; leave that part out`);
    }
    return { where: `${where} "${text}"`, range };
  });
  entries.sort((a, b) => compareAddresses(a.range.first, b.range.first));
  for (const [index, entry] of entries.entries()) {
    const previous = entries[index - 1];
    const shared = previous && intersection(previous.range, entry.range);
    if (shared) {
      throw bad(`${previous.where} and ${entry.where} both have ${formatRange(shared)}; list each address once`);
    }
  }
  return entries.map((entry) => entry.range);
}

/** The ranges of a list that may be absent, in the order written. */
function rangesOf(spec: Fields, name: string, max: number, parse: (text: string) => AddressRange): AddressRange[] {
  const texts = optional(spec, name) ?? [];
  if (!Array.isArray(texts)) throw invalid(`spec.${name} is ${show(texts)}; write a list`);
  if (texts.length > max) throw invalid(`spec.${name} has ${texts.length} entries, at most ${max} are allowed`);
  return texts.map((text, index) => rangeOf(text, `spec.${name}[${index}]`, parse));
}

function rangeOf(text: unknown, where: string, parse: (text: string) => AddressRange): AddressRange {
  if (typeof text !== 'string') throw invalid(`${where} is ${show(text)}; write a CIDR or range as text`);
  try {
    return parse(text);
  } catch (error) {
    throw bad(`${where}: ${(error as Error).message}`);
  }
}

function parseSubnet(text: string): AddressRange {
  if (!text.includes('/')) throw new Error(`"${text}" is not a subnet; write it as a CIDR, such as 192.0.2.0/24`);
  return parseRange(text);
}

/**
 * What no host of a subnet may have: network and broadcast address (a /31 has neither, RFC 3021), and the subnet-router
 * anycast address of IPv6 (RFC 4291 §2.6.1; a /127 has none, RFC 6164).
 */
function unusableEnds({ first, last }: AddressRange): AddressRange[] {
  if (BigInt(last.value) - BigInt(first.value) < 2n) return [];
  const ends = first.family === 'ipv4' ? [first.value, last.value] : [first.value];
  return ends.map((value) => addressOf(first.family, BigInt(value))).map((end) => ({ first: end, last: end }));
}

function bad(message: string): Refusal {
  return new Refusal(reasons.invalidAddresses, message);
}
