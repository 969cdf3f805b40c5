import { expect } from 'chai';
import { HOLDOVER_TICK_MS, Holdover } from './holdover.js';

describe('holdover', () => {
  it('lasts as long as the process runs without a gap', () => {
    const holdover = new Holdover();
    expect(holdover.begin(3_010, 3_000)).to.equal(true);
    for (let now = 3_010; now < 60_000; now += HOLDOVER_TICK_MS) expect(holdover.tick(now)).to.equal(true);
  });

  it('does not begin when the deadline passed while nobody was looking', () => {
    const holdover = new Holdover();
    expect(holdover.begin(9_000, 3_000)).to.equal(false);
    expect(holdover.active(9_000)).to.equal(false);
  });

  it('is over for a process that was frozen, even before its next tick', () => {
    const holdover = new Holdover();
    holdover.begin(3_000, 3_000);
    expect(holdover.active(3_200)).to.equal(true);
    expect(holdover.active(8_000)).to.equal(false);
    expect(holdover.tick(8_000)).to.equal(false);
    expect(holdover.active(8_001)).to.equal(false);
  });

  it('ends for good when it is ended', () => {
    const holdover = new Holdover();
    holdover.begin(3_000, 3_000);
    holdover.end();
    expect(holdover.begun).to.equal(false);
    expect(holdover.active(3_000)).to.equal(false);
  });
});
