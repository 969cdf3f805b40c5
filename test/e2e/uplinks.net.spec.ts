/** A VIP when the interfaces of nodes change: all of it by netlink events, while speakers run. */

import { addressPools } from '@fairlead/kube';
import type { LabNode } from '@fairlead/lab';
import { Rtnetlink } from '@fairlead/netlink';
import { formatMac, parseMac } from '@fairlead/speaker';
import { expect } from 'chai';
import { ArpObserver } from './arp-observer.js';
import { Cluster } from './cluster.js';

/** Longer than any step takes on a busy machine; nothing waits for it when all is well. */
const PATIENCE_MS = 180_000;
const OTHER_MAC = '02:00:00:00:77:0b';
const HOT_VIP = '10.77.0.220';

describe('a VIP whose node gets other interfaces', function () {
  this.timeout(PATIENCE_MS);
  let cluster: Cluster;
  let vip: string;
  let observer: ArpObserver | undefined;

  before(async () => {
    cluster = await Cluster.start('nftables');
    await cluster.createPool('public', '10.77.0.200-10.77.0.215');
    await cluster.createService('web', 'public');
    vip = await cluster.vipOf('web');
    await cluster.owner();
    await cluster.served(vip);
  });
  afterEach(() => {
    observer?.close();
    observer = undefined;
  });
  after(() => cluster?.stop());

  function observe(address = vip): ArpObserver {
    observer = new ArpObserver(cluster.lab.client, address);
    return observer;
  }

  function links<T>(netns: string, use: (rtnetlink: Rtnetlink) => T): T {
    const rtnetlink = new Rtnetlink({ netns });
    try {
      return use(rtnetlink);
    } finally {
      rtnetlink.close();
    }
  }

  function macOf(node: LabNode, name = 'eth0'): string {
    return links(node.netns, (rtnetlink) => formatMac(parseMac(rtnetlink.link(name)!.address)));
  }

  /** A new interface of a node, on a new port of the switch. */
  function plugIn(node: LabNode, name: string, address: string): void {
    const lan = node.netns.replace(/-[^-]+$/, '-lan');
    links(lan, (rtnetlink) => {
      const port = rtnetlink.addVeth({
        name: `${node.name}-${name}`,
        peer: { name, netns: `/run/netns/${node.netns}` },
      });
      rtnetlink.setLink(port.index, { up: true, master: rtnetlink.link('br0')!.index });
    });
    links(node.netns, (rtnetlink) => {
      const { index } = rtnetlink.link(name)!;
      rtnetlink.setLink(index, { up: true });
      rtnetlink.addAddress({ index, address, prefixLength: 24 });
    });
  }

  it('is announced from the new hardware address at once, and answered for by no other, by the same owner', async () => {
    const owner = await cluster.owner();
    const seen = observe();
    await seen.answered();
    const announced = seen.next(({ gratuitous, mac }) => gratuitous && mac === OTHER_MAC);
    links(owner.netns, (rtnetlink) => rtnetlink.setLink(rtnetlink.link('eth0')!.index, { address: OTHER_MAC }));
    const { atMs } = await announced;
    await seen.answered(20);
    expect(seen.answeredSince(atMs)).to.deep.equal(new Set([OTHER_MAC]));
    expect((await cluster.owner()).name).to.equal(owner.name);
    await cluster.served(vip);
  });

  it('is announced again when its cable was out for a moment', async () => {
    const owner = await cluster.owner();
    const announced = observe().next(({ gratuitous }) => gratuitous);
    owner.linkDown();
    owner.linkUp();
    await announced;
    await cluster.served(vip);
  });

  it('moves when the interface is deleted, and can be owned there again when there is another of that name', async () => {
    const owner = await cluster.owner();
    const before = macOf(owner);
    links(owner.netns, (rtnetlink) => rtnetlink.deleteLink(rtnetlink.link('eth0')!.index));
    expect((await cluster.owner(owner)).name).to.not.equal(owner.name);
    plugIn(owner, 'eth0', owner.lanAddress);
    expect(macOf(owner)).to.not.equal(before);
    const announced = observe().next(({ gratuitous, mac }) => gratuitous && mac === macOf(owner));
    await cluster.moveTo(owner);
    await announced;
  });

  it('is announced on an interface that its pool names as soon as a node has that, and on no other', async () => {
    const [node] = cluster.lab.nodes as [LabNode];
    const seen = observe(HOT_VIP);
    await cluster.createPoolWith('hot', { addresses: [`${HOT_VIP}/32`], interfaces: ['hot*'] });
    await cluster.createService('hot', 'hot');
    expect(await cluster.vipOf('hot')).to.equal(HOT_VIP);
    const announced = seen.next(({ gratuitous }) => gratuitous);
    plugIn(node, 'hot0', '10.77.0.50');
    expect((await announced).mac).to.equal(macOf(node, 'hot0'));
    await seen.answered(10);
    expect(new Set(seen.answers.map(({ mac }) => mac))).to.deep.equal(new Set([macOf(node, 'hot0')]));
  });

  it('is announced as its pool says from the moment that this is said', async () => {
    const seen = observe();
    const body = { spec: { announcement: { repeatAfterMilliseconds: [], refreshSeconds: 1 } } };
    await cluster.lab.kube.patch(addressPools, { name: 'public' }, body, { type: 'merge' });
    for (let n = 0; n < 6; n++) await seen.next(({ gratuitous }) => gratuitous);
    const [first, ...others] = seen.answers.filter(({ gratuitous }) => gratuitous).map(({ atMs }) => atMs);
    // Two forms each time.
    expect(others.at(-1)! - first!).to.be.at.least(1_500);
  });
});
