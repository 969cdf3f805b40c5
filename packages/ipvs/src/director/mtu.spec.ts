import type { Address, Link } from '@fairlead/netlink';
import { expect } from 'chai';
import { pairMtu } from './mtu.js';

const link = (index: number, mtu: number, more: Partial<Link> = {}) =>
  ({ index, name: `eth${index}`, up: true, loopback: false, mtu, ...more }) as Link;
const address = (index: number, scope = 0) => ({ index, scope }) as Address;

describe('MTU of the pair between host and director', () => {
  const table: [string, Link[], Address[], number][] = [
    ['is that of the uplink', [link(2, 9000)], [address(2)], 9000],
    ['is that of the widest with an address', [link(2, 1500), link(3, 9000)], [address(2), address(3)], 9000],
    ['does not look at interfaces without one, such as pods’', [link(2, 1400), link(3, 1500)], [address(2)], 1400],
    ['does not look at link-local addresses', [link(2, 1400), link(3, 1500)], [address(2), address(3, 253)], 1400],
    ['nor at what is off', [link(2, 1400), link(3, 9000, { up: false })], [address(2), address(3)], 1400],
    ['nor at lo', [link(1, 65_536, { loopback: true }), link(2, 1500)], [address(1), address(2)], 1500],
    ['nor at itself', [link(2, 1400), link(9, 9000, { name: 'fairlead0' })], [address(2), address(9)], 1400],
    ['is what is usual where there is no uplink', [link(1, 65_536, { loopback: true })], [], 1500],
    ['has room for IPv6', [link(2, 576)], [address(2)], 1280],
    ['is not more than a veth interface takes', [link(2, 65_536)], [address(2)], 65_535],
  ];
  for (const [what, links, addresses, mtu] of table) {
    it(what, () => expect(pairMtu(links, addresses, 'fairlead0')).to.equal(mtu));
  }
});
