/** Questions that the state answers. Pure. */
import { durationOf, holderOf } from './lease.js';
import type { Config, Moment, Seen, Term } from './state.js';

/**
 * Is the term over? Time passed is what the clock shows that ran further: the monotonic one stands still while the
 * machine is suspended, the wall clock may be set back.
 */
export function hasPassed(config: Config, term: Term, { now, wallNow }: Pick<Moment, 'now' | 'wallNow'>): boolean {
  return Math.max(now - term.sentAt, wallNow - term.wallSentAt) >= config.termMs;
}

/** From when on others may take the Lease that was seen; at once, when it is nobody's or our own. */
export function expiryOf(config: Config, seen: Seen & { kind: 'present' }): number {
  const holder = holderOf(seen.lease);
  if (holder === undefined || holder === config.identity) return seen.observedAt;
  return seen.observedAt + durationOf(seen.lease, config.leaseDurationMs);
}

/** When to renew a term: a renew period later at the latest. */
export function renewalOf({ renewPeriodMs, inStep }: Config, { sentAt }: Term): number {
  const due = sentAt + renewPeriodMs;
  return inStep ? due - (due % renewPeriodMs) : due;
}

export function seenVersion(seen: Seen): string | undefined {
  return seen.kind === 'present' ? seen.lease.metadata?.resourceVersion : undefined;
}

export function seenHolder(seen: Seen): string | undefined {
  return seen.kind === 'present' ? holderOf(seen.lease) : undefined;
}
