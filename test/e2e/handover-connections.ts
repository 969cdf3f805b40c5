/** Connections that are open while their VIP changes hands on purpose, with either engine. */
import { until } from '@fairlead/cli';
import type { LabNode } from '@fairlead/lab';
import { expect } from 'chai';
import { Cluster, PORT } from './cluster.js';
import { Talk } from './talk.js';

/** Longer than any step takes on a slow machine; nothing waits for it when all is well. */
const PATIENCE_MS = 600_000;

/** How much there is: more than a guest without hardware's help carries is no test of it. */
interface Size {
  nodes: number;
  /** To real servers on all nodes, and from each of them to Pods on all nodes: as many as the square of that take every way there is. */
  connections: number;
  askEveryMs: number;
  /** For how long an owner may stand still: a machine that is slow does not run it for seconds. */
  leaseSeconds: number;
}

export function describeOpenConnections(
  forwarder: 'ipvs' | 'nftables',
  election: 'lease' | 'vrrp',
  { nodes, connections, askEveryMs, leaseSeconds }: Size,
): void {
  describe(`connections through ${forwarder} that are open when a VIP changes hands by ${election}`, function () {
    this.timeout(PATIENCE_MS);
    let cluster: Cluster;
    let vip: string;
    let talks: Talk[];

    before(async () => {
      // That a busy machine takes an owner, or a real server's node, for dead is not what is looked at here.
      const patient = ['--vrrp-interval', '1s', '--lease-duration', `${leaseSeconds}s`, '--probe-fall', '20'];
      cluster = await Cluster.start(forwarder, { nodes }, patient);
      await cluster.createPoolWith('public', { addresses: ['10.77.0.200-10.77.0.215'], election });
      await cluster.createService('web', 'public');
      vip = await cluster.vipOf('web');
      await cluster.owner();
      await cluster.served(vip);
    });
    beforeEach(async () => {
      talks = Array.from({ length: connections }, () => new Talk(cluster.lab.client, vip, PORT, askEveryMs));
      await allGoOn();
    });
    afterEach(() => {
      for (const talk of talks) talk.end();
    });
    after(() => cluster?.stop());

    async function fairlead(...args: string[]): Promise<void> {
      const { code, stdout, stderr } = await cluster.fairlead(...args);
      expect(code, stdout + stderr).to.equal(0);
    }

    /** The dead man's switch of a speaker that is gone would have gone off by then. */
    const longTimes = ((leaseSeconds + 5) * 1_000) / askEveryMs;
    async function allGoOn(times = 20): Promise<void> {
      await Promise.all(talks.map((talk) => talk.goesOn(times)));
      expect(talks.map(({ lost }) => lost)).to.deep.equal(talks.map(() => undefined));
    }
    const another = (owner: LabNode) => cluster.lab.nodes.find((node) => node !== owner)!;

    it('live on when the owner’s node is drained, and when it is given back', async () => {
      const owner = await cluster.owner();
      await fairlead('drain', owner.name);
      await cluster.owner(owner);
      await allGoOn();
      await fairlead('undrain', owner.name);
      await fairlead('move', vip, owner.name);
      await until(cluster.leases, 'it owning again', ({ spec }) => spec?.holderIdentity === owner.name || undefined);
      await allGoOn();
    });

    it('live on when the VIP is moved', async () => {
      const owner = await cluster.owner();
      await fairlead('move', vip, another(owner).name);
      await cluster.owner(owner);
      await allGoOn();
    });

    it('live on when the owner’s speaker is told to stop, also long after', async () => {
      const owner = await cluster.owner();
      await cluster.stopSpeaker(owner);
      await cluster.owner(owner);
      await allGoOn(longTimes);
      await cluster.startReady(owner);
      await allGoOn();
    });
  });
}
