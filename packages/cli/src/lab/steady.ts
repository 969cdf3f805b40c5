/** Waiting until a client has been served without a failure for a while. */

import { epochMs, type Probe, type ProbeReport, summarize } from '@fairlead/lab';

/** Fewer attempts than this say nothing about being steady, however slow the machine is. */
const FEWEST_ATTEMPTS = 20;
const STEADY_MS = 1_000;

/**
 * Resolves when every attempt of the probe's last `forMs` succeeded, of those that begin from now on: on a busy machine, what began earlier may be
 * heard of much later. Returns when the last of them began, ms since the epoch.
 */
export async function steady(probe: Probe, forMs = STEADY_MS, timeoutMs = 60_000): Promise<number> {
  const { length } = probe.attempts;
  const from = epochMs();
  let until = from;
  await probe.until(
    `a client being served for ${forMs} ms without a failure`,
    (attempts) => {
      const begun = attempts.slice(length).filter(({ startMs }) => startMs >= from);
      if (begun.length < FEWEST_ATTEMPTS) return false;
      until = begun.at(-1)!.startMs;
      const lastFailure = begun.findLast(({ outcome }) => outcome !== 'connected');
      return until - (lastFailure ?? begun[0]!).startMs >= forMs;
    },
    timeoutMs,
  );
  return until;
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
  const decidedBefore = (await steady(probe, forMs + connectTimeoutMs, timeoutMs)) - 2 * connectTimeoutMs;
  const { attempts, missed } = await probe.stop();
  return summarize(
    attempts.filter(({ startMs }) => startMs <= decidedBefore),
    missed,
  );
}
