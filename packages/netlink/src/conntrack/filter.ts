/**
 * Filters of connections. The kernel compares as much as it can (Linux 5.8; earlier ones ignore CTA_FILTER), and what
 * comes is compared once more here.
 */
import { type Encoder, NLA_F_NESTED } from '../attribute.js';
import { checkInteger } from '../check.js';
import { decodeAddress, encodeAddress, familyOf } from '../ip.js';
import { entryAttributes as a, filterAttributes } from './constants.js';
import { protocolNumber, putTupleFilter } from './tuple.js';
import type { ConntrackEntry, ConntrackFilter, ConntrackTuple, ConntrackTupleFilter } from './types.js';

/** A filter whose parts fit each other, with addresses in canonical form. */
export interface CheckedFilter extends Omit<ConntrackFilter, 'protocol'> {
  protocol?: number;
  original: ConntrackTupleFilter;
  reply: ConntrackTupleFilter;
}

/** Throws TypeError or RangeError for what can never hold. */
export function checkFilter(filter: ConntrackFilter): CheckedFilter {
  const { protocol, mark } = filter;
  const original = checkTuple(filter.original ?? {}, protocol !== undefined);
  const reply = checkTuple(filter.reply ?? {}, protocol !== undefined);
  const families = new Set(
    [original.source, original.destination, reply.source, reply.destination]
      .filter((address) => address !== undefined)
      .map(familyOf),
  );
  if (filter.family) families.add(filter.family);
  if (families.size > 1) throw new TypeError('a filter of connections mixes IPv4 and IPv6: use one for each');
  if (mark) {
    checkInteger(mark.value, 0, 0xffffffff, () => 'mark');
    checkInteger(mark.mask ?? 0xffffffff, 0, 0xffffffff, () => 'mask of the mark');
  }
  const [family] = families;
  return {
    ...(family ? { family } : {}),
    ...(protocol === undefined ? {} : { protocol: protocolNumber(protocol) }),
    ...(mark ? { mark } : {}),
    original,
    reply,
  };
}

function checkTuple(filter: ConntrackTupleFilter, hasProtocol: boolean): ConntrackTupleFilter {
  const checked: ConntrackTupleFilter = {};
  for (const name of ['source', 'destination'] as const) {
    const address = filter[name];
    if (address === undefined) continue;
    const family = familyOf(address);
    checked[name] = decodeAddress(encodeAddress(address), family);
  }
  for (const name of ['sourcePort', 'destinationPort'] as const) {
    const port = filter[name];
    if (port === undefined) continue;
    if (!hasProtocol) throw new TypeError('a filter of connections with a port needs the protocol');
    checkInteger(port, 0, 0xffff, () => name);
    checked[name] = port;
  }
  return checked;
}

export function isEmpty({ family, protocol, mark, original, reply }: CheckedFilter): boolean {
  const given = [family, protocol, mark, ...Object.values(original), ...Object.values(reply)];
  return given.every((value) => value === undefined);
}

/** What the kernel shall compare. It compares tuples within one family only. */
export function putFilter(encoder: Encoder, filter: CheckedFilter): void {
  const { family, protocol, mark, original, reply } = filter;
  if (mark) encoder.u32be(a.mark, mark.value).u32be(a.markMask, mark.mask ?? 0xffffffff);
  if (!family) return;
  const originalBits = putTupleFilter(encoder, a.original, original, { family, protocol });
  // Both directions of a connection have the same protocol: it is compared once, unless ports need it.
  const ports = reply.sourcePort !== undefined || reply.destinationPort !== undefined;
  const replyBits = putTupleFilter(encoder, a.reply, reply, { family, protocol: ports ? protocol : undefined });
  encoder.nest(a.filter | NLA_F_NESTED, () =>
    // In host order, unlike all else.
    encoder.u32(filterAttributes.original, originalBits).u32(filterAttributes.reply, replyBits),
  );
}

export function matches(filter: CheckedFilter, entry: ConntrackEntry): boolean {
  const { family, protocol, mark } = filter;
  return (
    (family === undefined || entry.family === family) &&
    (protocol === undefined || protocolNumber(entry.original.protocol) === protocol) &&
    (!mark || ((entry.mark ^ mark.value) & (mark.mask ?? 0xffffffff)) === 0) &&
    matchesTuple(filter.original, entry.original) &&
    matchesTuple(filter.reply, entry.reply)
  );
}

function matchesTuple(filter: ConntrackTupleFilter, tuple: ConntrackTuple): boolean {
  return (Object.keys(filter) as (keyof ConntrackTupleFilter)[]).every((name) => filter[name] === tuple[name]);
}

/** For errors: `udp 10.0.0.1:53, answers from 10.0.0.2`. */
export function describeFilter({ family, protocol, mark, original, reply }: ConntrackFilter): string {
  const end = (address = '*', port: number | string = '*') => `${address}:${port}`;
  const tuple = (name: string, part: ConntrackTupleFilter | undefined) =>
    part && Object.keys(part).length > 0
      ? [`${name} ${end(part.source, part.sourcePort)} to ${end(part.destination, part.destinationPort)}`]
      : [];
  const parts = [
    ...(family ? [family] : []),
    ...(protocol === undefined ? [] : [String(protocol)]),
    ...tuple('original', original),
    ...tuple('reply', reply),
    ...(mark ? [`mark ${mark.value}/${mark.mask ?? 0xffffffff}`] : []),
  ];
  return parts.join(', ') || 'all';
}
