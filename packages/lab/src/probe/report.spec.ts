import { expect } from 'chai';
import { summarize } from './report.js';

/** One attempt every 10 ms: `.` connected, `x` timed out. */
const attempts = (pattern: string) =>
  [...pattern].map((c, i) => ({ startMs: i * 10, durationMs: 1, outcome: c === '.' ? 'connected' : 'timeout' }));

describe('summarize', () => {
  for (const { pattern, outages, outageMs } of [
    { pattern: '', outages: [], outageMs: 0 },
    { pattern: '....', outages: [], outageMs: 0 },
    { pattern: '..x...', outages: [[20, 30]], outageMs: 10 },
    { pattern: '..xxx.', outages: [[20, 50]], outageMs: 30 },
    { pattern: 'xx..', outages: [[0, 20]], outageMs: 20 },
    {
      pattern: '..xx.x..',
      outages: [
        [20, 40],
        [50, 60],
      ],
      outageMs: 40,
    },
    { pattern: '..xx', outages: [[20, null]], outageMs: null },
    {
      pattern: '.x.xx',
      outages: [
        [10, 20],
        [30, null],
      ],
      outageMs: null,
    },
  ] as { pattern: string; outages: [number, number | null][]; outageMs: number | null }[]) {
    it(`sees ${outages.length} outages, ${outageMs} ms in all, in "${pattern}"`, () => {
      const report = summarize(attempts(pattern));
      expect(report.outages.map(({ startMs, endMs }) => [startMs, endMs])).to.deep.equal(outages);
      expect(report.outageMs).to.equal(outageMs);
      expect(report.failures).to.equal([...pattern].filter((c) => c === 'x').length);
    });
  }

  it('orders attempts by their start: a timeout is known long after its successors have connected', () => {
    const [ok, failed, later] = attempts('.x.');
    expect(summarize([ok!, later!, failed!]).outages).to.deep.equal([{ startMs: 10, endMs: 20 }]);
  });
});
