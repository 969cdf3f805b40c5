import { type AddressRange, addressOf, type Family, formatRange, intersection } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { RangeIndex } from './range-index.js';

const range = fc
  .tuple(fc.constantFrom<Family>('ipv4', 'ipv4', 'ipv6'), fc.nat(400), fc.nat(40))
  .map(([family, first, more]): AddressRange => {
    return { first: addressOf(family, BigInt(first)), last: addressOf(family, BigInt(first + more)) };
  });

describe('RangeIndex', () => {
  it('finds exactly what a search one by one finds, whenever it came in', () => {
    fc.assert(
      fc.property(fc.array(range), fc.array(range, { maxLength: 120 }), range, (first, later, wanted) => {
        const index = new RangeIndex(first.map((each, owner) => ({ range: each, owner })));
        for (const [n, each] of later.entries()) index.add(each, first.length + n);
        const found = [...index.overlaps(wanted)].map(({ owner, shared }) => `${owner} ${formatRange(shared)}`);
        const expected = [...first, ...later].flatMap((each, owner) => {
          const shared = intersection(each, wanted);
          return shared ? [`${owner} ${formatRange(shared)}`] : [];
        });
        expect(found.sort()).to.deep.equal(expected.sort());
      }),
    );
  });
});
