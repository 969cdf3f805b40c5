/**
 * The `lease` engine: one Lease per virtual router, taken and kept by compare-and-swap (packages/lease-lock has the safety
 * argument). This file adds what a VIP needs beyond a plain lock: a preferred order among the standbys, so that a takeover is
 * one write instead of a race of all nodes, and the holdover that keeps serving when the API server is gone (holdover.ts).
 *
 * ## A former owner that no API server answers
 * It cannot know whether it still is the owner (its speaker has restarted, or stood still), but nobody else can become it without an API
 * server. So it resumes what it held last (held-leases.ts), if
 *  - no API server has answered for longer than a Lease lasts and a takeover takes: whoever still reaches one is the owner by now, and
 *    answers for the addresses,
 *  - nobody answers for any of the addresses when the LAN is asked (wire/detection.ts).
 * From then on it is as good as an owner that holds over, and yields as soon as it hears of another.
 */

import type { Contested, Election, ElectionListener } from './election.js';
import { HOLDOVER_TICK_MS, Holdover } from './holdover.js';

/** What the engine uses of a LeaseLock; tests put a scripted one in its place. */
export interface Lock {
  start(): void;
  stop(options: { release: boolean }): Promise<void>;
  isLeader(): boolean;
  setEligible(eligible: boolean): void;
  readonly deadline: number;
  readonly holder: string | undefined;
  on(event: 'acquired', listener: () => void): unknown;
  on(event: 'lost', listener: (reason: string) => void): unknown;
  on(event: 'holder', listener: (identity: string | undefined) => void): unknown;
  on(event: 'attempt', listener: (attempt: { error?: Error }) => void): unknown;
}

export interface LockOptions {
  contested: Contested;
  /** How long to leave a free or expired Lease to better candidates, ms. */
  startDelayMs: () => number;
}

export interface LeaseElectionOptions {
  /** This node's name: the holder identity in the Leases. */
  node: string;
  createLock: (options: LockOptions) => Lock;
  /** What was held when the process before this one ended, and where to note what is. */
  held: { has(name: string): boolean; note(name: string, held: boolean): void };
  /** How long a silent owner keeps its Lease, ms. */
  leaseDurationMs: number;
  /** Whether a failed request means that no API server could be asked, rather than that one refused. */
  isUnreachable: (error: Error) => boolean;
  listener: ElectionListener;
  /** Monotonic milliseconds. */
  clock: () => number;
  timers?: {
    setInterval: (run: () => void, ms: number) => unknown;
    clearInterval: (handle: never) => void;
    setTimeout: (run: () => void, ms: number) => unknown;
  };
}

/** What one place in the ranking costs a standby before it tries, ms: about what one write to the API server takes. */
const RANK_DELAY_MS = 50;
/** How long a Lease that was handed over is left to the node that has claimed it, ms. */
const CLAIM_DELAY_MS = 500;
/** Nobody who reaches an API server takes longer to take a Lease that has run out, and to announce its VIPs, ms. */
const TAKEOVER_MS = 1_000;
/** A former owner stands again after so long, though nobody has taken over, ms. */
const STAND_ASIDE_MS = 2_000;
/**
 * From taking a Lease that was handed over to owning, ms. The former owner forwards meanwhile, so it costs nothing; at once, this node's
 * announcement would find it busy with the news of the Lease, and for as long as it is late to let go, replies go astray (wire/lingering.ts).
 */
const TAKE_UP_DELAY_MS = 30;

/** How long `node` leaves a Lease to better candidates, given who held it last (that one is gone, and does not count). */
export function startDelay(ranking: readonly string[], node: string, lastHolder: string | undefined): number {
  const living = ranking.filter((name) => name !== lastHolder || name === node);
  const place = living.indexOf(node);
  return RANK_DELAY_MS * (place === -1 ? living.length : place);
}

interface Contest {
  spec: Contested;
  lock: Lock;
  holdover: Holdover;
  owning: boolean;
  /** The latest request got no answer from any API server. */
  unreachable: boolean;
  /** Since when no API server has answered, and this node has not owned. */
  quietSince: number;
  /** The other node that holds the Lease, or held it last without giving it back. */
  rival: string | undefined;
  /** Somebody was seen to hold the Lease, be it this node in an earlier life. */
  known: boolean;
  /** The other node that was seen to hold the Lease last. */
  predecessor: string | undefined;
  /** Asks to be handed over to. */
  claimant: string | undefined;
  /** This node has handed over to a claimant, and lets it take the Lease until then. */
  asideUntil: number | undefined;
}

export class LeaseElection implements Election {
  readonly #options: LeaseElectionOptions;
  readonly #contests = new Map<string, Contest>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #timers: NonNullable<LeaseElectionOptions['timers']>;
  /** Runs while there is something to look after. */
  #ticker: unknown;
  readonly #startedAt: number;
  #fit = false;

  constructor(options: LeaseElectionOptions) {
    this.#options = options;
    this.#startedAt = options.clock();
    this.#timers = options.timers ?? { setInterval, clearInterval, setTimeout };
  }

  configure(contested: readonly Contested[]): void {
    const wanted = new Map(contested.map((spec) => [spec.name, spec]));
    for (const contest of [...this.#contests.values()]) {
      if (!wanted.has(contest.spec.name)) this.#drop(contest, 'no longer contested by this node', { release: true });
    }
    for (const spec of contested) {
      const contest = this.#contests.get(spec.name);
      if (contest === undefined) this.#enter(spec);
      else contest.spec = spec;
    }
  }

  setFit(fit: boolean): void {
    if (fit === this.#fit) return;
    this.#fit = fit;
    for (const contest of this.#contests.values()) {
      if (!fit) this.#handOver(contest, 'this node is no longer fit');
      contest.asideUntil = undefined;
      contest.lock.setEligible(fit);
    }
  }

  mayAnswer(name: string): boolean {
    const contest = this.#contests.get(name);
    if (contest === undefined || !contest.owning) return false;
    return contest.lock.isLeader() || contest.holdover.active(this.#options.clock());
  }

  claimed(name: string, node: string | undefined): void {
    const contest = this.#contests.get(name);
    if (contest === undefined) return;
    contest.claimant = node;
    if (node === undefined || node === this.#options.node || !contest.spec.ranking.includes(node)) return;
    if (!contest.owning || !contest.lock.isLeader()) return;
    this.#handOver(contest, `${node} takes over`);
    contest.asideUntil = this.#options.clock() + STAND_ASIDE_MS;
    contest.lock.setEligible(false);
    this.#tickWhileNeeded();
  }

  isUncertain(name: string): boolean {
    const contest = this.#contests.get(name);
    return contest?.owning === true && !contest.lock.isLeader();
  }

  rivalHeard(name: string): void {
    const contest = this.#contests.get(name);
    if (contest === undefined || contest.lock.isLeader()) return;
    this.#options.held.note(name, false);
    this.#yield(contest, 'another station announced an address of it');
  }

  async stop(options: { release: boolean }): Promise<void> {
    for (const contest of [...this.#contests.values()]) this.#drop(contest, 'the speaker stops', options);
    this.#tickWhileNeeded();
    await Promise.all(this.#stopping);
  }

  #enter(spec: Contested): void {
    const lock = this.#options.createLock({
      contested: spec,
      startDelayMs: () => this.#startDelay(contest),
    });
    const holdover = new Holdover();
    const contest: Contest = {
      spec,
      lock,
      holdover,
      owning: false,
      unreachable: false,
      quietSince: this.#startedAt,
      rival: undefined,
      known: false,
      predecessor: undefined,
      claimant: undefined,
      asideUntil: undefined,
    };
    this.#contests.set(spec.name, contest);
    lock.on('acquired', () => this.#acquired(contest));
    lock.on('lost', (reason) => this.#lost(contest, reason));
    lock.on('holder', (holder) => this.#holderSeen(contest, holder));
    lock.on('attempt', ({ error }) => {
      contest.unreachable = error !== undefined && this.#options.isUnreachable(error);
      if (!contest.unreachable) contest.quietSince = this.#options.clock();
      this.#tickWhileNeeded();
    });
    lock.setEligible(this.#fit);
    lock.start();
  }

  #startDelay({ spec, lock, claimant }: Contest): number {
    const { node } = this.#options;
    if (claimant === node) return 0;
    const delay = startDelay(spec.ranking, node, lock.holder);
    return claimant !== undefined && spec.ranking.includes(claimant) ? CLAIM_DELAY_MS + delay : delay;
  }

  #standAgain(contest: Contest): void {
    if (contest.asideUntil === undefined) return;
    contest.asideUntil = undefined;
    contest.lock.setEligible(this.#fit);
  }

  #drop(contest: Contest, reason: string, options: { release: boolean }): void {
    this.#handOver(contest, reason);
    this.#contests.delete(contest.spec.name);
    const stopped = contest.lock.stop(options).finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  #current(contest: Contest): boolean {
    return this.#contests.get(contest.spec.name) === contest;
  }

  #acquired(contest: Contest): void {
    if (!this.#current(contest)) return;
    contest.holdover.end();
    if (contest.owning) return; // the API server came back to an owner that had held over
    if (contest.predecessor === undefined || contest.rival !== undefined) this.#own(contest);
    else this.#timers.setTimeout(() => this.#own(contest), TAKE_UP_DELAY_MS);
  }

  #own(contest: Contest): void {
    if (!this.#current(contest) || contest.owning || !contest.lock.isLeader()) return;
    contest.owning = true;
    this.#options.listener.own(contest.spec.name, contest.rival, contest.known ? 'takeover' : 'first');
    contest.known = true;
    contest.rival = undefined;
    contest.predecessor = undefined;
  }

  #lost(contest: Contest, reason: string): void {
    if (!contest.owning) return;
    const mayHoldOver = this.#fit && contest.unreachable;
    if (mayHoldOver && contest.holdover.begin(this.#options.clock(), contest.lock.deadline)) this.#tickWhileNeeded();
    else this.#yield(contest, reason);
  }

  #holderSeen(contest: Contest, holder: string | undefined): void {
    this.#options.held.note(contest.spec.name, holder === this.#options.node);
    if (!this.#current(contest)) return;
    const someoneElse = holder !== undefined && holder !== this.#options.node;
    if (holder !== this.#options.node) contest.rival = holder;
    if (someoneElse) contest.predecessor = holder;
    if (holder !== undefined) contest.known = true;
    if (someoneElse) this.#standAgain(contest);
    if (someoneElse && !contest.lock.isLeader()) this.#yield(contest, `${holder} has the Lease`);
    this.#options.listener.holder(contest.spec.name, holder);
  }

  #tick(): void {
    const now = this.#options.clock();
    for (const contest of this.#contests.values()) {
      if (contest.asideUntil !== undefined && now >= contest.asideUntil) this.#standAgain(contest);
      this.#resume(contest, now);
      if (!contest.holdover.begun || contest.holdover.tick(now)) continue;
      this.#yield(contest, 'the process stood still while no API server could be reached');
    }
    this.#tickWhileNeeded();
  }

  /** At rest, which is while an API server answers, nothing has to be looked at five times a second. */
  #tickWhileNeeded(): void {
    const isNeeded = [...this.#contests.values()].some(
      ({ asideUntil, holdover, unreachable, owning }) =>
        asideUntil !== undefined || holdover.begun || (unreachable && !owning),
    );
    if (isNeeded) {
      this.#ticker ??= this.#timers.setInterval(() => this.#tick(), HOLDOVER_TICK_MS);
    } else if (this.#ticker !== undefined) {
      this.#timers.clearInterval(this.#ticker as never);
      this.#ticker = undefined;
    }
  }

  #resume(contest: Contest, now: number): void {
    const { held, leaseDurationMs, listener } = this.#options;
    if (contest.owning || !this.#fit || !contest.unreachable || !held.has(contest.spec.name)) return;
    if (now - contest.quietSince < leaseDurationMs + TAKEOVER_MS) return;
    contest.owning = true;
    contest.holdover.begin(now, now);
    listener.own(contest.spec.name, undefined, 'resumed');
  }

  /** Of its own accord: unless its time has run out, nobody else can be the owner yet. */
  #handOver(contest: Contest, reason: string): void {
    this.#yield(contest, reason, this.mayAnswer(contest.spec.name));
  }

  #yield(contest: Contest, reason: string, handsOver = false): void {
    contest.holdover.end();
    if (!contest.owning) return;
    contest.owning = false;
    contest.quietSince = this.#options.clock();
    this.#options.listener.yield(contest.spec.name, reason, handsOver);
  }
}
