/** Waiting until a client has been served without a failure for a while. */

import { type Probe, type ProbeReport, summarize } from '@fairlead/lab';

/** Fewer attempts than this say nothing about being steady, however slow the machine is. */
const FEWEST_ATTEMPTS = 20;
const STEADY_MS = 1_000;

/** Resolves when every attempt of the probe's last `forMs` succeeded, counted from now on. */
export function steady(probe: Probe, forMs = STEADY_MS, timeoutMs = 60_000): Promise<void> {
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
 * Waits for the same, and as long again as an attempt takes to fail; stops the probe, and sums up the attempts that were decided by then for
 * certain: one that was under way when the waiting ended, and fails, says nothing about what was waited for. A busy machine is late to find
 * that an attempt has failed, so twice its time counts.
 */
export async function stopWhenSteady(
  probe: Probe,
  { connectTimeoutMs, forMs = STEADY_MS, timeoutMs }: { connectTimeoutMs: number; forMs?: number; timeoutMs?: number },
): Promise<ProbeReport> {
  await steady(probe, forMs + connectTimeoutMs, timeoutMs);
  const decidedBefore = probe.attempts.at(-1)!.startMs - 2 * connectTimeoutMs;
  const { attempts, missed } = await probe.stop();
  return summarize(
    attempts.filter(({ startMs }) => startMs <= decidedBefore),
    missed,
  );
}
