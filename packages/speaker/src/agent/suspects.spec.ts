import { expect } from 'chai';
import { Suspects } from './suspects.js';

/** Timers that go off when told to. */
function fakeTimers() {
  const pending = new Set<() => void>();
  const handles = new Map<object, () => void>();
  return {
    pending,
    setTimeout: ((job: () => void) => {
      const handle = { unref() {} };
      const fire = () => {
        pending.delete(fire);
        job();
      };
      pending.add(fire);
      handles.set(handle, fire);
      return handle;
    }) as unknown as typeof setTimeout,
    clearTimeout: ((handle: object) => pending.delete(handles.get(handle)!)) as unknown as typeof clearTimeout,
  };
}

describe('suspects', () => {
  it('are suspects for a while, and only they', () => {
    const timers = fakeTimers();
    const told: [string, boolean][] = [];
    const suspects = new Suspects({ forMs: 4_000, onChange: (...change) => told.push(change), ...timers });
    suspects.suspect('n1');
    expect(told).to.deep.equal([['n1', true]]);
    for (const fire of timers.pending) fire();
    expect(told).to.deep.equal([
      ['n1', true],
      ['n1', false],
    ]);
  });

  it('that lost several virtual routers are suspects until the last of them', () => {
    const timers = fakeTimers();
    const told: boolean[] = [];
    const suspects = new Suspects({ forMs: 4_000, onChange: (_, suspect) => told.push(suspect), ...timers });
    suspects.suspect('n1');
    suspects.suspect('n1');
    expect(timers.pending.size).to.equal(1);
    expect(told).to.deep.equal([true]);
    suspects.stop();
    expect(timers.pending.size).to.equal(0);
  });
});
