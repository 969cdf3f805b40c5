/** The thin shell around `decide`: clocks, one timer, the API server, and events. */
import { EventEmitter } from 'node:events';
import { isKubeError, type KubeApi, leases } from '@fairlead/kube';
import { decide } from './decide.js';
import { hasPassed, seenHolder } from './facts.js';
import type { LeaseObject, LeaseWriter } from './lease.js';
import { LeaseLockError, timing } from './options.js';
import {
  type Config,
  type Effect,
  type Input,
  initialState,
  type Outcome,
  type Purpose,
  type Request,
  type State,
} from './state.js';

/** What the lock needs of a Kubernetes client. Calls must settle within their `timeoutMs`. */
export type LeaseClient = Pick<KubeApi, 'get' | 'create' | 'update'>;

/** A reading in ms. */
export type Clock = () => number;

export interface Timers {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

export interface LeaseLockOptions {
  client: LeaseClient;
  namespace: string;
  name: string;
  /** Of this contender; no two that live at the same time may have the same. */
  identity: string;
  /** Put on the Lease, beside those that it has. */
  labels?: Record<string, string>;
  /** Which annotations a Lease keeps when it gets a new holder. Default: all. */
  settle?: LeaseWriter['settle'];
  /** How long the others wait after a renewal. Whole seconds are best: the Lease holds seconds. */
  leaseDurationMs?: number;
  /** Give up leadership so long after the last successful renewal was sent, if that is earlier than duration - margin. */
  renewDeadlineMs?: number;
  /** Safety distance between the end of leadership here and the earliest takeover elsewhere. */
  marginMs?: number;
  renewPeriodMs?: number;
  /**
   * Renew at the same moment as all other locks of this process that do so with the same period: that takes one turn of the event loop, and
   * few packets, for all of them. The first renewal of a term comes early for that. Default false.
   */
  renewInStep?: boolean;
  /** Least wait after a failed attempt (up to half more is added by chance). */
  retryPeriodMs?: number;
  requestTimeoutMs?: number;
  /** Asked for when the Lease is found free or expired: how long to leave it to better candidates. */
  startDelayMs?: () => number;
  /** Default true; see `setEligible`. */
  eligible?: boolean;
  /** Monotonic. */
  clock?: Clock;
  wallClock?: Clock;
  /** In [0, 1). */
  random?: () => number;
  timers?: Timers;
}

/** A request that was made, for metrics and logs. */
export interface Attempt {
  purpose: Purpose;
  durationMs: number;
  /** Absent when it succeeded. A KubeError, if the client is a KubeClient. */
  error?: Error;
}

export interface LeaseLockEvents {
  /** Leadership begins. The signal aborts when it ends, right before 'lost'. */
  acquired: [signal: AbortSignal];
  /** Leadership has ended. When this returns, nothing may be done as the leader any more: the Lease may be released next. */
  lost: [reason: string];
  /** The Lease's holder as seen here changed. */
  holder: [identity: string | undefined];
  attempt: [attempt: Attempt];
}

/** A contender for one Lease. */
export class LeaseLock extends EventEmitter<LeaseLockEvents> {
  readonly #options: LeaseLockOptions;
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #wallClock: Clock;
  readonly #timers: Timers;
  #state: State;
  #deadline = Number.NEGATIVE_INFINITY;
  #timer: unknown;
  #term: AbortController | undefined;
  #request: AbortController | undefined;
  readonly #inputs: Input[] = [];
  #deciding = false;
  #onStopped: (() => void)[] = [];

  /** @throws LeaseLockError FL_LEASE_OPTIONS when the times contradict each other */
  constructor(options: LeaseLockOptions) {
    super();
    this.#options = options;
    const { namespace, name, identity, labels = {}, settle, renewInStep: inStep = false } = options;
    if (!identity) throw new LeaseLockError(`the lock on Lease ${namespace}/${name} needs an identity`);
    this.#config = { namespace, name, identity, labels, inStep, ...(settle && { settle }), ...timing(options) };
    this.#clock = options.clock ?? (() => performance.now());
    this.#wallClock = options.wallClock ?? Date.now;
    this.#timers = options.timers ?? {
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
    };
    this.#state = { ...initialState, eligible: options.eligible ?? true };
  }

  start(): void {
    this.#input({ type: 'start' });
  }

  /**
   * Ends: a leader hears 'lost' before this returns. With `release` the Lease is then given back, so that others need
   * not wait for its expiry; resolves when that is done, or is of no use any more.
   */
  stop(options: { release: boolean }): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#onStopped.push(resolve));
    this.#input({ type: 'stop', release: options.release });
    if (this.#state.stopping === 'stopped') this.#stopped();
    return stopped;
  }

  /**
   * The Lease as a watch shows it; undefined when it was deleted. Spares standbys all requests while the holder renews,
   * and lets them react to a release at once. Late, repeated and missing ones do no harm.
   */
  observe(lease: LeaseObject | undefined): void {
    this.#input({ type: 'observe', lease });
  }

  /** An ineligible holder steps down and releases; an ineligible standby leaves the Lease to others. */
  setEligible(eligible: boolean): void {
    if (eligible !== this.#state.eligible) this.#input({ type: 'eligible', eligible });
  }

  /**
   * May the caller act as the leader at this very moment? Looks at the clocks, so it is right also in a process that
   * was frozen and has not yet got round to saying 'lost'. Costs well under a microsecond.
   */
  isLeader(): boolean {
    const { term } = this.#state;
    return term !== undefined && !hasPassed(this.#config, term, { now: this.#clock(), wallNow: this.#wallClock() });
  }

  /** Until when (monotonic ms) leadership may be assumed, or might have been: the last term's, if there is none now. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Who holds the Lease, as far as seen here. */
  get holder(): string | undefined {
    return seenHolder(this.#state.seen);
  }

  #input(input: Input): void {
    this.#inputs.push(input);
    // A listener may call back into the lock; what it asks for comes after what is being done.
    if (this.#deciding) return;
    this.#deciding = true;
    try {
      for (let next = this.#inputs.shift(); next; next = this.#inputs.shift()) this.#decide(next);
    } finally {
      this.#deciding = false;
    }
  }

  #decide(input: Input): void {
    const { state, effects } = decide(this.#config, this.#state, input, {
      now: this.#clock(),
      wallNow: this.#wallClock(),
      random: this.#options.random ?? Math.random,
      startDelayMs: this.#options.startDelayMs ?? (() => 0),
    });
    this.#state = state;
    if (state.term) this.#deadline = state.term.deadline;
    this.#timers.clearTimeout(this.#timer);
    let withdrawn = true;
    for (const effect of effects) {
      if (effect.type === 'lost') {
        withdrawn = this.#lost(effect.reason);
      } else if (effect.type === 'send' && effect.request.purpose === 'release' && !withdrawn) {
        this.#inputs.push({ type: 'keep' });
      } else {
        this.#carryOut(effect);
      }
    }
  }

  #carryOut(effect: Exclude<Effect, { type: 'lost' }>): void {
    switch (effect.type) {
      case 'acquired':
        this.#term = new AbortController();
        this.#tell('acquired', this.#term.signal);
        return;
      case 'holder':
        this.#tell('holder', effect.identity);
        return;
      case 'send':
        void this.#send(effect.request, effect.lease, effect.timeoutMs);
        return;
      case 'abort':
        this.#request?.abort();
        return;
      case 'wake': {
        const ms = Math.max(0, Math.ceil(effect.at - this.#clock()));
        this.#timer = this.#timers.setTimeout(() => this.#input({ type: 'tick' }), ms);
        return;
      }
      case 'stopped':
        this.#stopped();
        return;
    }
  }

  /** Tells whether all who had to withdraw did. */
  #lost(reason: string): boolean {
    this.#term?.abort(new LeaseLockError(`lost the Lease ${this.#options.name}: ${reason}`, 'FL_LEASE_LOST'));
    this.#term = undefined;
    return this.#tell('lost', reason);
  }

  #stopped(): void {
    for (const resolve of this.#onStopped.splice(0)) resolve();
  }

  async #send(request: Request, lease: LeaseObject | undefined, timeoutMs: number): Promise<void> {
    const abort = new AbortController();
    this.#request = abort;
    const { client } = this.#options;
    const { namespace, name } = this.#config;
    const options = { timeoutMs, signal: abort.signal };
    const startedAt = this.#clock();
    let outcome: Outcome;
    let failure: Error | undefined;
    try {
      let result: LeaseObject;
      if (request.verb === 'get') result = await client.get<LeaseObject>(leases, { namespace, name }, options);
      else result = await client[request.verb]<LeaseObject>(leases, lease!, options);
      outcome = { ok: true, lease: result };
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      outcome = isKubeError(error)
        ? { ok: false, code: error.code, retryAfterMs: error.retryAfterMs }
        : { ok: false, code: 'unknown' };
    }
    const attempt: Attempt = { purpose: request.purpose, durationMs: this.#clock() - startedAt };
    if (failure) attempt.error = failure;
    if (!abort.signal.aborted) this.#tell('attempt', attempt);
    this.#input({ type: 'reply', id: request.id, outcome });
  }

  /**
   * Tells whether no listener threw. What one throws is thrown again where it cannot keep the lock from its work,
   * as an uncaught exception.
   */
  #tell<E extends keyof LeaseLockEvents>(event: E, ...args: LeaseLockEvents[E]): boolean {
    try {
      (this as EventEmitter).emit(event, ...args);
      return true;
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
      return false;
    }
  }
}
