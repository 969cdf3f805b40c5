/**
 * For how long two stations answer ARP for a VIP at the same time, whatever happens to its owner but a partition of the network. An observer
 * asks every 10 ms, as nobody, and counts the questions for which the times of two answerers overlap.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ArpObserver } from '../../e2e/arp-observer.js';
import { overlapping } from '../../e2e/overlapping.js';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { CASES } from './cases.js';
import { collect } from './trials.js';
import { type Ground, withCluster } from './with-cluster.js';

const ASK_EVERY_MS = 10;
/** After the last thing that happens, for who might answer late. */
const AFTERWARDS_MS = 500;

export const rows: RowGroup = {
  name: 'two-owners',
  // Both engines at once, each in a data centre of its own: a trial waits most of the time.
  run: async (context) =>
    (await Promise.all([allCases(context, 'lease', ''), allCases(context, 'vrrp', '.vrrp')])).flat(),
};

/** One row an engine; `samples`: of all cases, in turn, as often each as was asked for. */
function allCases(context: GroupContext, election: 'lease' | 'vrrp', suffix: string): Promise<Row[]> {
  return withCluster(context, election, async (ground) => {
    const names = Object.keys(CASES);
    const samples = context.samples * names.length;
    let next = 0;
    const times = await collect({ ...context, samples }, `two owners, ${election}`, () =>
      once(ground, names[next++ % names.length]!),
    );
    const name = `failover.two-owners${suffix}`;
    return [judge({ name, value: Math.max(...times), unit: 'ms', samples: times, limit: 0 })];
  });
}

async function once(ground: Ground, name: string): Promise<{ value: number; detail: string }> {
  const { cluster, address } = ground;
  const owner = await cluster.owner();
  const observer = new ArpObserver(cluster.lab.client, address, ASK_EVERY_MS);
  try {
    await observer.answered();
    await CASES[name]!(ground, owner, observer);
    await observer.answered();
    await sleep(AFTERWARDS_MS);
    const value = overlapping(observer.answers) * ASK_EVERY_MS;
    const macs = new Set(observer.answers.map(({ mac }) => mac)).size;
    const detail = `${name}: ${owner.name}, ${observer.answers.length} answers of ${macs} stations, two at once for ${value} ms`;
    return { value, detail };
  } finally {
    observer.close();
  }
}
