/**
 * How long a failover hurts: the owner's node is crashed (links cut, every process killed) while a client opens a TCP connection
 * every 10 ms, over and over with the same cluster; crashed nodes are switched on again and return as standbys.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { steady, stopWhenSteady } from '@fairlead/cli';
import { startProbe } from '@fairlead/lab';
import { Cluster, PORT } from '../e2e/cluster.js';
import { type Bench, type BenchContext, UsageError } from './bench.js';
import { judge, type Row } from './row.js';
import { percentile } from './statistics.js';

const DEFAULT_TRIALS = 5;
/** What the default timing promises: a Lease of 3 s, and a second to notice, to write and to announce. */
const LIMIT_MS = 4_000;
const RENEW_PERIOD_MS = 1_000;
const CONNECT_TIMEOUT_MS = 200;

export const bench: Bench = {
  name: 'failover',
  title: `crash of the owner's node, election by Lease with default timing (--trials N, default ${DEFAULT_TRIALS})`,
  needs: 'root',
  run,
};

async function run(context: BenchContext): Promise<Row[]> {
  const trials = trialsFrom(context.args);
  context.step('building a data centre with Fairlead in it');
  const cluster = await Cluster.start('nftables');
  const stop = () => void cluster.stop();
  context.signal.addEventListener('abort', stop);
  try {
    await cluster.createPool('public', '10.77.0.200-10.77.0.215');
    await cluster.createService('web', 'public');
    const vip = await cluster.vipOf('web');
    const outages: number[] = [];
    while (outages.length < trials) {
      context.signal.throwIfAborted();
      const { owner, outageMs } = await crash(cluster, vip);
      outages.push(outageMs);
      context.step(`trial ${outages.length} of ${trials}: ${owner}, ${Math.round(outageMs)} ms`);
    }
    const row = (suffix: string, value: number) =>
      judge({
        name: `failover.lease.crash${suffix}`,
        value: Math.round(value),
        unit: 'ms',
        samples: outages,
        limit: LIMIT_MS,
      });
    return [row('', Math.max(...outages)), row('.p50', percentile(outages, 50)), row('.p90', percentile(outages, 90))];
  } finally {
    context.signal.removeEventListener('abort', stop);
    await cluster.stop();
  }
}

/** One failover; afterwards all nodes run again. */
async function crash(cluster: Cluster, vip: string): Promise<{ owner: string; outageMs: number }> {
  const owner = await cluster.owner();
  const probe = startProbe(cluster.lab.client, { address: vip, port: PORT, timeoutMs: CONNECT_TIMEOUT_MS });
  await steady(probe);
  // At any moment between two renewals with the same chance.
  await sleep(Math.random() * RENEW_PERIOD_MS);
  owner.crash();
  const next = await cluster.owner(owner);
  const { outageMs } = await stopWhenSteady(probe, { connectTimeoutMs: CONNECT_TIMEOUT_MS });
  if (outageMs === null) throw new Error(`the client was not served again after the crash of ${owner.name}`);
  await owner.powerOn();
  await cluster
    .startSpeaker(owner)
    .waitFor('it was ready', (line) => (line.includes('"ready"') ? true : undefined), 60_000);
  return { owner: `${owner.name} → ${next.name}`, outageMs };
}

function trialsFrom(args: readonly string[]): number {
  const index = args.indexOf('--trials');
  const trials = index < 0 ? DEFAULT_TRIALS : Number(args[index + 1]);
  if (!Number.isInteger(trials) || trials < 1) throw new UsageError('--trials takes a whole number from 1 on');
  return trials;
}
