/** What must hold of a VIP whatever forwards it: run by vip.net.spec.ts (nftables) and vip.ipvs.spec.ts (IPVS). */

import { type ForwarderChoice, steady } from '@fairlead/cli';
import { createForwarder } from '@fairlead/ipvs';
import { type LabHost, sendRequests, startProbe } from '@fairlead/lab';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster, PORT } from './cluster.js';

/** Longer than any step takes on a slow machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const LEASE_MS = 3_000;

export function describeVip(forwarder: Exclude<ForwarderChoice, 'auto'>): void {
  describe(`a VIP forwarded by ${forwarder}`, function () {
    this.timeout(PATIENCE_MS);
    let cluster: Cluster;
    let vip: string;
    let observer: ArpObserver | undefined;

    before(async () => {
      cluster = await Cluster.start(forwarder);
      await cluster.createPool('public', '10.77.0.200-10.77.0.215');
      await cluster.createService('web', 'public');
      vip = await cluster.vipOf('web');
      await cluster.owner();
      await served(cluster.lab.client);
    });
    afterEach(async () => {
      observer?.close();
      observer = undefined;
      // Every test begins with three living nodes.
      for (const node of cluster.lab.nodes) {
        node.linkUp();
        if (node.isOn && cluster.speakers.get(node.name)?.exit) cluster.startSpeaker(node);
      }
    });
    after(() => cluster?.stop());

    function observe(): ArpObserver {
      observer = new ArpObserver(cluster.lab.client, vip);
      return observer;
    }

    async function served(from: LabHost): Promise<void> {
      const probe = startProbe(from, { address: vip, port: PORT });
      await steady(probe);
      await probe.stop();
    }

    async function answers(from: LabHost, count = 6): Promise<void> {
      const result = await sendRequests(from, { address: vip, port: PORT, count });
      expect(result.errors, `from ${from.name}`).to.deep.equal({});
    }

    it('is served by every node, the owner’s own among them', async () => {
      const owner = await cluster.owner();
      await answers(cluster.lab.client, 30);
      const engine = createForwarder({ kind: forwarder, director: owner.directorName });
      const stats = engine.stats();
      engine.close();
      expect(stats).to.have.length(1);
      const used = stats[0]!.realServers.filter(({ connections }) => connections > 0n).map(({ address }) => address);
      expect(used).to.have.members(cluster.lab.nodes.map(({ lanAddress }) => lanAddress));
    });

    it('is reached from beyond a router, from every node, and from Pods', async () => {
      await answers(cluster.lab.outside);
      for (const node of cluster.lab.nodes) await answers(node);
    });

    it('answers ping, and nothing but the ports of its Service', async () => {
      const { client } = cluster.lab;
      const ping = await client.exec(['ping', '-c', '1', '-W', '5', vip]);
      expect(ping.code, ping.stdout).to.equal(0);
      const owner = await cluster.owner();
      // kube-proxy's health port answers on the node itself: the question is not answered by a closed port.
      expect(await outcome(client, owner.lanAddress, 10_256)).to.equal('connected');
      for (const port of [10_256, 22, PORT + 1])
        expect(await outcome(client, vip, port), `port ${port}`).to.equal('timeout');
    });

    it('is answered for by one station only', async () => {
      const seen = observe();
      const from = performance.now();
      for (let n = 0; n < 20; n++) await seen.next(({ gratuitous }) => !gratuitous);
      expect(seen.answeredSince(from).size).to.equal(1);
    });

    it('stays where it is when the API server cannot be reached for longer than a Lease lasts', async () => {
      const owner = await cluster.owner();
      const probe = startProbe(cluster.lab.client, { address: vip, port: PORT });
      await steady(probe);
      cluster.lab.apiServer!.signal('SIGSTOP');
      try {
        await steady(probe, 3 * LEASE_MS);
      } finally {
        cluster.lab.apiServer!.signal('SIGCONT');
      }
      await steady(probe, 2 * LEASE_MS);
      const report = await probe.stop();
      expect(report.failures, JSON.stringify(report.outages)).to.equal(0);
      expect((await cluster.owner()).name).to.equal(owner.name);
    });

    it('goes on being forwarded by the kernel while its speaker is dead, and moves', async () => {
      const owner = await cluster.owner();
      const seen = observe();
      const before = await seen.next(({ gratuitous }) => !gratuitous);
      cluster.speakers.get(owner.name)!.signal('SIGKILL');
      await cluster.speakers.get(owner.name)!.exited;
      const killedAt = performance.now();
      await seen.next(({ mac }) => mac !== before.mac);
      await served(cluster.lab.client);
      expect(seen.answeredSince(killedAt), 'a dead speaker has answered').to.not.include(before.mac);
      expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
    });

    it('moves when its owner is frozen, and a thawed owner stays silent', async () => {
      const owner = await cluster.owner();
      const seen = observe();
      const before = await seen.next(({ gratuitous }) => !gratuitous);
      const speaker = cluster.speakers.get(owner.name)!;
      speaker.signal('SIGSTOP');
      const next = await seen.next(({ mac }) => mac !== before.mac);
      const silenced = speaker.waitFor('it yielded', said('no longer owner'), PATIENCE_MS);
      speaker.signal('SIGCONT');
      const thawedAt = performance.now();
      await silenced;
      for (let n = 0; n < 20; n++) await seen.next(({ mac, gratuitous }) => !gratuitous && mac === next.mac);
      expect(seen.answeredSince(thawedAt), 'the thawed owner has answered').to.deep.equal(new Set([next.mac]));
      await served(cluster.lab.client);
    });

    it('is handed over at once when its speaker is told to stop', async () => {
      const owner = await cluster.owner();
      const speaker = cluster.speakers.get(owner.name)!;
      speaker.signal('SIGTERM');
      expect((await speaker.exited).code).to.equal(0);
      expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
      await served(cluster.lab.client);
      const { stdout } = await owner.exec(['ip', 'rule', 'show']);
      expect(stdout, 'a node that is not the owner has a rule').to.not.match(/lookup 77\d\d/);
    });

    it('moves when the link of its owner is cut, though the speaker lives on', async () => {
      const owner = await cluster.owner();
      const seen = observe();
      const before = await seen.next(({ gratuitous }) => !gratuitous);
      owner.linkDown();
      await seen.next(({ mac, gratuitous }) => !gratuitous && mac !== before.mac);
      // Not every connect succeeds: the cluster reaches the node by its other network, believes it Ready, and has
      // kube-proxy send a share of the connections to its Pod.
      const probe = startProbe(cluster.lab.client, { address: vip, port: PORT });
      await probe.until('the new owner serving', (attempts) => attempts.some(({ outcome }) => outcome === 'connected'));
      await probe.stop();
    });

    it('moves when its owner crashes', async () => {
      const owner = await cluster.owner();
      const seen = observe();
      const before = await seen.next(({ gratuitous }) => !gratuitous);
      const probe = startProbe(cluster.lab.client, { address: vip, port: PORT });
      await steady(probe);
      owner.crash();
      await seen.next(({ mac, gratuitous }) => gratuitous && mac !== before.mac);
      await steady(probe);
      const report = await probe.stop();
      expect(report.failures).to.be.greaterThan(0);
      expect(report.outageMs).to.not.equal(null);
      expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
    });
  });
}

/** How a single connection attempt ends: 'connected', 'timeout', or an errno name. */
async function outcome(from: LabHost, address: string, port: number): Promise<string> {
  const probe = startProbe(from, { address, port });
  await probe.until('an attempt', (attempts) => attempts.length > 0);
  const { attempts } = await probe.stop();
  return attempts[0]!.outcome;
}

function said(text: string): (line: string) => true | undefined {
  return (line) => (line.includes(text) ? true : undefined);
}
