import { expect } from 'chai';
import fc from 'fast-check';
import { TimerQueue } from './timer-queue.js';

function take(queue: TimerQueue<string>, now: number): string[] {
  const keys: string[] = [];
  for (let key = queue.takeDue(now); key !== undefined; key = queue.takeDue(now)) keys.push(key);
  return keys;
}

describe('a timer queue', () => {
  it('gives what is due, the earliest first, and each once', () => {
    const queue = new TimerQueue<string>();
    for (const [key, at] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
    ] as const) {
      queue.set(key, at);
    }
    expect(queue.nextAt).to.equal(10);
    expect(take(queue, 20)).to.deep.equal(['a', 'b']);
    expect(take(queue, 20)).to.deep.equal([]);
    expect(queue.nextAt).to.equal(30);
  });

  const operation = fc.oneof(
    fc.record({ set: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), at: fc.nat(30) }),
    fc.record({ remove: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f') }),
    fc.record({ now: fc.nat(30) }),
  );

  it('does what a plain list would do', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const queue = new TimerQueue<string>();
        const plain = new Map<string, number>();
        for (const what of operations) {
          if ('set' in what) {
            queue.set(what.set, what.at);
            plain.set(what.set, what.at);
          } else if ('remove' in what) {
            queue.delete(what.remove);
            plain.delete(what.remove);
          } else {
            const due = [...plain].filter(([, at]) => at <= what.now);
            const taken = take(queue, what.now);
            expect(taken).to.have.members(due.map(([key]) => key));
            expect(taken.map((key) => plain.get(key))).to.deep.equal(due.map(([, at]) => at).sort((a, b) => a - b));
            for (const [key] of due) plain.delete(key);
          }
          expect(queue.nextAt).to.equal(plain.size > 0 ? Math.min(...plain.values()) : undefined);
        }
      }),
    );
  });
});
