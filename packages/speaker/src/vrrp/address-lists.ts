/**
 * Whether the routers of one virtual router name the same addresses. Where they do not, somebody has configured one of them wrong, and is told
 * (RFC 9568 §7.1); their advertisements count all the same.
 *
 * Fairlead's own speakers hear of a VIP at different times, and by multicast one of them may look like a stranger: the address it speaks from need
 * not be one of its Node's. So a difference is a fault when it lasts, whoever it is of.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */
import { decodeAddress } from '@fairlead/netlink';
import { MAX_ADDRESSES } from './advertisement.js';

/** Speakers that reach an API server agree long before. */
const LASTING_MS = 60_000;
/** A sender that says nothing for so many of its intervals begins anew. */
const GAP_INTERVALS = 10;
/** Senders that are remembered, each with a virtual router: anybody may make senders up. */
const MAX_SENDERS = 1_000;
/** Addresses that one message names, of each kind. */
const MAX_NAMED = 5;
/** fe80::/10 */
const LINK_LOCAL = /^fe[89ab].{29}$/;

/** Addresses as hexadecimal digits. */
export interface Difference {
  /** They have no address in common, so it is another virtual router of the same number. */
  apart: boolean;
  /** Theirs that are not ours. */
  besides: string[];
  /** Ours that are not theirs. */
  without: string[];
}

/** A difference that has lasted. */
export interface Mismatch extends Difference {
  /** Who advertises them. */
  from: string;
  virtualRouterId: number;
  /** Of ours. */
  name: string;
}

/**
 * undefined: there is none. Over IPv6 others name a link-local address first (RFC 9568 §5.2.9), which is no VIP; and who names as many as
 * Fairlead ever does may have more.
 */
export function differenceOf(theirs: readonly Uint8Array[], ours: ReadonlySet<string>): Difference | undefined {
  const named = new Set(theirs.map((address) => Buffer.from(address).toString('hex')));
  const besides = [...named].filter((digits) => !ours.has(digits));
  const apart = besides.length === named.size;
  const strange = besides.filter((digits) => !LINK_LOCAL.test(digits));
  const without = theirs.length < MAX_ADDRESSES ? [...ours].filter((digits) => !named.has(digits)) : [];
  return apart || strange.length + without.length > 0 ? { apart, besides: strange, without } : undefined;
}

/** How long which senders have differed. */
export class Differences {
  readonly #heard = new Map<string, { since: number; at: number }>();

  /** `sender` differs again, or for the first time; whether it has for so long that it is a fault. */
  lasts(sender: string, intervalMs: number, now: number): boolean {
    const before = this.#heard.get(sender);
    const goesOn = before !== undefined && now - before.at <= GAP_INTERVALS * intervalMs;
    const since = goesOn ? before.since : now;
    this.#heard.set(sender, { since, at: now });
    if (this.#heard.size > MAX_SENDERS) this.#heard.delete(this.#heard.keys().next().value!);
    return now - since >= LASTING_MS;
  }

  /** It names what we do. */
  over(sender: string): void {
    this.#heard.delete(sender);
  }
}

/** What is wrong, and what to do. */
export function mismatchText({ from, virtualRouterId, name, apart, besides, without }: Mismatch): string {
  if (apart) {
    return (
      `${from} advertises ${besides.length > 0 ? listed(besides) : 'no VIP'} by VRRP as virtual router ${virtualRouterId}, which is the number of ${name} here: ` +
      'on one LAN each needs a number of its own, so give that router another one'
    );
  }
  const differences = [
    ...(besides.length > 0 ? [`besides, ${listed(besides)}`] : []),
    ...(without.length > 0 ? [`not ${listed(without)}`] : []),
  ];
  return (
    `${from} advertises other addresses by VRRP for ${name} (virtual router ${virtualRouterId}) than this node has: ` +
    `${differences.join('; ')}. A speaker that does has not heard of a change of Services or pools; any other router needs the same ` +
    'addresses, or another number'
  );
}

function listed(addresses: readonly string[]): string {
  const named = addresses
    .slice(0, MAX_NAMED)
    .map((digits) => decodeAddress(Buffer.from(digits, 'hex'), digits.length === 8 ? 'ipv4' : 'ipv6'));
  const more = addresses.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
