import { expect } from 'chai';
import { withCondition } from './conditions.js';

const NOW = Date.UTC(2026, 0, 3, 12, 30, 15, 999);
const other = { type: 'Other', status: 'True', reason: 'R', message: 'm', lastTransitionTime: '2025-01-01T00:00:00Z' };
const said = { type: 'Mine', status: 'False', reason: 'Full', message: 'none left' } as const;
const known = { ...said, lastTransitionTime: '2026-01-01T00:00:00Z' };

describe('withCondition', () => {
  it('adds the condition in whole seconds, beside those of others', () => {
    const mine = { ...said, lastTransitionTime: '2026-01-03T12:30:15Z' };
    expect(withCondition(undefined, said, NOW)).to.deep.equal([mine]);
    expect(withCondition([other], said, NOW)).to.deep.equal([other, mine]);
  });

  it('returns the very same list when there is nothing new to say', () => {
    const list = [known, other];
    expect(withCondition(list, said, NOW)).to.equal(list);
  });

  it('keeps the time while the status stays, and the place in the list', () => {
    const changed = withCondition([known, other], { ...said, message: 'still none' }, NOW);
    expect(changed).to.deep.equal([{ ...known, message: 'still none' }, other]);
  });

  it('takes the time anew when the status flips', () => {
    const [flipped] = withCondition([known], { ...said, status: 'True' }, NOW);
    expect(flipped).to.deep.include({ status: 'True', lastTransitionTime: '2026-01-03T12:30:15Z' });
  });

  it('counts a new observedGeneration as something new', () => {
    const [observed] = withCondition([known], { ...said, observedGeneration: 2 }, NOW);
    expect(observed).to.deep.equal({ ...known, observedGeneration: 2 });
  });
});
