import type { Address, Link } from '@fairlead/netlink';
import { expect } from 'chai';
import { hostInterfaces } from './host-interfaces.js';

const link = (name: string, index: number, more: Partial<Link> = {}): Link => ({
  ...{ name, index, up: true, carrier: true, operationalState: 'up', loopback: false, flags: 0, mtu: 1500 },
  address: '02:00:00:00:00:01',
  ...more,
});
const address = (index: number, text: string): Address => ({
  ...{ index, family: 'ipv4', address: text, prefixLength: 24, scope: 0, flags: 0 },
  ...{ permanent: true, tentative: false, duplicate: false },
});

const links: Link[] = [
  link('lo', 1, { loopback: true, address: '00:00:00:00:00:00' }),
  link('eth0', 2, { master: 4 }),
  link('eth1', 3, { master: 4 }),
  link('bond0', 4, { kind: 'bond', master: 5 }),
  link('br0', 5, { kind: 'bridge' }),
  link('br0.77', 6, { kind: 'vlan', carrier: false }),
  link('red', 7, { kind: 'vrf', address: '' }),
  link('eth2', 8, { master: 7 }),
  link('tun0', 9, { address: '' }),
  link('fairlead0', 10, { kind: 'veth' }),
];
// What was configured before they became parts is often still there.
const addresses = [
  address(2, '10.77.0.11'),
  address(5, '10.77.0.11'),
  address(5, '10.77.0.12'),
  address(8, '10.9.0.1'),
];
const rtnetlink = { links: () => links, addresses: () => addresses };

describe('the interfaces of a host that may lead to a LAN', () => {
  const found = hostInterfaces(rtnetlink, { ownInterface: 'fairlead0' });

  it('are bonds, bridges, VLANs and plain ones, members of a VRF included, and no parts of another', () => {
    expect(found.map(({ name }) => name)).to.deep.equal(['br0', 'br0.77', 'eth2']);
  });

  it('have their own addresses, and run when they have a carrier', () => {
    expect(found.map((each) => [each.running, each.addresses.map(({ address: text }) => text)])).to.deep.equal([
      [true, ['10.77.0.11', '10.77.0.12']],
      [false, []],
      [true, ['10.9.0.1']],
    ]);
  });

  it('are the one that is asked for', () => {
    expect(
      hostInterfaces(rtnetlink, { ownInterface: 'fairlead0', only: 'br0.77' }).map(({ name }) => name),
    ).to.deep.equal(['br0.77']);
  });
});
