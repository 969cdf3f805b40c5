import { expect } from 'chai';
import { type Form, Outbox, type Outlet, SLICE } from './outbox.js';

/** An interface that takes as many frames as it has room for. */
class Narrow implements Outlet {
  readonly name = 'eth0';
  readonly mac = Buffer.alloc(6);
  readonly frames: string[] = [];
  room = Number.POSITIVE_INFINITY;
  failure: Error | undefined;

  send(frames: readonly Buffer[]): number {
    if (this.failure) throw this.failure;
    const taken = frames.slice(0, this.room);
    this.room -= taken.length;
    this.frames.push(...taken.map(String));
    return taken.length;
  }
}

const named =
  (form: string): Form =>
  (ips) =>
    ips.map((ip) => Buffer.from(`${form} ${ip}`));

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the outbox of announcements', () => {
  let to: Narrow;
  let failures: string[];
  let outbox: Outbox;

  beforeEach(() => {
    to = new Narrow();
    failures = [];
    outbox = new Outbox((_, error) => failures.push(error.message));
  });

  const put = (urgency: 0 | 1 | 2, form: string, count: number, wanted = () => true) =>
    outbox.put(urgency, { to, ips: numbers(count), form: named(form), wanted });

  it('sends the most urgent first, and of equals what came first', () => {
    put(2, 'again', 1);
    put(1, 'second', 1);
    put(0, 'first', 2);
    put(0, 'other', 1);
    outbox.send(0);
    expect(to.frames).to.deep.equal(['first 0', 'first 1', 'other 0', 'second 0', 'again 0']);
    expect(outbox.nextAt(0)).to.equal(undefined);
  });

  it('sends a slice at a time, and lets what is more urgent go in between', () => {
    put(2, 'again', SLICE + 1);
    outbox.send(0);
    expect(to.frames).to.have.length(SLICE);
    expect(outbox.nextAt(7)).to.equal(7);
    put(0, 'first', 1);
    outbox.send(7);
    expect(to.frames.slice(SLICE)).to.deep.equal(['first 0', `again ${SLICE}`]);
  });

  it('waits a millisecond when the interface is full, and loses nothing', () => {
    to.room = 3;
    put(0, 'first', 5);
    outbox.send(10);
    outbox.send(10.5);
    expect([to.frames.length, outbox.nextAt(10.5)]).to.deep.equal([3, 11]);
    to.room = 10;
    outbox.send(11);
    expect(to.frames).to.deep.equal(numbers(5).map((n) => `first ${n}`));
    expect(failures).to.deep.equal([]);
  });

  it('gives up on an interface that takes nothing any more, and tells', () => {
    to.room = 0;
    put(0, 'first', 5);
    let now = 0;
    for (; outbox.nextAt(now) !== undefined && now < 10_000; now++) outbox.send(now);
    expect(now).to.be.within(1_000, 1_010);
    expect(failures).to.deep.equal(['eth0 has taken no frame for 1000 ms; 5 are not sent']);
  });

  it('tells of a failure once, and goes on with the next', () => {
    to.failure = new Error('the interface is down');
    put(0, 'first', 5_000);
    outbox.send(0);
    expect([failures, outbox.nextAt(0)]).to.deep.equal([['the interface is down'], undefined]);
  });

  it('does not send what is no longer wanted', () => {
    let wanted = true;
    put(0, 'first', 2 * SLICE, () => wanted);
    outbox.send(0);
    wanted = false;
    outbox.send(0);
    expect(to.frames).to.have.length(SLICE);
    expect(outbox.nextAt(0)).to.equal(undefined);
  });
});
