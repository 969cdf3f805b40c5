import { expect } from 'chai';
import { judge } from './row.js';

describe('a row of a benchmark', () => {
  const outage = { name: 'outage', value: 1800, unit: 'ms' };

  it('is neither good nor bad without a limit', () => {
    expect(judge(outage)).to.deep.equal(outage);
  });

  for (const { value, limit, better, ok } of [
    { value: 4000, limit: 4000, better: 'lower', ok: true },
    { value: 4001, limit: 4000, better: 'lower', ok: false },
    { value: 4000, limit: 4000, better: 'higher', ok: true },
    { value: 3999, limit: 4000, better: 'higher', ok: false },
  ] as const) {
    it(`${ok ? 'keeps' : 'misses'} a limit of ${limit} with ${value} where ${better} is better`, () => {
      expect(judge({ ...outage, value, limit, better }).ok).to.equal(ok);
    });
  }

  it('keeps a limit by lower values where nothing else is said', () => {
    expect(judge({ ...outage, limit: 4000 }).ok).to.equal(true);
  });

  it('is compared with its reference, and the limit is one of the ratio then', () => {
    const row = judge({ ...outage, reference: { name: 'keepalived', value: 3600 }, limit: 1 });
    expect(row).to.include({ ratio: 0.5, ok: true });
    expect(judge({ ...row, value: 3700 }).ok).to.equal(false);
  });

  for (const wrong of [
    { ...outage, value: Number.NaN },
    { ...outage, limit: Number.POSITIVE_INFINITY },
    { ...outage, samples: [1, Number.NaN] },
    { ...outage, reference: { name: 'none', value: Number.NaN } },
    { ...outage, reference: { name: 'nothing', value: 0 } },
  ]) {
    it(`is refused with numbers that cannot be compared: ${JSON.stringify(wrong)}`, () => {
      expect(() => judge(wrong)).to.throw(TypeError, '"outage"');
    });
  }
});
