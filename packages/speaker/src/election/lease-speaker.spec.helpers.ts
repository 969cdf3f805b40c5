/** One node of lease-lan.spec.helpers.ts: what its wire thread runs, and what befalls it. */

import { DEFAULT_ANNOUNCEMENT, leaseLabels } from '@fairlead/api';
import { KubeError } from '@fairlead/kube';
import { type LeaseClient, LeaseLock, type LeaseObject } from '@fairlead/lease-lock';
import { HOLD_EVERY_MS } from '../wire/hold.js';
import { formatMac, parseMac } from '../wire/mac.js';
import type { WireUplink } from '../wire/messages.js';
import type { Port } from '../wire/ports.js';
import { isUnreachable } from '../wire/surroundings.js';
import { WholeConfiguration, type WholeVirtualRouter } from '../wire/whole-configuration.spec.helpers.js';
import { Wire } from '../wire/wire.js';
import { CLIENT_MAC, request } from '../wire/wire.spec.helpers.js';
import { LeaseElection } from './lease-election.js';
import type { LeaseLan } from './lease-lan.spec.helpers.js';

const TIMINGS = { leaseDurationMs: 3_000, renewPeriodMs: 1_000, retryPeriodMs: 200 };
const NAMES = ['n1', 'n2', 'n3', 'n4'];
const UPLINK: WireUplink = { name: 'eth0', index: 2, addresses: [] };
const ROUTER: WholeVirtualRouter = {
  name: 'public.0',
  pool: 'public',
  leaseName: 'vr-public-0',
  table: 7700,
  ranking: NAMES,
  engine: 'lease',
  preempt: false,
  announcement: DEFAULT_ANNOUNCEMENT,
  vips: [
    { address: '10.77.0.200', uplink: 'eth0' },
    { address: '10.77.0.208', uplink: 'eth0' },
  ],
};
const QUESTION = request(0x0a4d00c8);
const CLIENT = formatMac(CLIENT_MAC);

/** How the API server treats a node: `hangs`: nothing comes back; `refuses`: no connection; `fails`: 500. */
export type ApiMode = 'answers' | 'hangs' | 'refuses' | 'fails';

export class Speaker {
  readonly mac: string;
  /** Whether the process is there. */
  alive = false;
  fit = true;
  election!: LeaseElection;
  #api: ApiMode = 'answers';
  #wire!: Wire;
  #port!: Port;
  #lock: LeaseLock | undefined;
  #frozen = false;
  #isStopping = false;
  #life = 0;
  /** What came while it was frozen. */
  #inbox: (() => void)[] = [];
  /** Timers that went off meanwhile. */
  #due: (() => void)[] = [];
  /** Whether it has answered what `answers` asks; undefined while that does not ask. */
  #hasAnswered: boolean | undefined;
  /** On disk. */
  readonly #held = new Set<string>();

  constructor(
    readonly lan: LeaseLan,
    readonly id: number,
    readonly rate: number,
  ) {
    this.mac = `02:00:00:00:00:1${id}`;
  }

  get name(): string {
    return NAMES[this.id]!;
  }

  get runs(): boolean {
    return this.alive && !this.#frozen;
  }

  get api(): ApiMode {
    return this.#api;
  }

  set api(mode: ApiMode) {
    this.#api = mode;
    this.watched(); // a watch that was broken begins with what is
  }

  /** As thread.ts ties it together. */
  boot(): void {
    if (this.alive && !this.#isStopping) return;
    this.kill();
    this.alive = true;
    this.#life++;
    const clock = () => 1_000 + this.lan.now * this.rate;
    this.election = new LeaseElection({
      node: this.name,
      clock,
      held: {
        has: (name) => this.#held.has(name),
        note: (name, isHeld) => void (isHeld ? this.#held.add(name) : this.#held.delete(name)),
      },
      leaseDurationMs: TIMINGS.leaseDurationMs,
      isUnreachable,
      createLock: ({ contested, startDelayMs }) => this.#newLock(contested.leaseName, startDelayMs, clock),
      listener: {
        own: (name, lapsed, claim) => this.#wire.own(name, lapsed, claim),
        yield: (name, reason, handsOver) => this.#wire.yield(name, reason, handsOver),
        contended: (name) => this.#wire.contended(name),
        suspect: () => {},
        holder: (name, node) => this.#wire.holder(name, node, this.name),
      },
      timers: { setInterval: (run, ms) => this.#every(ms, run), clearInterval: stopTimer, setTimeout: this.#once },
    });
    this.#wire = this.#newWire(clock);
    this.#every(HOLD_EVERY_MS, () => this.#wire.askForOwners());
    this.election.setFit(this.fit);
    this.#wire.configure(new WholeConfiguration().becomes([ROUTER], [UPLINK]));
    this.watched();
  }

  /** SIGKILL, or a crash of it. */
  kill(): void {
    this.alive = false;
    this.#isStopping = false;
    this.#frozen = false;
    this.#life++;
    this.#inbox = [];
    this.#due = [];
  }

  /** SIGTERM. */
  stop(): void {
    this.deliver(() => {
      const life = this.#life;
      this.#isStopping = true;
      void this.election.stop({ release: true }).then(() => life === this.#life && this.kill());
    });
  }

  freeze(): void {
    this.#frozen = this.alive;
  }

  thaw(): void {
    this.#frozen = false;
    // As Node does: timers, then what waits in sockets, then what was asked for to come next.
    for (const run of [...this.#due.splice(0), ...this.#inbox.splice(0)]) run();
  }

  setFit(fit: boolean): void {
    this.fit = fit;
    this.deliver(() => this.election.setFit(fit));
  }

  frame(bytes: Buffer): void {
    this.deliver(() => this.#wire.frame(this.#port, bytes));
  }

  /** Told of the Lease as it is, by its watch. */
  watched(): void {
    const lease = structuredClone(this.lan.lease);
    if (lease === undefined || this.#api !== 'answers') return;
    this.lan.after(this.lan.delay(), () => this.deliver(() => this.#lock?.observe(lease)));
  }

  /** Whether it answers a client at this moment. One that is frozen does not, whatever it believes. */
  answers(): boolean {
    if (!this.runs || !this.election.mayAnswer(ROUTER.name)) return false;
    this.#hasAnswered = false;
    this.#wire.frame(this.#port, QUESTION);
    this.#wire.announceDue(); // who is not certain hears out what else there is
    const answered = this.#hasAnswered as boolean;
    this.#hasAnswered = undefined;
    return answered;
  }

  /** Runs it when the process runs, if it is the same one then. */
  deliver(run: () => void, life = this.#life, waiting = this.#inbox): void {
    const task = () => {
      if (life === this.#life && this.alive) run();
    };
    if (this.#frozen) waiting.push(task);
    else task();
  }

  #newLock(leaseName: string, startDelayMs: () => number, clock: () => number): LeaseLock {
    const life = this.#life;
    this.#lock = new LeaseLock({
      client: {
        get: (_resource, _key, options) => this.#call(life, 'get', undefined, options?.timeoutMs),
        create: (_resource, body, options) => this.#call(life, 'create', body, options?.timeoutMs),
        update: (_resource, body, options) => this.#call(life, 'update', body, options?.timeoutMs),
      },
      namespace: 'fairlead-system',
      name: leaseName,
      identity: this.name,
      labels: leaseLabels(ROUTER.name),
      ...TIMINGS,
      renewInStep: true,
      startDelayMs,
      clock,
      wallClock: () => 1_900_000_000_000 + clock(),
      random: this.lan.random,
      timers: { setTimeout: this.#once, clearTimeout: stopTimer },
    });
    return this.#lock;
  }

  #newWire(clock: () => number): Wire {
    let alarm: unknown;
    const wire = new Wire({
      election: this.election,
      rules: { claim: () => {}, release: () => {}, list: () => [] },
      exits: { own: () => {}, alone: () => {}, linger: () => {}, yield: () => {}, write: () => {} },
      expectNeighbour: () => {},
      aliveMs: () => 3 * HOLD_EVERY_MS,
      silentMs: 5_000,
      openPort: (uplink) => {
        this.#port = this.#newPort(uplink);
        return this.#port;
      },
      tell: (message) => {
        if (message.kind === 'error') throw new Error(message.message);
      },
      clock,
      wakeAt: (at) => {
        if (this.#hasAnswered !== undefined) return; // asking changes nothing
        stopTimer(alarm);
        // Whole milliseconds, as an Alarm counts them.
        if (at !== undefined) alarm = this.#once(() => wire.announceDue(), Math.ceil(Math.max(0, at - clock())));
      },
    });
    return wire;
  }

  #newPort(uplink: WireUplink): Port {
    return {
      ...uplink,
      mac: parseMac(this.mac),
      send: (frames) => {
        if (frames.some((frame) => formatMac(frame.subarray(0, 6)) === CLIENT)) {
          if (this.#hasAnswered === undefined) this.lan.onAnswer(this);
          else this.#hasAnswered = true;
        }
        this.lan.broadcast(this, frames);
        return frames.length;
      },
      listenFor: () => {},
      refresh: () => {},
      matches: () => true,
      close: () => {},
    };
  }

  readonly #once = (run: () => void, ms: number): Timer => {
    const timer = { isStopped: false };
    const life = this.#life;
    this.lan.after(ms / this.rate, () => this.deliver(() => timer.isStopped || run(), life, this.#due));
    return timer;
  };

  /** As Node has it: what was missed is not made up for. */
  #every(ms: number, run: () => void): Timer {
    const timer = { isStopped: false };
    const again = () => {
      if (timer.isStopped) return;
      this.#once(again, ms);
      run();
    };
    this.#once(again, ms);
    return timer;
  }

  #call<T>(life: number, verb: keyof LeaseClient, body: unknown, timeoutMs = 0): Promise<T> {
    const { lan } = this;
    const sent = structuredClone(body) as LeaseObject | undefined;
    const mode = this.#api;
    return new Promise((resolve, reject) => {
      const later = (ms: number, settle: () => void) => lan.after(ms, () => this.deliver(settle, life));
      later(timeoutMs / this.rate, () => reject(refusal('FL_KUBE_TIMEOUT', 0)));
      if (mode === 'hangs') return;
      if (mode === 'refuses') return later(0, () => reject(refusal('FL_KUBE_NETWORK', 0)));
      if (mode === 'fails') return later(lan.delay(), () => reject(refusal('FL_KUBE_SERVER', 500)));
      lan.after(lan.delay(), () => {
        let settle: () => void;
        try {
          const lease = lan.apply(verb, sent);
          settle = () => resolve(lease as T);
        } catch (error) {
          settle = () => reject(error);
        }
        if (lan.random() >= lan.replyLoss) later(lan.delay(), settle);
      });
    });
  }
}

interface Timer {
  isStopped: boolean;
}

function stopTimer(timer: unknown): void {
  if (timer) (timer as Timer).isStopped = true;
}

export function refusal(code: ConstructorParameters<typeof KubeError>[0]['code'], status: number): KubeError {
  return new KubeError({ code, status, message: `fake ${code}` });
}
