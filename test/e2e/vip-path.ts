/** What a packet for a VIP meets, whatever forwards it: run by vip-path.net.spec.ts (nftables) and vip-path.ipvs.spec.ts (IPVS). */

import { setTimeout as sleep } from 'node:timers/promises';
import { createForwarder } from '@fairlead/ipvs';
import { type LabHost, podHost, sendRequests, startProbe } from '@fairlead/lab';
import { expect } from 'chai';
import { Cluster, PORT } from './cluster.js';

/** Longer than any step takes on a slow machine; nothing waits for it when all is well. */
const PATIENCE_MS = 300_000;

export function describePath(forwarder: 'ipvs' | 'nftables'): void {
  describe(`the way to a VIP that ${forwarder} forwards`, function () {
    this.timeout(PATIENCE_MS);
    let cluster: Cluster;
    let vip: string;

    before(async () => {
      cluster = await Cluster.start(forwarder);
      await cluster.createPool('public', '10.77.0.200-10.77.0.215');
      await cluster.createService('web', 'public');
      vip = await cluster.vipOf('web');
      await cluster.owner();
      await cluster.served(vip);
    });
    after(() => cluster?.stop());

    async function answers(from: LabHost, count = 6): Promise<void> {
      const result = await sendRequests(from, { address: vip, port: PORT, count, timeoutMs: 20_000 });
      expect(result.errors, `from ${from.name}`).to.deep.equal({});
    }

    it('leads to every node, the owner’s own among them', async () => {
      const owner = await cluster.owner();
      await answers(cluster.lab.client, 30);
      const engine = createForwarder({ kind: forwarder, director: owner.directorName });
      // IPVS sums up its counters every 2 s, and nobody is told when it has.
      let used: string[] = [];
      do {
        const stats = engine.stats();
        expect(stats).to.have.length(1);
        used = stats[0]!.realServers.filter(({ connections }) => connections > 0n).map(({ address }) => address);
      } while (used.length < cluster.lab.nodes.length && (await sleep(200, true)));
      engine.close();
      expect(used).to.have.members(cluster.lab.nodes.map(({ lanAddress }) => lanAddress));
    });

    it('is open from beyond a router, from every node, and from Pods on every node', async () => {
      await answers(cluster.lab.outside);
      for (const node of cluster.lab.nodes) await answers(node);
      for (const pod of cluster.pods) await answers(await podHost(cluster.lab, pod));
    });

    it('is open for ping, and for nothing but the ports of its Service', async () => {
      const { client } = cluster.lab;
      const ping = await client.exec(['ping', '-c', '1', '-W', '20', vip]);
      expect(ping.code, ping.stdout).to.equal(0);
      const owner = await cluster.owner();
      // kube-proxy's health port is open on the node itself: that the VIP does not answer is not for want of a listener.
      expect(await outcome(client, owner.lanAddress, 10_256, 10_000)).to.equal('connected');
      for (const port of [10_256, 22, PORT + 1]) {
        expect(await outcome(client, vip, port, 1_000), `port ${port}`).to.equal('timeout');
      }
    });
  });
}

/** How a single connection attempt ends: 'connected', 'timeout', or an errno name. */
async function outcome(from: LabHost, address: string, port: number, timeoutMs: number): Promise<string> {
  const probe = startProbe(from, { address, port, intervalMs: 1_000, timeoutMs });
  await probe.until('an attempt', (attempts) => attempts.length > 0);
  const { attempts } = await probe.stop();
  return attempts[0]!.outcome;
}
