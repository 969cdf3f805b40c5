import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { constants } from './index.js';

describe('constants', () => {
  it('are all there: what the types promise is what the addon has', () => {
    const source = readFileSync(new URL('../src/constants.ts', import.meta.url), 'utf8');
    const promised = [...source.matchAll(/readonly (\w+): number/g)].map(([, name]) => name);
    expect(Object.keys(constants)).to.have.members(promised as string[]);
    for (const [name, value] of Object.entries(constants)) expect(Number.isInteger(value), name).to.equal(true);
  });

  it('are the numbers of this machine, and stay so', () => {
    expect(constants).to.include({ AF_INET: 2, AF_PACKET: 17, AF_NETLINK: 16, ETH_P_ARP: 0x0806, IPPROTO_VRRP: 112 });
    if (['x64', 'arm64'].includes(process.arch)) {
      expect(constants).to.include({ SOL_SOCKET: 1, SO_RCVBUFFORCE: 33, SOL_NETLINK: 270, MSG_ERRQUEUE: 0x2000 });
    }
    expect(() => Object.assign(constants, { AF_INET: 3 })).to.throw(TypeError);
  });
});
