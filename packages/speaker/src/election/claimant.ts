/**
 * When this node asks an owner to hand over to it: when somebody wants it to own (`fairlead move`), and where a pool has `preempt` and the
 * election is by Lease, when it is better placed than the owner and has been fit for long enough. VRRP preempts by itself.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */

import type { Contested } from './election.js';
import type { LeaseNotes } from './lease-notes.js';

export interface ClaimantOptions {
  /** This node's name. */
  node: string;
  /** For how long this node must have been fit and able to announce the VIPs, and the owner the owner, before a better place counts, ms. */
  preemptDelayMs: number;
  clock: () => number;
  /** Asks the owner to hand over. */
  claim: (virtualRouter: string) => void;
  /** Says why this node cannot be what somebody wants it to be. */
  refuse: (virtualRouter: string, why: string) => void;
}

interface Contest {
  spec: Contested;
  /** Since when this node contests it without a break, which a link that goes down is. */
  since: number;
}

interface Seen {
  notes: LeaseNotes;
  /** Since when the holder is the holder. */
  since: number;
  /** When this node last wrote to the Lease because of what stands there. */
  answeredAt: number;
}

/** An answer that did not arrive is given again after so long, ms. */
const ANSWER_AGAIN_MS = 5_000;

export class Claimant {
  readonly #options: ClaimantOptions;
  readonly #seen = new Map<string, Seen>();
  #contested: ReadonlyMap<string, Contest> | undefined;
  #fitSince: number | undefined;
  #unfit = 'its speaker has only just started';

  constructor(options: ClaimantOptions) {
    this.#options = options;
  }

  configure(contested: readonly Contested[]): void {
    const before = this.#contested;
    const now = this.#options.clock();
    this.#contested = new Map(
      contested.map((spec) => [spec.name, { spec, since: before?.get(spec.name)?.since ?? now }]),
    );
    this.tick();
  }

  setFit(fit: boolean, why: string): void {
    this.#unfit = why;
    if (!fit) this.#fitSince = undefined;
    else this.#fitSince ??= this.#options.clock();
    this.tick();
  }

  /** A Lease was seen. */
  lease(virtualRouter: string, notes: LeaseNotes): void {
    const before = this.#seen.get(virtualRouter);
    const now = this.#options.clock();
    const since = before !== undefined && before.notes.holder === notes.holder ? before.since : now;
    const sameWish =
      before?.notes.preferredOwner === notes.preferredOwner && before?.notes.claimedBy === notes.claimedBy;
    const answeredAt = before && since === before.since && sameWish ? before.answeredAt : Number.NEGATIVE_INFINITY;
    this.#seen.set(virtualRouter, { notes, since, answeredAt });
    this.#look(virtualRouter);
  }

  leaseGone(virtualRouter: string): void {
    this.#seen.delete(virtualRouter);
  }

  /** To be called about every second. */
  tick(): void {
    for (const name of this.#seen.keys()) this.#look(name);
  }

  #look(name: string): void {
    const seen = this.#seen.get(name)!;
    const { node, clock, claim, refuse } = this.#options;
    const { holder, preferredOwner, claimedBy, refused } = seen.notes;
    const now = clock();
    if (this.#contested === undefined || holder === undefined || holder === node) return;
    if (now - seen.answeredAt < ANSWER_AGAIN_MS) return;
    if (preferredOwner === node) {
      const why = this.#whyNot(name);
      if (why === undefined && claimedBy === node) return;
      if (why !== undefined && refused === `${node}: ${why}`) return;
      seen.answeredAt = now;
      if (why === undefined) claim(name);
      else refuse(name, why);
    } else if (claimedBy === undefined && this.#isBetterPlaced(name, holder, seen.since, now)) {
      seen.answeredAt = now;
      claim(name);
    }
  }

  #whyNot(name: string): string | undefined {
    if (!this.#contested!.has(name)) {
      return 'its pool does not choose this node, or no interface of it has an address in the subnet of the VIPs';
    }
    return this.#fitSince === undefined ? this.#unfit : undefined;
  }

  #isBetterPlaced(name: string, holder: string, since: number, now: number): boolean {
    const contest = this.#contested!.get(name);
    if (contest === undefined || this.#fitSince === undefined) return false;
    const { spec } = contest;
    if (!spec.preempt || spec.engine !== 'lease') return false;
    if (now - Math.max(this.#fitSince, contest.since, since) < this.#options.preemptDelayMs) return false;
    const place = spec.ranking.indexOf(this.#options.node);
    const theirs = spec.ranking.indexOf(holder);
    return place !== -1 && (theirs === -1 || place < theirs);
  }
}
