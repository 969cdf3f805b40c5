import { expect } from 'chai';
import { Contention, TRUCE_MS } from './contention.js';

describe('Contention', () => {
  /** Somebody undoes what is wanted `times` times, 100 ms apart. */
  function undo(contention: Contention, times: number, fromMs = 0): string[] {
    return [...Array(times).keys()].map((n) => {
      const judgement = contention.judge('a', 'x', fromMs + n * 100);
      if (judgement === 'write') contention.settled('a', 'x');
      return judgement;
    });
  }

  function settledOnce(): Contention {
    const contention = new Contention();
    contention.settled('a', 'x');
    return contention;
  }

  it('puts right what was undone three times, reports once, and then leaves it alone', () => {
    expect(undo(settledOnce(), 6)).to.deep.equal(['write', 'write', 'write', 'yield', 'truce', 'truce']);
  });

  it('begins anew after the truce', () => {
    const contention = settledOnce();
    undo(contention, 4);
    expect(undo(contention, 4, TRUCE_MS + 300)).to.deep.equal(['write', 'write', 'write', 'yield']);
  });

  it('minds nothing that happens now and then', () => {
    const contention = settledOnce();
    for (let minute = 0; minute < 20; minute++) {
      expect(contention.judge('a', 'x', minute * 61_000)).to.equal('write');
    }
  });

  it('writes what is wanted anew, in a truce too', () => {
    const contention = settledOnce();
    undo(contention, 5);
    expect(contention.judge('a', 'y', 600)).to.equal('write');
  });

  it('judges every object by itself, and forgets those that are gone', () => {
    const contention = settledOnce();
    undo(contention, 5);
    expect(contention.judge('b', 'x', 600)).to.equal('write');
    contention.forget('a');
    expect(contention.judge('a', 'x', 600)).to.equal('write');
  });
});
