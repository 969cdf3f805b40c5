/**
 * Leader election on `coordination.k8s.io/v1` Leases, safe against clock skew, lost replies and frozen processes.
 *
 * ## Why there are never two leaders
 * Let D be the lease duration, and m the margin.
 * 1. Every write replaces one version of the Lease (compare-and-swap on resourceVersion), so the versions form one
 *    line, and each has one holder.
 * 2. A holder leads only while less than D - m has passed, on its own monotonic clock, since it *sent* the last write
 *    that it knows to have succeeded. `isLeader()` looks at the clock each time, so a process that was frozen finds
 *    itself without leadership before it can act. A reply that comes late counts from when its request was sent.
 * 3. Anybody else writes itself into the Lease only when it has not seen a new version for D, on its own monotonic
 *    clock, counted from when it *received* the last one, and the write succeeds only if that still is the version.
 * 4. A version cannot be received before the write that made it was sent. So the wait of (3) ends at least m later than
 *    the leadership of (2), provided that no two clocks drift apart by more than m within D (10 %, by default; real ones:
 *    0.01 %). What time the clocks show, and what they say in the Lease, is never compared between machines.
 * 5. A Lease is released only after 'lost' has returned: withdraw first, release second. When a listener of 'lost'
 *    throws, the Lease is left to expire.
 * The monotonic clock stops while a machine is suspended; therefore a term ends also when the wall clock has moved on
 * by as much. (Setting the wall clock forward by more than the term costs leadership for a moment, no more.)
 *
 * Not covered: an operator who edits the holder or deletes the Lease while its holder is alive (contenders that knew the
 * holder wait for its expiry nevertheless), and two living contenders with the same identity.
 *
 * ## Why there is a leader again soon
 * After a release: at once, for the first candidate in order of `startDelayMs`. After a crash: D after its last renewal was
 * seen, and one read and one write. A conflict leads to a new look at once, a failure to another attempt after
 * retryPeriodMs. When the server has not answered for longer than a Lease lasts, a holder that lives on keeps it: the others leave it the
 * time of an attempt (requestTimeoutMs + 2 * retryPeriodMs) from when they get an answer.
 */
export { type Decision, decide } from './decide.js';
export type { LeaseObject, LeaseSpec } from './lease.js';
export {
  type Attempt,
  type Clock,
  type LeaseClient,
  LeaseLock,
  type LeaseLockEvents,
  type LeaseLockOptions,
  type Timers,
} from './lease-lock.js';
export { LeaseLockError, type LeaseLockErrorCode } from './options.js';
export type { Config, Effect, Input, Moment, Outcome, Purpose, Request, Seen, State, Term } from './state.js';
