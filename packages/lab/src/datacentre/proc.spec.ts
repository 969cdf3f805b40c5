import { expect } from 'chai';
import { identify, isAlive, parseStat } from './proc.js';

const stat = (name: string, state: string) =>
  `42 (${name}) ${state} 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200`;

describe('the identity of a process', () => {
  it('is its pid and its start time, whatever its name looks like', () => {
    for (const name of ['node', 'a b', 'x) R (y']) {
      expect(parseStat(42, stat(name, 'S')), name).to.deep.equal({ pid: 42, startTime: '98765' });
    }
  });

  it('ends when it ends, though its parent has not yet noticed', () => {
    expect(parseStat(42, stat('node', 'Z'))).to.equal(undefined);
  });

  it('is not that of a later process with the same pid', () => {
    const self = identify(process.pid)!;
    expect(isAlive(self)).to.equal(true);
    expect(isAlive({ ...self, startTime: '1' })).to.equal(false);
    expect(identify(2 ** 30)).to.equal(undefined);
  });
});
