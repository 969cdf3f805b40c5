import { parseAddress } from '@fairlead/api';
import { expect } from 'chai';
import { type HostInterface, uplinkFor } from './uplinks.js';

function iface(name: string, index: number, ...addresses: string[]): HostInterface {
  return {
    name,
    index,
    mtu: 1500,
    running: true,
    addresses: addresses.map((text) => {
      const [address, prefixLength] = text.split('/');
      return { address: address!, prefixLength: Number(prefixLength) };
    }),
  };
}

const interfaces = [
  iface('lo', 1, '127.0.0.1/8', '::1/128'),
  iface('eth1', 3, '10.77.0.12/24'),
  iface('eth0', 2, '10.77.0.11/24', 'fd00:77::11/64'),
  iface('vlan9', 4, '10.77.0.129/25', '192.0.2.1/32'),
  iface('empty', 5),
];

describe('the interface of a VIP', () => {
  const cases: [string, string | undefined, string][] = [
    ['10.77.0.20', 'eth0', 'has an address in its subnet; the lowest index where two have'],
    ['10.77.0.200', 'vlan9', 'is the one with the longest prefix'],
    ['fd00:77::c8', 'eth0', 'is found for IPv6'],
    ['10.78.0.1', undefined, 'does not exist for a subnet that the node is not in'],
    ['192.0.2.1', undefined, 'is not one that merely has the address as a host route'],
  ];
  for (const [vip, name, behaviour] of cases) {
    it(`${behaviour} (${vip})`, () => {
      expect(uplinkFor(parseAddress(vip), interfaces)?.name).to.equal(name);
    });
  }
});
