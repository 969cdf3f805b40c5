/** Waiting after failures: exponential, capped, with jitter so that many clients do not come back at once. Pure. */

export interface BackoffOptions {
  /** Wait after the first failure. */
  baseMs: number;
  maxMs: number;
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row (1 = first): between half and all of
 * `min(maxMs, baseMs * 2^(failures-1))`. Never less than half of the base: callers rely on it not to spin.
 * @param random in [0, 1)
 */
export function backoffMs(failures: number, { baseMs, maxMs }: BackoffOptions, random: () => number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return (ceiling / 2) * (1 + random());
}
