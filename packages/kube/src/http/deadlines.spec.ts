import { expect } from 'chai';
import { Deadlines } from './deadlines.js';

describe('Deadlines', () => {
  let deadlines: Deadlines;
  let expired: string[];

  beforeEach(() => {
    deadlines = new Deadlines();
    expired = [];
  });

  /** Resolves when its deadline is told; the time is checked then and there. */
  function after(ms: number, name: string) {
    let told: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      told = resolve;
    });
    const deadline = performance.now() + ms;
    const onDeadline = () => {
      expect(performance.now()).to.be.at.least(deadline);
      expired.push(name);
      told();
    };
    const entry = { deadline, onDeadline };
    deadlines.add(entry);
    return { entry, done };
  }

  it('tells of each when its time has come, in order of time', async () => {
    const late = after(30, 'late');
    const early = after(10, 'early');
    await Promise.all([late.done, early.done]);
    expect(expired).to.deep.equal(['early', 'late']);
  });

  it('forgets what was met, and goes on to the next one', async () => {
    const met = after(5, 'met');
    const next = after(15, 'next');
    deadlines.delete(met.entry);
    await next.done;
    expect(expired).to.deep.equal(['next']);
  });

  it('begins anew after there was none', async () => {
    deadlines.delete(after(5, 'met').entry);
    await after(5, 'other').done;
    expect(expired).to.deep.equal(['other']);
  });

  it('lets a deadline take away and add others', async () => {
    const other = after(1_000, 'other');
    let third: Promise<void> | undefined;
    const first = new Promise<void>((resolve) => {
      deadlines.add({
        deadline: performance.now(),
        onDeadline: () => {
          deadlines.delete(other.entry);
          third = after(5, 'third').done;
          resolve();
        },
      });
    });
    await first;
    await third;
    expect(expired).to.deep.equal(['third']);
  });
});
