import { expect } from 'chai';
import { DEFEND_EVERY_MS, Defence, REPORT_EVERY_MS } from './defence.js';

describe('the defence of an address', () => {
  it('comes at once, and is reported', () => {
    const defence = new Defence();
    expect(defence.challenged(1, 0)).to.deep.equal({ defend: true, report: true });
    expect(defence.nextAt).to.equal(undefined);
  });

  it('answers everything that came within a second once, at its end', () => {
    const defence = new Defence();
    defence.challenged(1, 0);
    for (let now = 10; now < DEFEND_EVERY_MS; now += 10) {
      expect(defence.challenged(1, now)).to.deep.equal({ defend: false, report: false });
      expect(defence.due(now)).to.deep.equal([]);
    }
    expect(defence.nextAt).to.equal(DEFEND_EVERY_MS);
    expect(defence.due(DEFEND_EVERY_MS)).to.deep.equal([1]);
    expect(defence.nextAt).to.equal(undefined);
    expect(defence.due(5 * DEFEND_EVERY_MS)).to.deep.equal([]);
  });

  it('of one address does not wait for another', () => {
    const defence = new Defence();
    defence.challenged(1, 0);
    expect(defence.challenged(2, 1)).to.deep.equal({ defend: true, report: true });
  });

  it('against a station that never stops comes once in a second, and is reported once in a minute', () => {
    const defence = new Defence();
    let defended = 0;
    let reported = 0;
    for (let now = 0; now < 3 * REPORT_EVERY_MS; now += 100) {
      defended += defence.due(now).length;
      const { defend, report } = defence.challenged(1, now);
      if (defend) defended += 1;
      if (report) reported += 1;
    }
    expect(defended).to.equal((3 * REPORT_EVERY_MS) / DEFEND_EVERY_MS);
    expect(reported).to.equal(3);
  });
});
