/** Times that fit together: defaults and their relations. */
import type { Config } from './state.js';

export type LeaseLockErrorCode =
  /** The options contradict each other. */
  | 'FL_LEASE_OPTIONS'
  /** The reason of the signal given with 'acquired'. */
  | 'FL_LEASE_LOST';

export class LeaseLockError extends Error {
  override readonly name = 'LeaseLockError';

  constructor(
    message: string,
    readonly code: LeaseLockErrorCode = 'FL_LEASE_OPTIONS',
  ) {
    super(message);
  }
}

export interface TimingOptions {
  leaseDurationMs?: number;
  renewDeadlineMs?: number;
  marginMs?: number;
  renewPeriodMs?: number;
  retryPeriodMs?: number;
  requestTimeoutMs?: number;
}

type Timing = Pick<Config, 'leaseDurationMs' | 'termMs' | 'renewPeriodMs' | 'retryPeriodMs' | 'requestTimeoutMs'>;

/**
 * Defaults are for 15 s: renewal every 5 s, term 13.5 s, retry after 2 s. With 3 s: 1 s, 2.7 s, 0.4 s.
 * @throws LeaseLockError FL_LEASE_OPTIONS
 */
export function timing(options: TimingOptions): Timing {
  const leaseDurationMs = options.leaseDurationMs ?? 15_000;
  const marginMs = options.marginMs ?? leaseDurationMs / 10;
  const termMs = Math.min(options.renewDeadlineMs ?? Number.POSITIVE_INFINITY, leaseDurationMs - marginMs);
  const renewPeriodMs = options.renewPeriodMs ?? leaseDurationMs / 3;
  const retryPeriodMs = options.retryPeriodMs ?? (leaseDurationMs * 2) / 15;
  // Leaves time for a second attempt when the first one of a round is never answered.
  const requestTimeoutMs = options.requestTimeoutMs ?? (termMs - renewPeriodMs) / 2;
  const rules: [boolean, string][] = [
    [leaseDurationMs >= 1_000, `leaseDurationMs ${leaseDurationMs} must be at least 1000: a Lease counts in seconds`],
    [marginMs > 0, `marginMs ${marginMs} must be above 0: clocks do not run exactly alike`],
    [retryPeriodMs > 0, `retryPeriodMs ${retryPeriodMs} must be above 0`],
    [renewPeriodMs > 0, `renewPeriodMs ${renewPeriodMs} must be above 0`],
    [
      renewPeriodMs + retryPeriodMs < termMs,
      `renewPeriodMs ${renewPeriodMs} + retryPeriodMs ${retryPeriodMs} must be below ${termMs}, ` +
        'which is the lease duration less its margin, or the renew deadline: else one failed renewal loses the Lease',
    ],
    [requestTimeoutMs > 0, `requestTimeoutMs ${requestTimeoutMs} must be above 0`],
  ];
  for (const [holds, message] of rules) if (!holds) throw new LeaseLockError(message);
  return { leaseDurationMs, termMs, renewPeriodMs, retryPeriodMs, requestTimeoutMs };
}
