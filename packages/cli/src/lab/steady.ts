/** Waiting until a client has been served without a failure for a while. */

import { type Probe, type ProbeReport, summarize } from '@fairlead/lab';

/** Fewer attempts than this say nothing about being steady, however slow the machine is. */
const FEWEST_ATTEMPTS = 20;

/** Resolves when every attempt of the probe's last `forMs` succeeded, counted from now on. */
export function steady(probe: Probe, forMs = 1_000, timeoutMs = 60_000): Promise<void> {
  const from = probe.attempts.length;
  return probe.until(
    `a client being served for ${forMs} ms without a failure`,
    (attempts) => {
      const last = attempts.at(-1);
      if (last === undefined || attempts.length - from < FEWEST_ATTEMPTS) return false;
      const lastFailure = attempts.slice(from).findLast(({ outcome }) => outcome !== 'connected');
      const since = lastFailure?.startMs ?? attempts[from]!.startMs;
      return last.startMs - since >= forMs;
    },
    timeoutMs,
  );
}

/**
 * Waits for the same, stops the probe, and sums up the attempts that were decided by then for certain: one that was under way when the
 * waiting ended, and fails, says nothing about what was waited for.
 */
export async function stopWhenSteady(
  probe: Probe,
  options: { connectTimeoutMs: number; forMs?: number; timeoutMs?: number },
): Promise<ProbeReport> {
  await steady(probe, options.forMs, options.timeoutMs);
  const decidedBefore = probe.attempts.at(-1)!.startMs - options.connectTimeoutMs;
  const { attempts, missed } = await probe.stop();
  return summarize(
    attempts.filter(({ startMs }) => startMs <= decidedBefore),
    missed,
  );
}
