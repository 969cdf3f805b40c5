/**
 * Asks every target once an interval, and says of each whether it is healthy. No I/O of its own: probes go out through `send`, time
 * comes from `timers`.
 *
 * The bound: with the interval I, the time-out T and `fall` F, a target that dies is unhealthy at most F·I + T later (3 s with the
 * defaults): the first probe that it cannot answer starts within I, the last one that is needed F − 1 intervals after that, and fails T
 * after its start. A new target is asked at once. More targets than `perSecond` allows stretch the interval instead of
 * flooding the network (and where they are all new, they wait for their turn); more than `concurrency` unanswered ones make the others wait.
 */

import type { Probe, SendProbe } from './probe.js';
import { probeName } from './probe.js';
import type { Timers } from './timers.js';
import { type HealthRules, type HealthState, observe, type ProbeOutcome, unknownHealth } from './verdict.js';
import { SLOTS, Wheel } from './wheel.js';

export interface ProberTimings extends HealthRules {
  intervalMs: number;
  /** For the whole exchange. */
  timeoutMs: number;
}

export interface ProberOptions extends ProberTimings {
  send: SendProbe;
  timers: Timers;
  /** `healthy(key)` has changed its answer. */
  onChange: (key: string, healthy: boolean, reason: string) => void;
  /** Unanswered probes at the same time; default: no limit. */
  concurrency?: number;
  /** Probes a second; default: no limit. */
  perSecond?: number;
  /** Not to be asked now: its verdict stays as it is. Default: never. */
  skip?: (key: string) => boolean;
}

export interface ProberCounters {
  targets: number;
  unhealthy: number;
  /** Probes since the start, by outcome. */
  passed: number;
  failed: number;
  /** Probes that had to wait because too many were unanswered. */
  deferred: number;
  /** Between two probes of one target, ms: longer than asked for when there are too many targets. */
  intervalMs: number;
}

interface Target {
  probe: Probe;
  name: string;
  state: HealthState;
  /** Probes started. */
  started: number;
  /** Gives up what is unanswered. */
  pending: Set<() => void>;
}

/** A timer that fires later than this was held up by this thread itself, and answers may be waiting to be read. */
const LATE_MS = 25;
/** How long reading them may take. */
const GRACE_MS = 50;

export class Prober {
  readonly #options: ProberOptions & { concurrency: number; perSecond: number };
  readonly #targets = new Map<string, Target>();
  readonly #wheel = new Wheel();
  /** Keys whose probe is due but has to wait, in order. */
  readonly #deferred = new Set<string>();
  #unanswered = 0;
  #passed = 0;
  #failed = 0;
  #deferredTotal = 0;
  /** Probes sent outside of their slot's turn in the second that began at `since`. */
  #eager = { since: Number.NEGATIVE_INFINITY, sent: 0 };
  /** The slot whose turn was last, and when that was. */
  #slot = 0;
  #slotAt = 0;
  #timer: unknown;
  #running = false;
  #waiting: { keys: Set<string>; resolve: () => void }[] = [];

  constructor(options: ProberOptions) {
    this.#options = { concurrency: Number.POSITIVE_INFINITY, perSecond: Number.POSITIVE_INFINITY, ...options };
  }

  /** Asks all targets at once, then each once an interval. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#slotAt = this.#options.timers.now();
    this.#allDueAtOnce();
  }

  /** Forgets all targets and what is under way. */
  stop(): void {
    this.#running = false;
    this.#options.timers.clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const key of [...this.#targets.keys()]) this.remove(key);
  }

  /** A target that is there with the same probe stays as it is; with another one it begins anew. */
  set(key: string, probe: Probe): void {
    const name = probeName(probe);
    if (this.#targets.get(key)?.name === name) return;
    this.remove(key);
    this.#targets.set(key, { probe, name, state: unknownHealth, started: 0, pending: new Set() });
    if (this.#running) this.#skipEmptySlots();
    this.#wheel.add(key);
    const moved = this.#wheel.settle();
    if (!this.#running) return;
    if (moved) this.#allDueAtOnce();
    else {
      this.#dueAtOnce(key);
      this.#arm();
    }
  }

  remove(key: string): void {
    const target = this.#targets.get(key);
    if (target === undefined) return;
    this.#targets.delete(key);
    this.#wheel.delete(key);
    this.#deferred.delete(key);
    if (this.#wheel.size === 0) this.#options.timers.clearTimeout(this.#timer);
    for (const giveUp of [...target.pending]) giveUp();
    this.#answered(key);
    this.#sendDeferred();
    if (this.#wheel.settle() && this.#running) this.#allDueAtOnce();
  }

  keys(): Iterable<string> {
    return this.#targets.keys();
  }

  /** false only for a target whose probes fail. */
  healthy(key: string): boolean {
    return this.#targets.get(key)?.state.verdict !== 'unhealthy';
  }

  /** Why the last probe of a target failed; '' when it passed. */
  reason(key: string): string {
    return this.#targets.get(key)?.state.reason ?? '';
  }

  /** Resolves when every target that is there now has answered a probe or failed it (or is gone, or is not asked). */
  firstRound(): Promise<void> {
    const keys = new Set<string>();
    for (const [key, { state }] of this.#targets) {
      if (state.verdict === 'unknown' && !this.#options.skip?.(key)) keys.add(key);
    }
    if (keys.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ keys, resolve }));
  }

  counters(): ProberCounters {
    let unhealthy = 0;
    for (const { state } of this.#targets.values()) if (state.verdict === 'unhealthy') unhealthy++;
    return {
      targets: this.#targets.size,
      unhealthy,
      passed: this.#passed,
      failed: this.#failed,
      deferred: this.#deferredTotal,
      intervalMs: this.#intervalMs(),
    };
  }

  /** At a start, and when targets have got other slots: one of these might wait for longer than an interval. */
  #allDueAtOnce(): void {
    for (const key of this.#targets.keys()) this.#dueAtOnce(key);
    this.#arm();
  }

  #intervalMs(): number {
    return Math.max(this.#options.intervalMs, (this.#wheel.size / this.#options.perSecond) * 1_000);
  }

  /** Moves on to the present, so that a slot that is about to get its first target is not one whose turn is over. */
  #skipEmptySlots(): void {
    const slotMs = this.#intervalMs() / SLOTS;
    const passed = Math.floor((this.#options.timers.now() - this.#slotAt) / slotMs);
    const empty = (this.#wheel.distance(this.#slot) ?? Number.POSITIVE_INFINITY) - 1;
    const moved = Math.max(0, Math.min(passed, empty));
    this.#slot = (this.#slot + moved) % SLOTS;
    this.#slotAt += moved * slotMs;
  }

  /** Sets the timer for the next slot that has targets. */
  #arm(): void {
    const { timers } = this.#options;
    timers.clearTimeout(this.#timer);
    this.#timer = undefined;
    const distance = this.#wheel.distance(this.#slot);
    if (distance === undefined) return;
    const at = this.#slotAt + (distance * this.#intervalMs()) / SLOTS;
    this.#timer = timers.setTimeout(() => this.#turn(distance, at), Math.max(0, at - timers.now()));
  }

  #turn(distance: number, at: number): void {
    const interval = this.#intervalMs();
    const now = this.#options.timers.now();
    this.#slot = (this.#slot + distance) % SLOTS;
    // Counted from when it was due, so that delays do not add up; but what was slept through is not made up for.
    this.#slotAt = now - at > interval ? now : at;
    for (const key of [...this.#wheel.slot(this.#slot)]) this.#due(key);
    this.#arm();
  }

  /** A new target need not wait for its slot's turn, unless there are very many. */
  #dueAtOnce(key: string): void {
    const now = this.#options.timers.now();
    if (now - this.#eager.since >= 1_000) this.#eager = { since: now, sent: 0 };
    if (this.#eager.sent++ < this.#options.perSecond) this.#due(key);
  }

  #due(key: string): void {
    if (this.#options.skip?.(key)) {
      this.#answered(key);
    } else if (this.#unanswered < this.#options.concurrency) {
      this.#send(key);
    } else {
      this.#deferred.add(key);
      this.#deferredTotal++;
    }
  }

  #sendDeferred(): void {
    for (const key of this.#deferred) {
      if (this.#unanswered >= this.#options.concurrency) return;
      this.#deferred.delete(key);
      if (!this.#options.skip?.(key)) this.#send(key);
    }
  }

  #send(key: string): void {
    const { timers, timeoutMs, send } = this.#options;
    const target = this.#targets.get(key)!;
    const number = target.started++;
    let timer: unknown;
    let cancel = () => {};
    const close = () => {
      timers.clearTimeout(timer);
      target.pending.delete(giveUp);
      this.#unanswered--;
    };
    const giveUp = () => {
      close();
      cancel();
    };
    const end = (outcome: ProbeOutcome) => {
      if (!target.pending.has(giveUp)) return;
      close();
      this.#observe(key, target, number, outcome);
      this.#sendDeferred();
    };
    const dueAt = timers.now() + timeoutMs;
    const expire = () => {
      cancel();
      end({ ok: false, reason: `no answer within ${timeoutMs} ms` });
    };
    target.pending.add(giveUp);
    this.#unanswered++;
    timer = timers.setTimeout(() => {
      if (timers.now() - dueAt <= LATE_MS) expire();
      else timer = timers.setTimeout(expire, GRACE_MS);
    }, timeoutMs);
    cancel = send(target.probe, end);
  }

  #observe(key: string, target: Target, number: number, outcome: ProbeOutcome): void {
    if (outcome.ok) this.#passed++;
    else this.#failed++;
    const before = this.healthy(key);
    target.state = observe(target.state, number, outcome, this.#options);
    this.#answered(key);
    const healthy = this.healthy(key);
    if (healthy !== before) this.#options.onChange(key, healthy, target.state.reason);
  }

  #answered(key: string): void {
    if (this.#waiting.length === 0) return;
    for (const { keys } of this.#waiting) keys.delete(key);
    const ready = this.#waiting.filter(({ keys }) => keys.size === 0);
    this.#waiting = this.#waiting.filter(({ keys }) => keys.size > 0);
    for (const { resolve } of ready) resolve();
  }
}
