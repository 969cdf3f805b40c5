/** Time that passes when a test says so, and a network whose answers a test decides. */

import type { Probe, SendProbe } from './probe.js';
import type { Timers } from './timers.js';
import type { ProbeOutcome } from './verdict.js';

export class FakeTimers implements Timers {
  #now = 0;
  #next = 0;
  readonly #timers = new Map<number, { at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): number {
    this.#timers.set(++this.#next, { at: this.#now + ms, callback });
    return this.#next;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  /** Lets time pass; every timer fires at its moment. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#earliest(); next && next[1].at <= end; next = this.#earliest()) {
      this.#timers.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].at);
      next[1].callback();
    }
    this.#now = end;
  }

  /** As `advance`, but nothing runs before the end: this thread stood still. */
  freeze(ms: number): void {
    this.#now += ms;
  }

  get pending(): number {
    return this.#timers.size;
  }

  #earliest(): [number, { at: number; callback: () => void }] | undefined {
    return [...this.#timers].sort(([idA, a], [idB, b]) => a.at - b.at || idA - idB)[0];
  }
}

/** Answers after `rttMs` what `answer` says at the moment of sending; `silence`: never. */
export class FakeNetwork {
  readonly sent: { at: number; probe: Probe }[] = [];
  unanswered = 0;
  mostUnanswered = 0;
  answer: (probe: Probe) => ProbeOutcome | 'silence' = () => ({ ok: true });

  constructor(
    readonly timers: FakeTimers,
    readonly rttMs = 1,
  ) {}

  readonly send: SendProbe = (probe, done) => {
    this.sent.push({ at: this.timers.now(), probe });
    this.mostUnanswered = Math.max(this.mostUnanswered, ++this.unanswered);
    const answer = this.answer(probe);
    let open = true;
    const close = () => {
      if (open) this.unanswered--;
      open = false;
    };
    const timer =
      answer === 'silence'
        ? undefined
        : this.timers.setTimeout(() => {
            close();
            done(answer);
          }, this.rttMs);
    return () => {
      this.timers.clearTimeout(timer);
      close();
    };
  };

  /** When probes to this address were sent, ms. */
  times(address: string): number[] {
    return this.sent.filter(({ probe }) => probe.address === address).map(({ at }) => at);
  }
}
