import type { Link, LinkEvent } from '@fairlead/netlink';
import { expect } from 'chai';
import { LinkWatch } from './link-watch.js';

const eth0: Link = {
  ...{ index: 2, name: 'eth0', up: true, carrier: true, carrierUps: 1, operationalState: 'up', loopback: false },
  ...{ flags: 0, mtu: 1500, address: '02:00:00:00:00:0a' },
};
const event = (more: Partial<Link>): LinkEvent => ({ type: 'link', link: { ...eth0, ...more } });

/** What is heard of eth0, one after the other. */
function returns(...events: LinkEvent[]): number[][] {
  const watch = new LinkWatch(() => [eth0]);
  return events.map((each) => watch.heard(each));
}

describe('a link', () => {
  const cases: [string, LinkEvent[], boolean][] = [
    ['whose MTU has changed', [event({ mtu: 9000 })], false],
    ['that is gone', [event({ carrier: false })], false],
    ['whose carrier is back', [event({ carrier: false }), event({ carrierUps: 2 })], true],
    ['whose carrier was gone for a moment that nobody was told of', [event({ carrierUps: 2 })], true],
    ['that is switched on again', [event({ up: false }), event({})], true],
    ['with another hardware address', [event({ address: '02:00:00:00:00:0b' })], true],
    ['with another hardware address, but without a carrier', [event({ carrier: false, address: '02::0b' })], false],
    ['that asks to tell the neighbours', [{ type: 'link', link: eth0, notifyPeers: true }], true],
    ['that is another of the same name', [{ type: 'link-removed', link: eth0 }, event({ index: 3 })], false],
    ['whose address has changed', [{ type: 'address', address: {} as never }], false],
  ];
  for (const [what, events, hasReturned] of cases) {
    it(`${what} ${hasReturned ? 'has to be' : 'need not be'} announced on`, () => {
      const heard = returns(...events);
      expect(heard.at(-1)).to.deep.equal(hasReturned ? [2] : []);
      expect(heard.slice(0, -1).flat()).to.deep.equal([]);
    });
  }

  it('is read again when notifications were lost', () => {
    let links = [eth0];
    const watch = new LinkWatch(() => links);
    const lost: LinkEvent = { type: 'resync', error: new Error('lost') };
    expect(watch.heard(lost)).to.deep.equal([]);
    links = [
      { ...eth0, carrierUps: 3 },
      { ...eth0, index: 3 },
    ];
    expect(watch.heard(lost)).to.deep.equal([2]);
    expect(watch.heard(lost)).to.deep.equal([]);
  });

  it('brings back what is built upon it once, though links go round: a tunnel through a bridge that is a port of it', () => {
    const bridge: Link = { ...eth0, index: 3, name: 'br0', kind: 'bridge' };
    const tunnel: Link = { ...eth0, index: 4, name: 'gretap1', kind: 'gretap', peerIndex: 3, master: 3 };
    const watch = new LinkWatch(() => [bridge, tunnel]);
    expect(watch.heard({ type: 'link', link: { ...bridge, carrierUps: 2 } })).to.deep.equal([3, 4]);
  });

  it('brings back what is built upon it, but not by another hardware address of its own', () => {
    const bond0: Link = { ...eth0, index: 3, name: 'bond0', kind: 'bond' };
    const vlan: Link = { ...eth0, index: 4, name: 'bond0.77', kind: 'vlan', peerIndex: 3 };
    const veth: Link = { ...eth0, index: 5, name: 'veth0', kind: 'veth', peerIndex: 3 };
    const port = { ...eth0, master: 3 };
    const watch = new LinkWatch(() => [port, bond0, vlan, veth]);
    const heard = (more: Partial<Link>) => watch.heard({ type: 'link', link: { ...port, ...more } });
    expect(heard({ carrierUps: 2 })).to.deep.equal([2, 3, 4]);
    expect(heard({ carrierUps: 2, address: '02:00:00:00:00:0b' })).to.deep.equal([2]);
  });
});
