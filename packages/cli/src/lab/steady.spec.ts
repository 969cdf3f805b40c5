import { epochMs, type Probe, type ProbeAttempt } from '@fairlead/lab';
import { expect } from 'chai';
import { steady, stopWhenSteady } from './steady.js';

/** A probe whose attempts are told of one by one. */
class ToldProbe {
  readonly attempts: ProbeAttempt[] = [];
  #waiting: { done: (attempts: readonly ProbeAttempt[]) => boolean; resolve: () => void }[] = [];

  until(_what: string, done: (attempts: readonly ProbeAttempt[]) => boolean): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ done, resolve }));
  }

  /** Attempts 10 ms apart, the first of which began then. */
  tell(startMs: number, count: number, outcome = 'connected'): void {
    for (let n = 0; n < count; n++) {
      this.attempts.push({ startMs: startMs + 10 * n, durationMs: 1, outcome });
      this.#waiting = this.#waiting.filter(({ done, resolve }) => !done(this.attempts) || resolve());
    }
  }

  async stop() {
    return { attempts: this.attempts, missed: 0 };
  }

  get probe(): Probe {
    return this as unknown as Probe;
  }
}

describe('a client that is served steadily', () => {
  it('has been for that long without a failure', async () => {
    const told = new ToldProbe();
    let over = false;
    const waited = steady(told.probe, 1_000).then((until) => {
      over = true;
      return until;
    });
    const from = epochMs() + 1;
    told.tell(from, 90);
    told.tell(from + 900, 1, 'timeout');
    told.tell(from + 910, 90);
    await null;
    await null;
    expect(over).to.equal(false);
    told.tell(from + 1_810, 20);
    expect(await waited).to.be.within(from + 1_899, from + 1_911);
  });

  it('is not one that was served before, however late that is told', async () => {
    const told = new ToldProbe();
    const before = epochMs();
    const waited = stopWhenSteady(told.probe, { connectTimeoutMs: 500 });
    const from = epochMs() + 1;
    told.tell(before - 3_000, 250);
    told.tell(before - 500, 50, 'timeout');
    told.tell(from, 250);
    // All of this is told at once, and some that was under way when there was enough of it.
    told.tell(from + 2_500, 3, 'timeout');
    const { outageMs } = await waited;
    expect(outageMs).to.be.within(500, from - before + 510);
  });
});
