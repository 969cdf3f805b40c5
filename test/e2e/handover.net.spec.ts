/**
 * VIPs change hands because somebody wants them to: `fairlead drain`, `undrain` and `move`, SIGTERM, pools with `preempt`; and because a node that could
 * go on is not to, or had better not.
 */

import { nodeLabels, rankNodes } from '@fairlead/api';
import { steady, until } from '@fairlead/cli';
import { type KubeObject, leases, nodes } from '@fairlead/kube';
import { type LabNode, startProbe } from '@fairlead/lab';
import { expect } from 'chai';
import { block } from './block.js';
import { Cluster, PORT, routedBy } from './cluster.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
/** Of kube-proxy's health check. */
const HEALTHZ_PORT = 10_256;

for (const election of ['lease', 'vrrp'] as const) {
  describe(`handing over with election ${election}`, function () {
    this.timeout(PATIENCE_MS);
    let cluster: Cluster;
    let vip: string;

    before(async () => {
      cluster = await Cluster.start('nftables');
      await cluster.createPoolWith('public', { addresses: ['10.77.0.200-10.77.0.215'], election });
      await cluster.createService('web', 'public');
      vip = await cluster.vipOf('web');
      await cluster.owner();
      await cluster.served(vip);
    });
    after(() => cluster?.stop());

    async function fairlead(...args: string[]): Promise<{ code: number | null; answer: Record<string, unknown> }> {
      const { code, stdout, stderr } = await cluster.fairlead(...args, '--json');
      expect(stdout, stderr).to.match(/^\{/);
      return { code, answer: JSON.parse(stdout) as Record<string, unknown> };
    }

    function others(owner: LabNode): LabNode[] {
      return cluster.lab.nodes.filter((node) => node !== owner);
    }

    it('`drain` resolves when another node owns, and the drained one stays a standby that takes nothing', async () => {
      const owner = await cluster.owner();
      const { code, answer } = await fairlead('drain', owner.name);
      expect(code).to.equal(0);
      const next = await cluster.owner(owner);
      const [moved] = answer.moved as { virtualRouter: string; owner: string }[];
      expect(moved!.owner).to.equal(next.name);
      await cluster.served(vip);
      expect(routedBy(owner)).to.deep.equal([]);
      const refused = await fairlead('move', vip, owner.name);
      expect(refused.code).to.equal(1);
      expect(refused.answer.error).to.include({ code: 'FL_NODE_NOT_FIT' });
      expect((await fairlead('undrain', owner.name)).code).to.equal(0);
    });

    /** Excludes a node from load balancers, or no longer. */
    async function exclude(node: LabNode, value: '' | null): Promise<void> {
      const patch = { metadata: { labels: { [nodeLabels.exclude]: value } } };
      await cluster.lab.kube.patch(nodes, { name: node.name }, patch, { type: 'merge' });
    }

    const unfit: [string, (owner: LabNode) => Promise<() => Promise<void>>][] = [
      [
        'an owner that is labelled to be excluded from load balancers',
        async (owner) => {
          await exclude(owner, '');
          return () => exclude(owner, null);
        },
      ],
      ['an owner whose kube-proxy no longer answers as healthy', (owner) => block(owner, HEALTHZ_PORT)],
    ];
    for (const [who, make] of unfit) {
      it(`${who} hands over, without a connection that fails, and stands again when that is over`, async () => {
        const owner = await cluster.owner();
        // Patient: what counts is whether connections are refused, not how busy this machine is.
        const probe = startProbe(cluster.lab.client, { address: vip, port: PORT, timeoutMs: 5_000 });
        await steady(probe);
        const undo = await make(owner);
        await cluster.owner(owner);
        await steady(probe);
        const report = await probe.stop();
        expect(report.failures, JSON.stringify(report.outages)).to.equal(0);
        expect(routedBy(owner)).to.deep.equal([]);
        const stands = cluster.said(owner, '"standing for election"');
        await undo();
        await stands;
      });
    }

    it('`move` brings a VIP to the node that is named, whatever its place', async () => {
      for (let n = 0; n < 3; n++) {
        const owner = await cluster.owner();
        const target = others(owner)[n % 2]!;
        const { code, answer } = await fairlead('move', vip, target.name);
        expect(code, JSON.stringify(answer)).to.equal(0);
        expect(answer).to.include({ vip, from: owner.name, node: target.name });
        expect((await cluster.owner(owner)).name).to.equal(target.name);
        await cluster.served(vip);
        expect(routedBy(owner)).to.deep.equal([]);
      }
    });

    it('`status` names the owner of the VIP, and what its Service is', async () => {
      const owner = await cluster.owner();
      const { code, answer } = await fairlead('status');
      expect(code).to.equal(0);
      const [status] = (answer as { vips: Record<string, unknown>[] }).vips;
      expect(status).to.include({ vip, owner: owner.name, pool: 'public' });
      expect(status!.services).to.deep.equal(['default/web']);
      expect(status).not.to.have.property('problem');
    });

    it('`move` leaves no trace in the Lease', async () => {
      const owner = await cluster.owner();
      const target = others(owner)[0]!;
      const { answer } = await fairlead('move', vip, target.name);
      const name = `vr-${(answer.virtualRouter as string).replace('.', '-')}`;
      const lease = await cluster.lab.kube.get<KubeObject>(leases, { namespace: 'fairlead-system', name });
      expect(Object.keys(lease.metadata?.annotations ?? {})).to.not.include('fairlead.dev/preferred-owner');
    });

    it('says what is wrong with a node or an address that is not there', async () => {
      const owner = await cluster.owner();
      for (const [args, error] of [
        [['drain', 'n9'], 'FL_NO_NODE'],
        [['undrain', 'n9'], 'FL_NO_NODE'],
        [['move', vip, 'n9'], 'FL_NO_NODE'],
        [['move', '10.77.0.215', owner.name], 'FL_NO_VIP'],
      ] as const) {
        const { code, answer } = await fairlead(...args);
        expect(code).to.equal(1);
        expect(answer.error).to.include({ code: error });
      }
    });

    it('takes a wish back that nobody fulfils', async () => {
      const owner = await cluster.owner();
      const target = others(owner)[0]!;
      await cluster.stopSpeaker(target);
      const { code, answer } = await fairlead('move', vip, target.name, '--timeout', '1s');
      expect(code).to.equal(1);
      expect(answer.error).to.include({ code: 'FL_NOT_IN_TIME' });
      cluster.startSpeaker(target);
      await cluster.said(target, '"standing for election"');
      expect((await cluster.owner()).name).to.equal(owner.name);
    });
  });
}

describe('a node that nobody can take over from', function () {
  this.timeout(PATIENCE_MS);

  it('goes on forwarding when its speaker is told to stop', async () => {
    const cluster = await Cluster.start('nftables', { nodes: 1 });
    try {
      await cluster.createPool('public', '10.77.0.200-10.77.0.215');
      await cluster.createService('web', 'public');
      const vip = await cluster.vipOf('web');
      const owner = await cluster.owner();
      await cluster.served(vip);
      const refused = await cluster.fairlead('drain', owner.name);
      expect(refused.code).to.equal(1);
      expect(refused.stderr).to.contain('no other node can take over');
      expect((await cluster.stopSpeaker(owner)).code).to.equal(0);
      // The client knows the owner's hardware address still.
      await cluster.served(vip);
    } finally {
      await cluster.stop();
    }
  });
});

describe('a pool with preempt', function () {
  this.timeout(PATIENCE_MS);

  it('comes back to its best node when that has been fit for the delay', async () => {
    const cluster = await Cluster.start('nftables', {}, ['--preempt-delay', '1s']);
    try {
      await cluster.createPoolWith('public', { addresses: ['10.77.0.200-10.77.0.215'], preempt: true });
      await cluster.createService('web', 'public');
      const vip = await cluster.vipOf('web');
      // Of `<pool>.<n>`, n: the address modulo the number of virtual routers.
      const names = cluster.lab.nodes.map(({ name }) => name);
      const best = rankNodes('public.0', names)[0]!;
      const node = cluster.lab.nodes.find(({ name }) => name === best)!;
      await ownedBy(cluster, best);
      await cluster.stopSpeaker(node);
      await cluster.owner(node);
      cluster.startSpeaker(node);
      await ownedBy(cluster, best);
      await cluster.served(vip);
    } finally {
      await cluster.stop();
    }
  });
});

function ownedBy(cluster: Cluster, name: string): Promise<true> {
  return until(cluster.leases, `${name} owning`, ({ spec }) => (spec?.holderIdentity === name ? true : undefined));
}
