/**
 * Keys that need work: each at most once in the queue, each worked on by one at a time, and failed ones again later.
 *
 * A key is a name, not a change: whoever processes it looks at the present state. So ten changes of one object while
 * it waits, or while it is being processed, cost one more run. Order is first come, first served.
 *
 * ```
 *            add()                 free worker
 *   (absent) ─────▶ queued ─────────────────────▶ running ──ok──▶ (absent), or queued when added meanwhile
 *                     ▲   add() or time                │
 *                     └──────────────── waiting ◀──────┘ failed: back-off per key; or "again in N ms"
 * ```
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type BackoffOptions, backoffMs } from './backoff.js';
import { isKubeError } from './error.js';

/** What processing a key may return: look at it again after this time, though nothing failed. */
export interface Again {
  againAfterMs: number;
}

export interface WorkQueueOptions {
  /** Throws or rejects when the key is to be tried again. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is the common case
  process: (key: string, signal: AbortSignal) => Promise<Again | void> | Again | void;
  /** Keys processed at the same time. */
  concurrency?: number;
  backoff?: BackoffOptions;
  /** In [0, 1). */
  random?: () => number;
  /** @param failures how often this key failed in a row */
  onError?: (error: Error, key: string, failures: number) => void;
}

/** Longest time for which keys whose processing never waits may keep the event loop. */
const SLICE_MS = 10;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #backoff: BackoffOptions;
  readonly #queued = new Set<string>();
  readonly #running = new Set<string>();
  /** Keys added while they were running. */
  readonly #dirty = new Set<string>();
  readonly #waiting = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  readonly #stop = new AbortController();
  #workers = 0;
  readonly #idle = new Set<() => void>();

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? { baseMs: 50, maxMs: 60_000 };
  }

  /** Keys that are queued; those that run or wait do not count. */
  get size(): number {
    return this.#queued.size;
  }

  /** Process this key as soon as there is a free worker, also when it waits for a retry. */
  add(key: string): void {
    if (this.#stop.signal.aborted) return;
    this.#cancelWait(key);
    if (this.#running.has(key)) {
      this.#dirty.add(key);
      return;
    }
    this.#queued.add(key);
    if (this.#workers < (this.#options.concurrency ?? 1)) {
      this.#workers++;
      void this.#work();
    }
  }

  /** Process this key after that time, or sooner if something else asks for it. */
  addAfter(key: string, ms: number): void {
    if (this.#stop.signal.aborted || this.#queued.has(key)) return;
    const at = performance.now() + ms;
    const waiting = this.#waiting.get(key);
    if (waiting && waiting.at <= at) return;
    this.#cancelWait(key);
    const timer = setTimeout(() => {
      this.#waiting.delete(key);
      this.add(key);
    }, ms);
    this.#waiting.set(key, { at, timer });
  }

  /**
   * Resolves when nothing is queued or running, or the signal aborts; retries that wait for their time do not count.
   * Nothing is left behind by those who give up waiting.
   */
  idle(signal?: AbortSignal): Promise<void> {
    if (this.#workers === 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#idle.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#idle.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** How many wait for it to be idle. */
  get idlers(): number {
    return this.#idle.size;
  }

  /** Forgets all keys; resolves when what runs (and has seen its signal abort) has ended. */
  stop(): Promise<void> {
    this.#stop.abort();
    for (const key of [...this.#waiting.keys()]) this.#cancelWait(key);
    this.#queued.clear();
    this.#dirty.clear();
    this.#failures.clear();
    return this.idle();
  }

  async #work(): Promise<void> {
    await null; // add() returns before anything is processed
    let sliceStart = performance.now();
    // Goes on to what is added meanwhile, and past what other workers take.
    for (const key of this.#queued) {
      this.#queued.delete(key);
      this.#running.add(key);
      await this.#processOne(key);
      this.#running.delete(key);
      if (this.#dirty.delete(key)) this.add(key);
      if (performance.now() - sliceStart > SLICE_MS) {
        await turn();
        sliceStart = performance.now();
      }
    }
    this.#workers--;
    if (this.#workers === 0) {
      for (const done of this.#idle) done();
    }
  }

  async #processOne(key: string): Promise<void> {
    const { signal } = this.#stop;
    try {
      const result = await this.#options.process(key, signal);
      this.#failures.delete(key);
      if (result) this.addAfter(key, result.againAfterMs);
    } catch (thrown) {
      if (signal.aborted) return;
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const wished = isKubeError(error) ? (error.retryAfterMs ?? 0) : 0;
      this.addAfter(key, Math.max(wished, backoffMs(failures, this.#backoff, this.#options.random ?? Math.random)));
      if (this.#options.onError) this.#options.onError(error, key, failures);
      else process.emitWarning(error);
    }
  }

  #cancelWait(key: string): void {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(key);
  }
}
