/**
 * For how long two stations answer ARP for a VIP at the same time, whatever happens to its owner but a partition of the network. An observer
 * asks every 10 ms, as nobody, and counts the questions for which the times of two answerers overlap.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '@fairlead/lab';
import { type Answer, ArpObserver } from '../../e2e/arp-observer.js';
import type { Cluster } from '../../e2e/cluster.js';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { collect } from './trials.js';
import { annotate, type Ground, startAgain, withCluster } from './with-cluster.js';

const ASK_EVERY_MS = 10;
/** Longer than the default Lease. */
const LEASE_MS = 3_000;
/** After the last thing that happens, for who might answer late. */
const AFTERWARDS_MS = 500;

/** What happens, from a node owning to all being well again. */
type Case = (cluster: Cluster, owner: LabNode) => Promise<unknown>;

const CASES: Record<string, Case> = {
  drain: async (cluster, owner) => {
    await annotate(cluster, owner, '');
    await cluster.owner(owner);
    await annotate(cluster, owner, null);
  },
  sigterm: async (cluster, owner) => {
    cluster.speakers.get(owner.name)!.signal('SIGTERM');
    await cluster.owner(owner);
    await startAgain(cluster, owner);
  },
  sigkill: async (cluster, owner) => {
    cluster.speakers.get(owner.name)!.signal('SIGKILL');
    await cluster.owner(owner);
    await startAgain(cluster, owner);
  },
  freeze: async (cluster, owner) => {
    const speaker = cluster.speakers.get(owner.name)!;
    speaker.signal('SIGSTOP');
    await cluster.owner(owner);
    const yielded = cluster.said(owner, 'no longer owner');
    speaker.signal('SIGCONT');
    await yielded;
  },
  crash: async (cluster, owner) => {
    owner.crash();
    await cluster.owner(owner);
    await owner.powerOn();
    await startAgain(cluster, owner);
  },
  'api-outage': async (cluster) => {
    cluster.lab.apiServer!.signal('SIGSTOP');
    await sleep(LEASE_MS + 1_000);
    cluster.lab.apiServer!.signal('SIGCONT');
    await sleep(LEASE_MS);
  },
};

export const rows: RowGroup = {
  name: 'two-owners',
  run: async (context) => [...(await allCases(context, 'lease', '')), ...(await allCases(context, 'vrrp', '.vrrp'))],
};

/** One row an engine; `samples`: of all cases, in turn. */
function allCases(context: GroupContext, election: 'lease' | 'vrrp', suffix: string): Promise<Row[]> {
  return withCluster(context, election, async (ground) => {
    const names = Object.keys(CASES);
    let next = 0;
    const times = await collect(context, `two owners, ${election}`, () => once(ground, names[next++ % names.length]!));
    const name = `failover.two-owners${suffix}`;
    return [judge({ name, value: Math.max(...times), unit: 'ms', samples: times, limit: 0 })];
  });
}

async function once({ cluster, address }: Ground, name: string): Promise<{ value: number; detail: string }> {
  const owner = await cluster.owner();
  await cluster.served(address);
  const observer = new ArpObserver(cluster.lab.client, address, ASK_EVERY_MS);
  try {
    await observer.answered();
    await CASES[name]!(cluster, owner);
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

/** The longest overlap of any two answerers, in questions: from the later one's first answer to the earlier one's last. */
export function overlapping(answers: readonly Pick<Answer, 'mac' | 'question' | 'gratuitous'>[]): number {
  const spans = new Map<string, { first: number; last: number }>();
  for (const { mac, question, gratuitous } of answers) {
    if (gratuitous) continue;
    const span = spans.get(mac);
    if (span) span.last = question;
    else spans.set(mac, { first: question, last: question });
  }
  const all = [...spans.values()];
  const overlaps = all.flatMap((a, i) =>
    all.slice(i + 1).map((b) => Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1),
  );
  return Math.max(0, ...overlaps);
}
