import { expect } from 'chai';
import { drawTimeline } from './timeline.js';

const attempts = Array.from({ length: 400 }, (_, n) => ({ startMs: n * 10, ok: n * 10 < 1_000 || n * 10 >= 3_000 }));

describe('the timeline of a failover', () => {
  it('shows when connects succeeded, and when none did', () => {
    const [bar] = drawTimeline({ crashMs: 1_000, attempts, marks: [], width: 35, leadMs: 500, tailMs: 1_000 }).split(
      '\n',
    );
    expect(bar).to.match(/^█{5,6}·{20,21}█{8,10}$/);
    expect(bar).to.have.length(35);
  });

  it('points at the crash and at every mark, with its distance', () => {
    const lines = drawTimeline({
      crashMs: 1_000,
      attempts,
      marks: [{ atMs: 3_100, label: 'n2 announces' }],
      width: 60,
    }).split('\n');
    expect(lines[1]).to.match(/^ *▲ crash, \+0 ms$/);
    expect(lines[2]).to.match(/▲ n2 announces, \+2100 ms$/);
    expect(lines[2]!.indexOf('▲')).to.be.greaterThan(lines[1]!.indexOf('▲') + 30);
  });

  it('marks slices in which only some connects failed', () => {
    const mixed = [0, 10, 20, 30].map((startMs, n) => ({ startMs, ok: n % 2 === 0 }));
    expect(drawTimeline({ crashMs: 0, attempts: mixed, marks: [], width: 4, leadMs: 0, tailMs: 370 })[0]).to.equal('▒');
  });

  it('keeps a late mark inside the picture', () => {
    const lines = drawTimeline({
      crashMs: 0,
      attempts: [],
      marks: [{ atMs: 9_000, label: 'a rather long label here' }],
      width: 30,
    });
    for (const line of lines.split('\n')) expect(line.length).to.be.at.most(50);
  });

  it('draws without any attempt', () => {
    expect(drawTimeline({ crashMs: 0, attempts: [], marks: [], width: 10 }).split('\n')[0]).to.equal(' '.repeat(10));
  });
});
