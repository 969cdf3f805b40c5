import { expect } from 'chai';
import fc from 'fast-check';
import { realServerChain, scheduleSlots } from './ruleset.js';

const real = (n: number, weight: number) => ({ address: `10.77.0.${n}`, port: 30080, weight });
const slots = (...weights: number[]) =>
  scheduleSlots(weights.map((weight, n) => real(n, weight)))
    .map(({ address }) => address.split('.').at(-1))
    .join('');

describe('turns of an nftables virtual server', () => {
  it('are one for each real server when all weigh the same', () => {
    expect(slots(1, 1, 1)).to.equal('012');
    expect(slots(100, 100)).to.equal('01');
  });

  it('follow the weights, spread out', () => {
    expect(slots(3, 1)).to.equal('0010');
    expect(slots(2, 4, 2)).to.equal('1021');
  });

  it('leave out real servers of weight 0', () => {
    expect(slots(0, 1)).to.equal('1');
    expect(slots(0, 0)).to.equal('');
  });

  it('give every real server that has a weight its share, within what 256 turns can express', () => {
    const weights = fc.array(fc.nat(65535), { maxLength: 20 });
    fc.assert(
      fc.property(weights, (list) => {
        const servers = list.map((weight, n) => real(n, weight));
        const turns = scheduleSlots(servers);
        const total = list.reduce((sum, weight) => sum + weight, 0);
        expect(turns.length).to.be.at.most(256 + 2 * list.length);
        for (const server of servers) {
          const share = turns.filter((turn) => turn === server).length;
          if (server.weight === 0) expect(share).to.equal(0);
          else expect(Math.abs(share - (server.weight / total) * turns.length)).to.be.at.most(1 + list.length / 2);
        }
      }),
    );
  });
});

describe('names of chains', () => {
  it('are within what the kernel takes, whatever the addresses', () => {
    const long = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
    const name = realServerChain({ address: long, protocol: 'sctp', port: 65535 }, { address: long, port: 65535 });
    expect(name.length).to.be.below(128); // NFT_CHAIN_MAXNAMELEN
    expect(name).to.match(/^[a-z][a-z0-9/._]*$/);
  });
});
