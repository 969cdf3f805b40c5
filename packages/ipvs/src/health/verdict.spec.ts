import { expect } from 'chai';
import fc from 'fast-check';
import { type HealthState, observe, unknownHealth } from './verdict.js';

const rules = { fall: 2, rise: 3 };

/** The state after outcomes in order of their probes: `+` success, `-` failure. */
function after(outcomes: string, from: HealthState = unknownHealth): HealthState {
  return [...outcomes].reduce(
    (state, outcome) =>
      observe(state, state.lastProbe + 1, outcome === '+' ? { ok: true } : { ok: false, reason: 'refused' }, rules),
    from,
  );
}

describe('health of a node', () => {
  it('is decided by the first outcome alone', () => {
    expect(after('').verdict).to.equal('unknown');
    expect(after('+').verdict).to.equal('healthy');
    expect(after('-').verdict).to.equal('unhealthy');
  });

  it('falls after as many failures in a row as the rules say', () => {
    for (const [outcomes, verdict] of [
      ['+-', 'healthy'],
      ['+--', 'unhealthy'],
      ['+-+-+-', 'healthy'],
    ] as const) {
      expect(after(outcomes).verdict, outcomes).to.equal(verdict);
    }
  });

  it('rises after as many successes in a row as the rules say', () => {
    for (const [outcomes, verdict] of [
      ['-++', 'unhealthy'],
      ['-+++', 'healthy'],
      ['-++-++', 'unhealthy'],
      ['-++-+++', 'healthy'],
    ] as const) {
      expect(after(outcomes).verdict, outcomes).to.equal(verdict);
    }
  });

  it('keeps the reason of the last failure until a success', () => {
    expect(after('+-').reason).to.equal('refused');
    expect(after('+-+').reason).to.equal('');
  });

  it('ignores an outcome that a younger probe has overtaken', () => {
    const state = observe(after('+'), 5, { ok: true }, rules);
    expect(observe(state, 4, { ok: false, reason: 'late time-out' }, rules)).to.equal(state);
  });

  it('changes its verdict only on `fall` or `rise` equal outcomes at the end of the row', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('+', '-'), { minLength: 1, maxLength: 30 }), (row) => {
        const before = after(row.slice(0, -1).join(''));
        const now = after(row.join(''));
        if (before.verdict !== now.verdict && before.verdict !== 'unknown') {
          const needed = now.verdict === 'healthy' ? rules.rise : rules.fall;
          expect(row.slice(-needed).join('')).to.equal((now.verdict === 'healthy' ? '+' : '-').repeat(needed));
        }
      }),
    );
  });
});
