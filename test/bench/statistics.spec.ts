import { expect } from 'chai';
import fc from 'fast-check';
import { median, percentile } from './statistics.js';

describe('percentiles', () => {
  for (const { samples, percent, expected } of [
    { samples: [7], percent: 99, expected: 7 },
    { samples: [3, 1, 2], percent: 0, expected: 1 },
    { samples: [3, 1, 2], percent: 50, expected: 2 },
    { samples: [3, 1, 2], percent: 100, expected: 3 },
    { samples: [10, 20], percent: 25, expected: 12.5 },
    { samples: [100, 9, 20], percent: 50, expected: 20 },
  ]) {
    it(`${percent} of ${samples.join(', ')} is ${expected}`, () => {
      expect(percentile(samples, percent)).to.equal(expected);
    });
  }

  it('lie among the samples and never fall as the percentage rises', () => {
    const samples = fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 1 });
    const percent = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(samples, percent, percent, (values, a, b) => {
        const [low, high] = [percentile(values, Math.min(a, b)), percentile(values, Math.max(a, b))];
        expect(low).to.be.at.least(Math.min(...values));
        expect(high).to.be.at.most(Math.max(...values));
        // Interpolation rounds: two neighbours may come out a hair apart.
        expect(high - low).to.be.at.least(-1e-6);
      }),
    );
  });

  it('leave the samples in the order in which they were taken', () => {
    const samples = [3, 1, 2];
    median(samples);
    expect(samples).to.deep.equal([3, 1, 2]);
  });

  it('of nothing, or outside 0 to 100, are refused', () => {
    expect(() => percentile([], 50)).to.throw(RangeError);
    expect(() => percentile([1], 101)).to.throw(RangeError);
    expect(() => percentile([1], Number.NaN)).to.throw(RangeError);
  });
});
