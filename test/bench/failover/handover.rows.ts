/**
 * Connects that fail while a VIP changes hands and its former owner's kernel lives: the node is drained, or the speaker told to stop, or killed.
 * With either engine. The client knows the owner's hardware address, as one that connects every 10 ms does.
 */
import type { LabNode } from '@fairlead/lab';
import type { Cluster } from '../../e2e/cluster.js';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { collect, trial } from './trials.js';
import { annotate, type Ground, startAgain, withCluster } from './with-cluster.js';

const RENEW_PERIOD_MS = 1_000;

/** A way to make an owner hand over, and back to being a standby. */
interface Way {
  name: string;
  begin(cluster: Cluster, owner: LabNode): Promise<unknown>;
  end(cluster: Cluster, owner: LabNode): Promise<unknown>;
}

const WAYS: readonly Way[] = [
  {
    name: 'drain',
    begin: (cluster, owner) => annotate(cluster, owner, ''),
    end: (cluster, owner) => annotate(cluster, owner, null),
  },
  {
    name: 'sigterm',
    begin: async (cluster, owner) => cluster.speakers.get(owner.name)!.signal('SIGTERM'),
    end: startAgain,
  },
  {
    name: 'sigkill',
    begin: async (cluster, owner) => cluster.speakers.get(owner.name)!.signal('SIGKILL'),
    end: startAgain,
  },
];

export const rows: RowGroup = {
  name: 'handover',
  run: async (context) => [...(await handOvers(context, 'lease', '')), ...(await handOvers(context, 'vrrp', '.vrrp'))],
};

function handOvers(context: GroupContext, election: 'lease' | 'vrrp', suffix: string): Promise<Row[]> {
  return withCluster(context, election, async (ground) => {
    const rows: Row[] = [];
    for (const way of WAYS) {
      const failed = await collect(context, `${way.name}, ${election}`, () => once(ground, way));
      rows.push(
        judge({
          name: `failover.${way.name}${suffix}`,
          value: failed.reduce((sum, count) => sum + count, 0),
          unit: 'failed connects',
          samples: failed,
          limit: 0,
        }),
      );
    }
    return rows;
  });
}

async function once({ cluster, ...target }: Ground, way: Way): Promise<{ value: number; detail: string }> {
  const owner = await cluster.owner();
  const { failures, attempts, missed } = await trial(target, RENEW_PERIOD_MS, async () => {
    await way.begin(cluster, owner);
    await cluster.owner(owner);
  });
  await way.end(cluster, owner);
  const failed = attempts.flatMap(({ outcome }) => (outcome === 'connected' ? [] : [outcome]));
  const slowest = Math.round(Math.max(...attempts.map(({ durationMs }) => durationMs)));
  const detail = `${failures} of ${attempts.length} connects failed (${failed.join(' ')}), slowest ${slowest} ms, ${missed} not made in time`;
  return { value: failures, detail: `${owner.name} let go, ${detail}` };
}
