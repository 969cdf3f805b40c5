import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import fc from 'fast-check';
import { KubeError } from './error.js';
import { WorkQueue } from './work-queue.js';

describe('WorkQueue', () => {
  const quick = { baseMs: 1, maxMs: 4 };

  it('processes keys in the order in which they came, each once', async () => {
    const done: string[] = [];
    const queue = new WorkQueue({ process: (key) => void done.push(key) });
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(done).to.deep.equal([]);
    await queue.idle();
    expect(done).to.deep.equal(['a', 'b', 'c']);
  });

  it('processes a key once more when it was added while it ran', async () => {
    let runs = 0;
    const queue = new WorkQueue({
      process: async (key) => {
        runs++;
        if (runs === 1) for (let i = 0; i < 5; i++) queue.add(key);
        await null;
      },
    });
    queue.add('a');
    await queue.idle();
    expect(runs).to.equal(2);
  });

  it('never works on one key twice at a time, whatever the concurrency, and never forgets an addition', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(3)), { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        async (additions, concurrency) => {
          const running = new Set<string>();
          let most = 0;
          /** Number of the last addition of a key, and of the last one that a run began after. */
          const added = new Map<string, number>();
          const seen = new Map<string, number>();
          const queue = new WorkQueue({
            concurrency,
            process: async (key) => {
              expect(running.has(key)).to.equal(false);
              running.add(key);
              most = Math.max(most, running.size);
              seen.set(key, added.get(key)!);
              for (let i = 0; i < 3; i++) await null;
              running.delete(key);
            },
          });
          for (const [i, [key, pause]] of additions.entries()) {
            added.set(key, i);
            queue.add(key);
            for (let j = 0; j < pause; j++) await null;
          }
          await queue.idle();
          expect(seen).to.deep.equal(added);
          expect(most).to.be.at.most(concurrency);
        },
      ),
    );
  });

  it('tries a failed key again, and tells each time', async () => {
    const failures: number[] = [];
    let succeeded: () => void;
    const success = new Promise<void>((resolve) => {
      succeeded = resolve;
    });
    const queue = new WorkQueue({
      process: () => {
        if (failures.length < 3) throw new Error('not yet');
        succeeded();
      },
      backoff: quick,
      onError: (_error, _key, count) => failures.push(count),
    });
    queue.add('a');
    await success;
    expect(failures).to.deep.equal([1, 2, 3]);
  });

  it('does not let a failing key hold up the others', async () => {
    const done: string[] = [];
    const queue = new WorkQueue({
      process: (key) => {
        if (key === 'bad') throw new Error('always');
        done.push(key);
      },
      backoff: { baseMs: 3_600_000, maxMs: 3_600_000 },
      onError: () => {},
    });
    for (const key of ['bad', 'a', 'b']) queue.add(key);
    await queue.idle();
    expect(done).to.deep.equal(['a', 'b']);
    await queue.stop();
  });

  it('does not make a key wait for its retry when it is added anew', async () => {
    let runs = 0;
    const queue = new WorkQueue({
      process: () => {
        if (++runs === 1) throw new Error('first');
      },
      backoff: { baseMs: 3_600_000, maxMs: 3_600_000 },
      onError: () => {},
    });
    queue.add('a');
    await queue.idle();
    queue.add('a');
    await queue.idle();
    expect(runs).to.equal(2);
  });

  it('waits as long as the API server wishes', async () => {
    const at: number[] = [];
    await new Promise<void>((resolve) => {
      const queue = new WorkQueue({
        process: () => {
          at.push(performance.now());
          if (at.length > 1) return resolve();
          throw new KubeError({ code: 'FL_KUBE_TOO_MANY_REQUESTS', message: 'later', status: 429, retryAfterMs: 60 });
        },
        backoff: quick,
        onError: () => {},
      });
      queue.add('a');
    });
    expect(at[1]! - at[0]!).to.be.at.least(59);
  });

  it('comes back to a key that asks for it', async () => {
    let runs = 0;
    await new Promise<void>((resolve) => {
      const queue = new WorkQueue({
        process: () => {
          if (++runs === 3) return resolve();
          return { againAfterMs: 1 };
        },
      });
      queue.add('a');
    });
    expect(runs).to.equal(3);
  });

  it('keeps the earlier of two times', async () => {
    await new Promise<void>((resolve) => {
      const queue = new WorkQueue({ process: () => resolve() });
      queue.addAfter('a', 3_600_000);
      queue.addAfter('a', 1);
      queue.addAfter('a', 3_600_000);
    });
  });

  it('lets the event loop turn while keys are processed that never wait', async () => {
    let turned = false;
    let turnedBefore = 0;
    const queue = new WorkQueue({
      process: () => {
        const until = performance.now() + 2;
        while (performance.now() < until);
        if (!turned) turnedBefore++;
      },
    });
    for (let i = 0; i < 50; i++) queue.add(`key-${i}`);
    setImmediate(() => {
      turned = true;
    });
    await queue.idle();
    expect(turnedBefore).to.be.below(50);
  });

  it('keeps nothing of those who give up waiting for it to be idle, however busy it is', async () => {
    let end = () => {};
    const queue = new WorkQueue({
      process: () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    });
    queue.add('a');
    await null;
    const forLong = new AbortController();
    for (let n = 0; n < 100; n++) {
      const patience = new AbortController();
      const idle = queue.idle(patience.signal);
      patience.abort();
      await idle;
    }
    expect(queue.idlers).to.equal(0);
    const idle = queue.idle(forLong.signal);
    end();
    await idle;
    expect([queue.idlers, getEventListeners(forLong.signal, 'abort').length]).to.deep.equal([0, 0]);
  });

  it('stop() aborts what runs, waits for it and starts nothing more', async () => {
    const started: string[] = [];
    const queue = new WorkQueue({
      process: (key, signal) => {
        started.push(key);
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    });
    queue.add('a');
    queue.add('b');
    await null;
    await queue.stop();
    queue.add('c');
    await queue.idle();
    expect(started).to.deep.equal(['a']);
  });
});
