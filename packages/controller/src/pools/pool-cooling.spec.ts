import { type AddressPool, addressOf, contains, type IpAddress } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { coolingOf, coolingStatus, MAX_COOLING_ENTRIES } from './pool-cooling.js';

const v4 = (n: number): IpAddress => addressOf('ipv4', 0x0a000000n + BigInt(n));
const readBack = (coolingDown: object) => coolingOf({ status: { coolingDown } } as AddressPool);

describe('the memory of cool-downs in a status', () => {
  it('joins neighbours whose time ends together, and rounds it up', () => {
    const addresses = [3, 1, 2, 9].map((n) => ({ address: v4(n), untilMs: 1_000 + n }));
    expect(coolingStatus(addresses)).to.deep.equal([
      { addresses: '10.0.0.1-10.0.0.3', until: '1970-01-01T00:00:10Z' },
      { addresses: '10.0.0.9/32', until: '1970-01-01T00:00:10Z' },
    ]);
  });

  it('stays small, never joins two families, and never ends a cool-down early', () => {
    const address = fc.oneof(
      fc.nat(2_000).map(v4),
      fc.nat(2_000).map((n) => addressOf('ipv6', (0x20010db8n << 96n) + BigInt(n))),
    );
    const entries = fc.array(fc.record({ address, untilMs: fc.nat(1_000_000) }), { maxLength: 300 });
    fc.assert(
      fc.property(entries, (cooling) => {
        const status = coolingStatus(cooling);
        expect(status.length).to.be.at.most(MAX_COOLING_ENTRIES);
        const known = readBack(status);
        expect(known.length).to.equal(status.length);
        for (const one of cooling) {
          const ends = known.filter(({ range }) => contains(range, one.address)).map((entry) => entry.untilMs);
          expect(Math.max(...ends)).to.be.at.least(one.untilMs);
        }
      }),
    );
  });

  it('leaves out what somebody wrote into it that cannot be read', () => {
    expect(readBack([{ addresses: 'x', until: '2026-01-01T00:00:00Z' }])).to.deep.equal([]);
    expect(readBack([{ addresses: '10.0.0.0/31', until: 'tomorrow' }])).to.deep.equal([]);
  });
});
