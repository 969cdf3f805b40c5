/**
 * Connects that fail while a VIP changes hands and its former owner's kernel lives: the node is drained, the VIP moved, the speaker told to stop,
 * or killed, or a pool with `preempt` fails back. With either engine. The client knows the owner's hardware address, as one that connects every
 * 10 ms does.
 */
import type { LabNode } from '@fairlead/lab';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { collect, trial } from './trials.js';
import {
  drainForAWhile,
  endSpeaker,
  failBack,
  type Ground,
  moveAway,
  startAgain,
  withCluster,
} from './with-cluster.js';

const RENEW_PERIOD_MS = 1_000;

/** A way to make an owner hand over, and back to being a standby. */
interface Way {
  name: string;
  /** Resolves when the VIP is where it is to be. */
  begin(ground: Ground, owner: LabNode): Promise<unknown>;
  end?(ground: Ground, owner: LabNode): Promise<unknown>;
}

const WAYS: readonly Way[] = [
  { name: 'drain', begin: drainForAWhile },
  { name: 'move', begin: moveAway },
  {
    name: 'sigterm',
    begin: (ground, owner) => endSpeaker(ground, owner, 'SIGTERM'),
    end: ({ cluster }, owner) => startAgain(cluster, owner),
  },
  {
    name: 'sigkill',
    begin: (ground, owner) => endSpeaker(ground, owner, 'SIGKILL'),
    end: ({ cluster }, owner) => startAgain(cluster, owner),
  },
  { name: 'failback', begin: failBack },
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

async function once(ground: Ground, way: Way): Promise<{ value: number; detail: string }> {
  const owner = await ground.cluster.owner();
  const { failures, attempts, missed } = await trial(ground, RENEW_PERIOD_MS, () => way.begin(ground, owner));
  await way.end?.(ground, owner);
  const failed = attempts.flatMap(({ outcome }) => (outcome === 'connected' ? [] : [outcome]));
  const slowest = Math.round(Math.max(...attempts.map(({ durationMs }) => durationMs)));
  const detail = `${failures} of ${attempts.length} connects failed (${failed.join(' ')}), slowest ${slowest} ms, ${missed} not made in time`;
  return { value: failures, detail: `${owner.name} let go, ${detail}` };
}
