import { expect } from 'chai';
import fc from 'fast-check';
import { backoffMs } from './backoff.js';

describe('backoffMs', () => {
  const options = { baseMs: 100, maxMs: 5_000 };

  it('doubles up to the maximum', () => {
    const most = [1, 2, 3, 6, 7, 50, 5_000].map((failures) => backoffMs(failures, options, () => 1));
    expect(most).to.deep.equal([100, 200, 400, 3_200, 5_000, 5_000, 5_000]);
  });

  it('is never below half of the base, nor above the maximum', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.nat(), random, (failures, luck) => {
        expect(backoffMs(failures, options, () => luck)).to.be.within(50, 5_000);
      }),
    );
  });
});
