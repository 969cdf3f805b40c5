import { expect } from 'chai';
import { HOLD_EVERY_MS, lingeringMs, switchSeconds } from './hold.js';

describe('how long a dead speaker’s node stays in the way', () => {
  for (const leaseDurationMs of [1_000, 1_500, 3_000, 15_000]) {
    it(`with a Lease of ${leaseDurationMs} ms: until others have taken over, and not two seconds longer`, () => {
      const afterMs = switchSeconds({ leaseDurationMs }) * 1_000;
      expect(afterMs).to.be.greaterThan(leaseDurationMs);
      expect(afterMs).to.be.lessThan(leaseDurationMs + 2_000);
      expect(HOLD_EVERY_MS * 2).to.be.at.most(afterMs);
      expect(leaseDurationMs + lingeringMs({ leaseDurationMs })).to.be.greaterThan(afterMs + HOLD_EVERY_MS);
    });
  }
});
