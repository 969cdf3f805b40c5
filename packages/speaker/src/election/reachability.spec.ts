import { expect } from 'chai';
import { Reachability } from './reachability.js';

describe('what is said of an API server', () => {
  let now: number;
  let said: string[];
  let reachability: Reachability;
  const fails = (ms: number, times = 1) => {
    for (let i = 0; i < times; i++) {
      now += ms;
      reachability.attempt(new Error('no answer'));
    }
  };

  beforeEach(() => {
    now = 1_000;
    said = [];
    reachability = new Reachability({
      patienceMs: 3_000,
      clock: () => now,
      tell: (silentMs, error) => void said.push(`${error?.message ?? 'answers'} ${silentMs}`),
    });
  });

  it('is nothing while it answers, or fails for a moment', () => {
    reachability.attempt(undefined);
    fails(1_000, 3);
    reachability.attempt(undefined);
    fails(1_000, 3);
    expect(said).to.deep.equal([]);
  });

  it('is once that it has not answered for a while, and that it does again', () => {
    fails(1_000, 10);
    expect(said).to.deep.equal(['no answer 3000']);
    now += 500;
    reachability.attempt(undefined);
    reachability.attempt(undefined);
    expect(said).to.deep.equal(['no answer 3000', 'answers 9500']);
    fails(1_000, 5);
    expect(said).to.have.length(3);
  });
});
