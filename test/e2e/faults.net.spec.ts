/** What befalls owners and their LAN, with either engine: whatever it was, one node answers in the end, and no two in between that hear each other. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { LabNode } from '@fairlead/lab';
import { Nftables } from '@fairlead/netlink';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster, PORT } from './cluster.js';
import { nodeBehind, oneOwner } from './one-owner.js';
import { overlapping } from './overlapping.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
/** Several signs of life of any kind. */
const QUIET_MS = 3_000;

for (const election of ['lease', 'vrrp'] as const) {
  describe(`a VIP with election ${election}, when something goes wrong`, function () {
    this.timeout(PATIENCE_MS);
    let cluster: Cluster;
    let vip: string;
    let observer: ArpObserver;
    let owner: LabNode;
    /** The owner's hardware address. */
    let mac: string;

    before(async () => {
      cluster = await Cluster.start('nftables');
      await cluster.createPoolWith('public', { addresses: ['10.77.0.200-10.77.0.215'], election });
      await cluster.createService('web', 'public', PORT, { spec: { externalTrafficPolicy: 'Local' } });
      vip = await cluster.vipOf('web');
    });
    beforeEach(async () => {
      await cluster.served(vip);
      observer = new ArpObserver(cluster.lab.client, vip);
      mac = (await observer.answered()).mac;
      owner = nodeBehind(cluster, mac);
    });
    afterEach(() => {
      observer.close();
      for (const node of cluster.lab.nodes) {
        if (!node.isOn) continue;
        node.lanLoss({});
        node.linkUp();
        node.managementUp();
      }
    });
    after(() => cluster?.stop());

    const others = () => cluster.lab.nodes.filter((node) => node !== owner);

    /** How often nodes become owners from now on. */
    function takeovers(): () => number {
      let count = 0;
      for (const speaker of cluster.speakers.values()) {
        speaker.on('line', (line) => {
          if (line.includes('"owner of public')) count++;
        });
      }
      return () => count;
    }

    /** Until now, and since the test began. */
    const neverTwo = () => expect(overlapping(observer.answers), 'questions that two have answered').to.equal(0);

    function answered(matches: (address: string) => boolean): Promise<unknown> {
      return observer.next((answer) => !answer.gratuitous && matches(answer.mac));
    }

    /** Never two have answered, and it is where it was, unless that one could not help it: a busy machine does not run it for a quarter of a second. */
    async function stayedWith(address: string): Promise<void> {
      const now = await oneOwner(cluster, vip, observer);
      neverTwo();
      if (now === address) return;
      const { output } = cluster.speakers.get(nodeBehind(cluster, address).name)!;
      const why = output.split('\n').findLast((line) => line.includes('no longer owner'));
      expect(why).to.include('stood still');
    }

    // Ten a second kept kube-proxy's own from ever ending (docs/architecture.md).
    it('takes no transaction of nf_tables on any node while all is well', async () => {
      const rulesets = cluster.lab.nodes.map(({ netns }) => new Nftables({ netns }));
      const generations = () => rulesets.map((nftables) => nftables.generation());
      try {
        // What has just begun may have something to write, and so may an audit.
        for (let before = generations(), unchanged = false; !unchanged; before = generations()) {
          await sleep(QUIET_MS);
          unchanged = isDeepStrictEqual(generations(), before);
        }
      } finally {
        for (const nftables of rulesets) nftables.close();
      }
    });

    it('moves when its owner is frozen, and has one owner when that thaws', async () => {
      const speaker = cluster.speakers.get(owner.name)!;
      speaker.signal('SIGSTOP');
      await answered((other) => other !== mac);
      const silent = cluster.said(owner, 'no longer owner');
      speaker.signal('SIGCONT');
      const thawedAt = performance.now();
      await silent;
      const now = await oneOwner(cluster, vip, observer);
      expect(now).to.not.equal(mac);
      expect(observer.answeredSince(thawedAt)).to.deep.equal(new Set([now]));
      neverTwo();
    });

    it('moves when the link of its owner goes down, and does not move back when it is up again', async () => {
      const yielded = cluster.said(owner, 'no longer owner');
      const cutOff = cluster.said(owner, 'is unhealthy');
      owner.linkDown();
      await Promise.all([yielded, answered((other) => other !== mac)]);
      const next = await oneOwner(cluster, vip, observer);
      await cutOff;
      const back = cluster.said(owner, 'is healthy');
      owner.linkUp();
      await back;
      await stayedWith(next);
    });

    it('moves when its owner loses its power, and does not move back when that is up again', async () => {
      owner.crash();
      await answered((other) => other !== mac);
      const next = await oneOwner(cluster, vip, observer);
      await owner.powerOn();
      cluster.startSpeaker(owner);
      await cluster.said(owner, '"standing for election"');
      await stayedWith(next);
    });

    it('is not taken over by nodes that are cut off from everything', async () => {
      const [unplugged, isolated] = others();
      const count = takeovers();
      unplugged!.managementDown();
      unplugged!.linkDown();
      isolated!.managementDown();
      isolated!.lanLoss({ sent: 1, received: 1 }); // its link stays up
      const from = performance.now();
      while (performance.now() - from < 5_000) await answered((address) => address === mac);
      for (const node of others()) {
        node.lanLoss({});
        node.linkUp();
        node.managementUp();
      }
      await stayedWith(mac);
      expect(count()).to.be.at.most(1);
    });

    it('has one owner after its owner could hear, but not be heard', async () => {
      owner.lanLoss({ sent: 1 });
      if (election === 'vrrp') await answered((other) => other !== mac);
      else await steadyLoss();
      owner.lanLoss({});
      await oneOwner(cluster, vip, observer);
    });

    it('has one owner after its owner could be heard, but not hear', async () => {
      const count = takeovers();
      owner.lanLoss({ received: 1 });
      await steadyLoss();
      owner.lanLoss({});
      await stayedWith(mac);
      expect(count()).to.be.at.most(1);
    });

    /** A fault that nobody notices is to last for some time. */
    function steadyLoss(): Promise<void> {
      return new Promise((resolve) => setTimeout(resolve, 2_000));
    }

    it('does not wander about while every fifth frame is lost', async () => {
      const count = takeovers();
      for (const node of cluster.lab.nodes) node.lanLoss({ sent: 0.2 });
      for (const from = performance.now(); performance.now() - from < 10_000; ) {
        await observer.answered();
      }
      for (const node of cluster.lab.nodes) node.lanLoss({});
      await oneOwner(cluster, vip, observer);
      // By Lease it stays. By VRRP a standby takes over when three advertisements in a row are lost to it: with each of the hundred in ten seconds such a
      // run begins with a chance of 0.8 · 0.2³ = 0.64 %, which for two standbys makes 1.3 on average, and more than 8 once in 120,000 times. On a busy
      // machine, where the third one may come too late, it is about two; if a single loss were enough it would be 32.
      expect(count()).to.be.at.most(election === 'lease' ? 0 : 8);
    });

    if (election === 'vrrp') {
      it('has one owner again at once when the parts of a LAN are one again, which announces itself', async () => {
        for (const node of cluster.lab.nodes) node.managementDown();
        owner.lanLoss({ sent: 1, received: 1 });
        const next = (await observer.next((answer) => !answer.gratuitous && answer.mac !== mac)).mac;
        const healedAt = performance.now();
        owner.lanLoss({});
        const winner = await oneOwner(cluster, vip, observer);
        expect(winner).to.be.oneOf([mac, next]);
        const since = observer.answers.filter(({ atMs }) => atMs >= healedAt);
        expect(since.some((answer) => answer.gratuitous && answer.mac === winner)).to.equal(true);
      });
    }
  });
}
