/**
 * The link of the best node flaps, with either engine. It costs one takeover: without `preempt` the VIP stays where it has gone, and with it the
 * VIP comes back once the link has held for as long as the delay says, and not once a flap.
 */

import type { LabNode } from '@fairlead/lab';
import { LinkMonitor } from '@fairlead/netlink';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster, PORT } from './cluster.js';
import { macOf } from './one-owner.js';
import { overlapping } from './overlapping.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const FLAPS = 10;
/**
 * For so many answers of an owner, which is asked every 20 ms, the link is down, and then up: long enough for speakers to see it, much shorter than the
 * delay, and longer than that in all.
 */
const ANSWERS = 25;
const PREEMPT_DELAY_MS = 3_000;
/** That a busy machine does not run an owner for a quarter of a second is not what is looked at here. */
const PATIENT = ['--vrrp-interval', '500ms', '--preempt-delay', `${PREEMPT_DELAY_MS}ms`];

for (const election of ['lease', 'vrrp'] as const) {
  describe(`a VIP with election ${election} whose best node’s link flaps`, function () {
    this.timeout(PATIENCE_MS);
    let cluster: Cluster;
    let best: LabNode;
    /** The best node's hardware address. */
    let mac: string;
    let observer: ArpObserver | undefined;

    before(async () => {
      cluster = await Cluster.start('nftables', {}, PATIENT);
      best = cluster.lab.nodes[0]!;
      mac = macOf(best);
      const selector = { matchLabels: { 'kubernetes.io/hostname': best.name } };
      const common = { election, preferredNodes: [{ weight: 100, selector }] };
      await cluster.createPoolWith('staying', { ...common, addresses: ['10.77.0.200-10.77.0.207'] });
      await cluster.createPoolWith('returning', { ...common, addresses: ['10.77.0.208-10.77.0.215'], preempt: true });
    });
    afterEach(() => {
      observer?.close();
      best.linkUp();
    });
    after(() => cluster?.stop());

    /** A VIP of the pool, which the best node owns. */
    async function owned(pool: string): Promise<ArpObserver> {
      await cluster.createService(pool, pool, PORT, { spec: { externalTrafficPolicy: 'Local' } });
      const vip = await cluster.vipOf(pool);
      await cluster.served(vip);
      observer = new ArpObserver(cluster.lab.client, vip);
      if ((await observer.answered()).mac === mac) return observer;
      const owns = cluster.said(best, `"owner of ${pool}.`);
      const { code, stderr } = await cluster.fairlead('move', vip, best.name);
      expect(code, stderr).to.equal(0);
      await owns;
      await cluster.served(vip);
      observer.close();
      observer = new ArpObserver(cluster.lab.client, vip);
      expect((await observer.answered()).mac).to.equal(mac);
      return observer;
    }

    /** How often nodes become owners of a pool's VIPs from now on. */
    function takeovers(pool: string): () => number {
      let count = 0;
      for (const speaker of cluster.speakers.values()) {
        speaker.on('line', (line) => {
          if (line.includes(`"owner of ${pool}.`)) count++;
        });
      }
      return () => count;
    }

    /** Returns when the VIP was taken over, and when the link came up for the last time; monotonic ms. */
    async function flap(seen: ArpObserver): Promise<{ takenAt: number; upAt: number }> {
      const taken = seen.next((answer) => !answer.gratuitous && answer.mac !== mac);
      let upAt = 0;
      for (let n = 0; n < FLAPS; n++) {
        await carrier(best, false);
        await taken;
        await seen.answered(ANSWERS);
        upAt = performance.now();
        await carrier(best, true);
        await seen.answered(ANSWERS);
      }
      return { takenAt: (await taken).atMs, upAt };
    }

    it('stays where it has gone, without `preempt`', async () => {
      const seen = await owned('staying');
      const count = takeovers('staying');
      const { takenAt, upAt } = await flap(seen);
      while (performance.now() - upAt < 2 * PREEMPT_DELAY_MS) await seen.answered();
      expect(count()).to.equal(1);
      expect(seen.answeredSince(takenAt)).to.not.include(mac);
      expect(overlapping(seen.answers), 'questions that two have answered').to.equal(0);
    });

    it('comes back once, when the link has held for the delay, with `preempt`', async () => {
      const seen = await owned('returning');
      const count = takeovers('returning');
      const { takenAt, upAt } = await flap(seen);
      const returned = () => seen.answers.findIndex((answer) => answer.atMs > takenAt && answer.mac === mac);
      while (returned() === -1) await seen.answered();
      const back = returned();
      expect(seen.answers[back]!.atMs - upAt, 'ms that the link had held').to.be.at.least(PREEMPT_DELAY_MS);
      expect(overlapping(seen.answers.slice(0, back)), 'questions that two have answered').to.equal(0);
      await seen.answered(ANSWERS);
      expect(count()).to.equal(2);
    });
  });
}

/** Plugs a node's cable in or out; resolves when its kernel has said so, as that keeps back what comes in quick succession. */
async function carrier(node: LabNode, up: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const monitor = new LinkMonitor({
      netns: node.netns,
      addresses: false,
      onEvent: (event) => {
        if (event.type !== 'link' || event.link.name !== 'eth0' || event.link.carrier !== up) return;
        monitor.close();
        resolve();
      },
    });
    if (up) node.linkUp();
    else node.linkDown();
  });
}
