import { expect } from 'chai';
import { Throttle } from './throttle.js';

describe('a throttle', () => {
  it('lets each text through once in its time', () => {
    const throttle = new Throttle(100);
    const asked = [0, 50, 99, 100, 150, 210].map((now) => throttle.allows('a', now));
    expect(asked).to.deep.equal([true, false, false, true, false, true]);
    expect(throttle.allows('b', 211)).to.equal(true);
  });

  it('forgets the oldest rather than remember without end', () => {
    const throttle = new Throttle(100);
    for (let n = 0; n <= 1_000; n++) throttle.allows(String(n), 0);
    expect(throttle.allows('0', 1)).to.equal(true);
    expect(throttle.allows('1000', 1)).to.equal(false);
  });
});
