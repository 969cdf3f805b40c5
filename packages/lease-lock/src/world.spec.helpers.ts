/**
 * A world in which locks contend: true time, clocks that differ from it, an API server, and a network and machines
 * that fail in every way the lock claims to survive. Everything happens in virtual time, on one heap of events.
 */
import { KubeError, type KubeErrorCode } from '@fairlead/kube';
import { holderOf, type LeaseObject } from './lease.js';
import { LeaseLock, type LeaseLockOptions } from './lease-lock.js';

export interface Network {
  maxDelayMs: number;
  /** Chance that a request never arrives, that a reply never does, that a watch event never does. */
  requestLoss: number;
  replyLoss: number;
  watchLoss: number;
  /** Chance that the server answers 500, or 429, instead of doing anything. */
  refusal: number;
}

export const perfectNetwork: Network = { maxDelayMs: 2, requestLoss: 0, replyLoss: 0, watchLoss: 0, refusal: 0 };

interface Scheduled {
  at: number;
  order: number;
  run: () => void;
}

export class World {
  now = 0;
  network: Network = perfectNetwork;
  readonly contenders: Contender[] = [];
  /** All versions of the Lease, oldest first. */
  readonly history: LeaseObject[] = [];
  lease: LeaseObject | undefined;
  conflicts = 0;
  #version = 100;
  #order = 0;
  readonly #events: Scheduled[] = [];

  constructor(readonly random: () => number) {}

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, order: this.#order++, run });
  }

  /** Lets everything happen that happens until then; `check` is called after each event. */
  async runUntil(end: number, check: () => void = () => {}): Promise<void> {
    for (;;) {
      let next: Scheduled | undefined;
      for (const event of this.#events) {
        if (!next || event.at < next.at || (event.at === next.at && event.order < next.order)) next = event;
      }
      if (!next || next.at > end) break;
      this.#events.splice(this.#events.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.run();
      // Replies pass through a few promises before the lock hears of them.
      for (let i = 0; i < 8; i++) await null;
      check();
    }
    this.now = end;
    check();
  }

  delay(): number {
    return this.random() * this.network.maxDelayMs;
  }

  leaders(): string[] {
    return this.contenders.filter(({ lock }) => lock.isLeader()).map(({ identity }) => identity);
  }

  /** What the API server does with a request when it arrives. */
  apply(verb: 'get' | 'create' | 'update', body: LeaseObject | undefined): LeaseObject {
    if (this.random() < this.network.refusal) {
      if (this.random() < 0.5) throw refusal('FL_KUBE_SERVER', 500);
      throw refusal('FL_KUBE_TOO_MANY_REQUESTS', 429, 1_000);
    }
    if (verb === 'create') {
      if (this.lease) throw this.#conflict('FL_KUBE_ALREADY_EXISTS');
      return this.store(body!);
    }
    if (!this.lease) throw refusal('FL_KUBE_NOT_FOUND', 404);
    if (verb === 'get') return structuredClone(this.lease);
    if (body!.metadata?.resourceVersion !== this.lease.metadata?.resourceVersion)
      throw refusal('FL_KUBE_CONFLICT', 409);
    return this.store(body!);
  }

  store(lease: LeaseObject): LeaseObject {
    const stored = structuredClone(lease);
    stored.metadata = { ...stored.metadata, resourceVersion: String(++this.#version) };
    this.lease = stored;
    this.history.push(stored);
    this.#notify(stored);
    return structuredClone(stored);
  }

  #conflict(code: KubeErrorCode): KubeError {
    this.conflicts++;
    return refusal(code, 409);
  }

  delete(): void {
    this.lease = undefined;
    this.#notify(undefined);
  }

  /** Watch events: late, lost, and (each with its own delay) out of order. */
  #notify(lease: LeaseObject | undefined): void {
    for (const contender of this.contenders) {
      if (!contender.watches || this.random() < this.network.watchLoss) continue;
      this.after(this.delay(), () => contender.deliver(() => contender.lock.observe(structuredClone(lease))));
    }
  }
}

export interface ContenderOptions extends Partial<LeaseLockOptions> {
  identity: string;
  /** Runs of the monotonic clock per true second. */
  rate?: number;
  wallOffsetMs?: number;
  watches?: boolean;
  /** What answers to this machine take beyond what they take to others. */
  replyDelayMs?: number;
}

/** One process on one machine. */
export class Contender {
  lock: LeaseLock;
  readonly identity: string;
  readonly watches: boolean;
  /** 'acquired' and 'lost' in order, with the true time. */
  readonly log: [at: number, event: string][] = [];
  requests = 0;
  wallOffsetMs: number;
  /** True time that the monotonic clock has slept through. */
  #suspendedMs = 0;
  #suspendedSince: number | undefined;
  #pausedUntil = 0;
  /** What came while the process could not run. */
  #backlog: (() => void)[] = [];
  #life = 0;

  constructor(
    readonly world: World,
    readonly options: ContenderOptions,
  ) {
    this.identity = options.identity;
    this.watches = options.watches ?? true;
    this.wallOffsetMs = options.wallOffsetMs ?? 0;
    world.contenders.push(this);
    this.lock = this.#boot();
  }

  /** The process is gone, and another one of the same identity is started. */
  restart(): void {
    this.#life++;
    this.#backlog = [];
    this.lock.removeAllListeners();
    this.lock = this.#boot();
    this.lock.start();
  }

  /** The process gets no CPU. Its clocks go on. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.world.now + ms);
    this.world.after(ms, () => this.#resume());
  }

  /** The machine sleeps: its monotonic clock stands still too. */
  suspend(ms: number): void {
    if (this.#suspendedSince !== undefined) return;
    this.#suspendedSince = this.world.now;
    this.#pausedUntil = Math.max(this.#pausedUntil, this.world.now + ms);
    this.world.after(ms, () => {
      this.#suspendedMs += this.world.now - this.#suspendedSince!;
      this.#suspendedSince = undefined;
      this.#resume();
    });
  }

  /** Runs it when the process can run, if it is still the one that it is meant for. */
  deliver(run: () => void, life = this.#life): void {
    const task = () => {
      if (life === this.#life) run();
    };
    if (this.world.now < this.#pausedUntil) this.#backlog.push(task);
    else task();
  }

  #resume(): void {
    if (this.world.now < this.#pausedUntil) return;
    for (const task of this.#backlog.splice(0)) task();
  }

  #monotonic(): number {
    const asleep = this.#suspendedMs + (this.#suspendedSince === undefined ? 0 : this.world.now - this.#suspendedSince);
    return 1_000 + (this.world.now - asleep) * (this.options.rate ?? 1);
  }

  #boot(): LeaseLock {
    const { world } = this;
    const life = this.#life;
    const lock = new LeaseLock({
      namespace: 'spec',
      name: 'lease',
      client: {
        get: (_resource, _key, options) => this.#call(life, 'get', undefined, options?.timeoutMs),
        create: (_resource, body, options) => this.#call(life, 'create', body, options?.timeoutMs),
        update: (_resource, body, options) => this.#call(life, 'update', body, options?.timeoutMs),
      },
      clock: () => this.#monotonic(),
      wallClock: () => 1_900_000_000_000 + world.now + this.wallOffsetMs,
      random: world.random,
      timers: {
        setTimeout: (run, ms) => {
          const timer = { cancelled: false };
          world.after(ms / (this.options.rate ?? 1), () => this.deliver(() => timer.cancelled || run(), life));
          return timer;
        },
        clearTimeout: (handle) => {
          if (handle) (handle as { cancelled: boolean }).cancelled = true;
        },
      },
      leaseDurationMs: 3_000,
      renewPeriodMs: 1_000,
      retryPeriodMs: 200,
      ...this.options,
    });
    lock.on('acquired', () => this.log.push([world.now, lock.isLeader() ? 'acquired' : 'acquired too late']));
    lock.on('lost', () => this.log.push([world.now, 'lost']));
    return lock;
  }

  #call<T>(life: number, verb: 'get' | 'create' | 'update', body: unknown, timeoutMs = 0): Promise<T> {
    const { world } = this;
    this.requests++;
    const sent = structuredClone(body) as LeaseObject | undefined;
    return new Promise((resolve, reject) => {
      const timeout = () => reject(new KubeError({ code: 'FL_KUBE_TIMEOUT', message: 'timeout' }));
      world.after(timeoutMs, () => this.deliver(timeout, life));
      if (world.random() < world.network.requestLoss) return;
      world.after(world.delay(), () => {
        let settle: () => void;
        try {
          const lease = world.apply(verb, sent);
          settle = () => resolve(lease as T);
        } catch (error) {
          settle = () => reject(error);
        }
        if (world.random() < world.network.replyLoss) return;
        world.after(world.delay() + (this.options.replyDelayMs ?? 0), () => this.deliver(settle, life));
      });
    });
  }
}

function refusal(code: KubeErrorCode, status: number, retryAfterMs?: number): KubeError {
  return new KubeError({ code, status, message: `fake ${status}`, retryAfterMs });
}

/** The number of times that the holder of the Lease changed to somebody. */
export function takeovers(history: LeaseObject[]): number {
  let count = 0;
  let last: string | undefined;
  for (const lease of history) {
    const holder = holderOf(lease);
    if (holder !== undefined && (last === undefined || holder !== last)) count++;
    last = holder;
  }
  return count;
}
