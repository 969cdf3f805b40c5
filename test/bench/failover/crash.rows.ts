/**
 * The owner's node crashes: links cut, every process killed, at once. With either engine, and with keepalived at the interval of ours in
 * the same run (its VIP leads to a listener on the node itself: no cluster, no forwarding).
 */
import type { LabNode } from '@fairlead/lab';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { percentile } from '../statistics.js';
import { withKeepalived } from './keepalived.js';
import { collect, outageOf, outageRows, trial } from './trials.js';
import { withCluster } from './with-cluster.js';

const INTERVAL_MS = { lease: 1_000, vrrp: 100 };
/** What the default timing promises: a Lease of 3 s, and a second to notice, to write and to announce. */
const LEASE_LIMIT_MS = 4_000;
const VRRP_LIMITS_MS = { p50: 400, max: 700 };
/** Of the median beside keepalived's. */
const RATIO_LIMIT = 1.1;

export const rows: RowGroup = {
  name: 'crash',
  run: async (context) => {
    const lease = await crashes(context, 'lease');
    const vrrp = await crashes(context, 'vrrp');
    const keepalived = await withKeepalived(context, INTERVAL_MS.vrrp, (ground) =>
      collect(context, 'keepalived', async () => {
        const owner = await ground.owner();
        const report = await trial(ground, INTERVAL_MS.vrrp, async () => owner.crash());
        await ground.revive(owner);
        return said(outageOf(report, owner), owner);
      }),
    );
    const beside: Row = judge({
      name: 'failover.vrrp.crash.beside-keepalived',
      value: percentile(vrrp, 50),
      unit: 'ms',
      reference: { name: 'failover.keepalived.crash.p50', value: percentile(keepalived, 50) },
      limit: RATIO_LIMIT,
    });
    return [
      ...outageRows('failover.lease.crash', lease, { max: LEASE_LIMIT_MS }),
      ...outageRows('failover.vrrp.crash', vrrp, VRRP_LIMITS_MS),
      ...outageRows('failover.keepalived.crash', keepalived),
      beside,
    ];
  },
};

function crashes(context: GroupContext, election: 'lease' | 'vrrp'): Promise<number[]> {
  return withCluster(context, election, ({ cluster, ...target }) =>
    collect(context, election, async () => {
      const owner = await cluster.owner();
      const report = await trial(target, INTERVAL_MS[election], async () => {
        owner.crash();
        await cluster.owner(owner);
      });
      await owner.powerOn();
      await cluster.startReady(owner);
      return said(outageOf(report, owner), owner);
    }),
  );
}

function said(value: number, owner: LabNode): { value: number; detail: string } {
  return { value, detail: `${owner.name} crashed, ${Math.round(value)} ms` };
}
