/**
 * From the AddressPool object to what can be computed with. The API server checks the same rules as far as a schema can;
 * the texts here are for those who have an older CRD, and for what no schema can express (ranges, overlaps).
 */

import { compareAddresses } from './address.js';
import {
  DEFAULT_VIRTUAL_ROUTERS,
  MAX_ADDRESS_ENTRIES,
  MAX_POOL_NAME_LENGTH,
  MAX_VIRTUAL_ROUTERS,
} from './address-pool.js';
import { reasons } from './names.js';
import type { AddressRange } from './range.js';
import { formatRange, intersection, mergeRanges, overlaps, parseRange, size } from './range.js';

export interface ParsedPool {
  name: string;
  /** In ascending order (IPv4 first), without overlap. */
  ranges: AddressRange[];
  /** The same as canonical text, in the order of `ranges`. */
  addresses: string[];
  autoAssign: boolean;
  virtualRouters: number;
  generation: number;
  /** metadata.creationTimestamp (RFC 3339, seconds), '' when not yet created. */
  createdAt: string;
}

export type ParsePoolResult = { ok: true; pool: ParsedPool } | { ok: false; reason: string; message: string };

/** Parses `spec`. A failure's message says what, where, why, and what to do. Never throws. */
export function parseAddressPool(object: unknown): ParsePoolResult {
  const metadata = asRecord(asRecord(object)?.metadata) ?? {};
  const spec = asRecord(asRecord(object)?.spec);
  if (typeof metadata.name !== 'string' || metadata.name === '')
    return invalid('metadata.name is missing; name the pool');
  if (metadata.name.length > MAX_POOL_NAME_LENGTH) {
    return invalid(
      `metadata.name has ${metadata.name.length} characters; virtual routers are labelled with it, ` +
        `so use a name of at most ${MAX_POOL_NAME_LENGTH}`,
    );
  }
  if (!spec) return invalid('spec is missing; add spec.addresses with at least one CIDR or range');
  const { autoAssign = true, virtualRouters = DEFAULT_VIRTUAL_ROUTERS } = spec;
  if (typeof autoAssign !== 'boolean') {
    return invalid(`spec.autoAssign is ${show(autoAssign)}; write true or false without quotes`);
  }
  if (!isVirtualRouterCount(virtualRouters)) {
    return invalid(
      `spec.virtualRouters is ${show(virtualRouters)}; write a whole number from 1 to ${MAX_VIRTUAL_ROUTERS}, ` +
        `or leave it out for ${DEFAULT_VIRTUAL_ROUTERS}`,
    );
  }
  const parsed = parseAddresses(spec.addresses);
  if (!parsed.ok) return parsed;
  return { ok: true, pool: parsedPool(metadata, parsed.ranges, { autoAssign, virtualRouters }) };
}

function parsedPool(
  metadata: Record<string, unknown>,
  ranges: AddressRange[],
  settings: Pick<ParsedPool, 'autoAssign' | 'virtualRouters'>,
): ParsedPool {
  return {
    name: String(metadata.name),
    ranges,
    addresses: ranges.map(formatRange),
    ...settings,
    generation: typeof metadata.generation === 'number' ? metadata.generation : 0,
    createdAt: typeof metadata.creationTimestamp === 'string' ? metadata.creationTimestamp : '',
  };
}

/**
 * The pool as speakers have to serve it: what the controller has put into status.inEffect (addresses that drain
 * included), and the spec itself as long as no controller has looked at the pool. Undefined when there is nothing.
 */
export function poolInEffect(object: unknown): ParsedPool | undefined {
  const record = asRecord(object);
  const inEffect = asRecord(asRecord(record?.status)?.inEffect);
  if (!inEffect) {
    const parsed = parseAddressPool(object);
    return parsed.ok ? parsed.pool : undefined;
  }
  const ranges = mergeRanges([...readRanges(inEffect.addresses), ...readRanges(inEffect.draining)]);
  const name = asRecord(record?.metadata)?.name;
  const spec = asRecord(record?.spec);
  if (ranges.length === 0 || typeof name !== 'string') return undefined;
  return parsedPool(asRecord(record?.metadata) ?? {}, ranges, {
    autoAssign: spec?.autoAssign !== false,
    virtualRouters: isVirtualRouterCount(inEffect.virtualRouters) ? inEffect.virtualRouters : DEFAULT_VIRTUAL_ROUTERS,
  });
}

/** Ranges as the controller wrote them into a status. What cannot be read (edited by hand) is left out. */
export function readRanges(texts: unknown): AddressRange[] {
  if (!Array.isArray(texts)) return [];
  return texts.flatMap((text) => {
    try {
      return [parseRange(String(text))];
    } catch {
      return [];
    }
  });
}

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

type ParseAddressesResult = { ok: true; ranges: AddressRange[] } | { ok: false; reason: string; message: string };

function parseAddresses(addresses: unknown): ParseAddressesResult {
  if (!Array.isArray(addresses) || addresses.length === 0) {
    return invalid(
      'spec.addresses is empty; list at least one CIDR or range, such as 192.0.2.0/28 or 192.0.2.10-192.0.2.20',
    );
  }
  if (addresses.length > MAX_ADDRESS_ENTRIES) {
    return invalid(
      `spec.addresses has ${addresses.length} entries, at most ${MAX_ADDRESS_ENTRIES} are allowed; ` +
        'join neighbouring ones or make a second pool',
    );
  }
  const entries: { where: string; range: AddressRange }[] = [];
  for (const [index, text] of addresses.entries()) {
    const where = `spec.addresses[${index}]`;
    if (typeof text !== 'string') return invalid(`${where} is ${show(text)}; write a CIDR or range as text`);
    let range: AddressRange;
    try {
      range = parseRange(text);
    } catch (error) {
      return invalidAddresses(`${where}: ${(error as Error).message}`);
    }
    const unusable = UNUSABLE.find(([, other]) => overlaps(range, other));
    if (unusable) {
      return invalidAddresses(
        `${where} "${text}" includes ${unusable[0]}, which cannot be an external address; leave that part out`,
      );
    }
    entries.push({ where: `${where} "${text}"`, range });
  }
  entries.sort((a, b) => compareAddresses(a.range.first, b.range.first));
  for (const [index, entry] of entries.entries()) {
    const previous = entries[index - 1];
    const shared = previous && intersection(previous.range, entry.range);
    if (shared) {
      return invalidAddresses(
        `${previous.where} and ${entry.where} both have ${formatRange(shared)}; list each address once`,
      );
    }
  }
  return { ok: true, ranges: entries.map((entry) => entry.range) };
}

/** Number of addresses of one pool (or, with a filter, of one family). */
export function capacityOf(ranges: readonly AddressRange[]): bigint {
  return ranges.reduce((sum, range) => sum + size(range), 0n);
}

function isVirtualRouterCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_VIRTUAL_ROUTERS;
}

function invalid(message: string): { ok: false; reason: string; message: string } {
  return { ok: false, reason: reasons.invalidSpec, message };
}

function invalidAddresses(message: string): { ok: false; reason: string; message: string } {
  return { ok: false, reason: reasons.invalidAddresses, message };
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
