/** What the groups of this benchmark have in common: trials with a client that connects without a pause. */
import { setTimeout as sleep } from 'node:timers/promises';
import { steady, stopWhenSteady } from '@fairlead/cli';
import { type Lab, type LabNode, type ProbeReport, startProbe } from '@fairlead/lab';
import type { GroupContext } from '../groups.js';
import { judge, type Measurement, type Row } from '../row.js';
import { percentile } from '../statistics.js';

/** An attempt that took longer has failed. */
const CONNECT_TIMEOUT_MS = 200;
/** Before something happens. */
const SERVED_MS = 200;

export interface Target {
  lab: Lab;
  address: string;
  port: number;
}

/**
 * Lets something happen to the owner while the client connects, at any moment of `periodMs` with the same chance, and waits until the
 * client is served again. `event` resolves with the next owner, which is waited for.
 */
export async function trial(
  { lab, address, port }: Target,
  periodMs: number,
  event: () => Promise<unknown>,
): Promise<ProbeReport> {
  const probe = startProbe(lab.client, { address, port, timeoutMs: CONNECT_TIMEOUT_MS });
  await steady(probe, SERVED_MS);
  await sleep(Math.random() * periodMs);
  await event();
  return stopWhenSteady(probe, { connectTimeoutMs: CONNECT_TIMEOUT_MS });
}

/** Runs trials one after another and collects one number of each. */
export async function collect(
  context: GroupContext,
  what: string,
  once: () => Promise<{ value: number; detail: string }>,
): Promise<number[]> {
  const values: number[] = [];
  while (values.length < context.samples) {
    context.signal.throwIfAborted();
    const { value, detail } = await once();
    values.push(value);
    context.step(`${what}, trial ${values.length} of ${context.samples}: ${detail}`);
  }
  return values;
}

/** Outages of crashes, ms: the longest, which a limit is for, then the median, and the 90th percentile. */
export function outageRows(
  name: string,
  outages: readonly number[],
  limits: { max?: number; p50?: number } = {},
): Row[] {
  const row = (suffix: string, value: number, limit: number | undefined): Measurement => ({
    name: `${name}${suffix}`,
    value: Math.round(value),
    unit: 'ms',
    samples: outages,
    ...(limit === undefined ? {} : { limit }),
  });
  return [
    judge(row('', Math.max(...outages), limits.max)),
    judge(row('.p50', percentile(outages, 50), limits.p50)),
    judge(row('.p90', percentile(outages, 90), undefined)),
  ];
}

/** Of a crash: from the first attempt that failed to the last. */
export function outageOf({ outageMs }: ProbeReport, owner: LabNode): number {
  if (outageMs === null) throw new Error(`the client was not served again after the crash of ${owner.name}`);
  return outageMs;
}
