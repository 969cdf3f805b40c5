/** From single connection attempts to what a client suffered; pure. */

/** One TCP connection attempt. */
export interface ProbeAttempt {
  /** When it was started, epoch ms (with fractions). */
  startMs: number;
  /** How long it took to succeed or fail, ms. */
  durationMs: number;
  /** `connected`, `timeout`, or the errno name (`ECONNREFUSED`, `EHOSTUNREACH`, ...). */
  outcome: string;
}

/** A run of failed attempts. */
export interface Outage {
  /** Start of its first failed attempt, epoch ms. */
  startMs: number;
  /** Start of the first successful attempt after it, epoch ms; null: it had not ended when the probe stopped. */
  endMs: number | null;
}

export interface ProbeReport {
  /** Attempts made, in the order of their start. */
  attempts: ProbeAttempt[];
  failures: number;
  /** Attempts that the schedule asked for and that the prober was too late for (its machine was busy). */
  missed: number;
  outages: Outage[];
  /**
   * From the start of the first failed attempt to the start of the first successful attempt after which none fails;
   * 0 when none failed, null when the last attempt failed too.
   */
  outageMs: number | null;
}

/** Sums up attempts, in any order. */
export function summarize(unordered: readonly ProbeAttempt[], missed = 0): ProbeReport {
  const attempts = [...unordered].sort((a, b) => a.startMs - b.startMs);
  const outages: Outage[] = [];
  let failures = 0;
  for (const { startMs, outcome } of attempts) {
    const open = outages.at(-1)?.endMs === null ? outages.at(-1) : undefined;
    if (outcome !== 'connected') {
      failures += 1;
      if (open === undefined) outages.push({ startMs, endMs: null });
    } else if (open !== undefined) {
      open.endMs = startMs;
    }
  }
  const first = outages[0];
  const last = outages.at(-1);
  const outageMs =
    first === undefined || last === undefined ? 0 : last.endMs === null ? null : last.endMs - first.startMs;
  return { attempts, failures, missed, outages, outageMs };
}
