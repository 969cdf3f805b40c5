/**
 * When to announce: a burst after a takeover, then a slow refresh for switches and routers that forget.
 * One lost frame must not decide how long a failover hurts, hence the repeats; by default the second one comes after 50 ms because
 * frames queued behind a port that is just coming up are lost together.
 *
 * Pure: `due()` is asked with the time, and tells what to announce now and when to ask again.
 */

import { type AnnouncementSettings, DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { TimerQueue } from './timer-queue.js';

export interface AnnouncePlan {
  /** Offsets from the takeover, ms, ascending; the first one is 0. */
  burstMs: readonly number[];
  /** Period of the refresh after the burst, ms; 0: there is none. */
  refreshMs: number;
}

type Schedule = Pick<AnnouncementSettings, 'repeatAfterMilliseconds' | 'refreshSeconds'>;

/** As a pool has it. */
export function announcePlan({ repeatAfterMilliseconds, refreshSeconds }: Schedule): AnnouncePlan {
  return { burstMs: [0, ...repeatAfterMilliseconds], refreshMs: 1_000 * refreshSeconds };
}

export const defaultAnnouncePlan: AnnouncePlan = announcePlan(DEFAULT_ANNOUNCEMENT);

interface Entry {
  plan: AnnouncePlan;
  startedAt: number;
  /** How many announcements of the burst have been sent, or left out. */
  sent: number;
  /** When it was announced last. */
  lastAt: number;
  /** Without a refresh. */
  once: boolean;
}

/** `K`: what is announced together. */
export class Announcer<K = string> {
  readonly #plan: AnnouncePlan;
  readonly #entries = new Map<K, Entry>();
  readonly #queue = new TimerQueue<K>();

  /** @param plan where `begin` is given none */
  constructor(plan: AnnouncePlan = defaultAnnouncePlan) {
    this.#plan = plan;
  }

  /** Begins the burst at `now`; one that runs already begins anew. */
  begin(key: K, now: number, plan: AnnouncePlan = this.#plan): void {
    this.#enter(key, now, plan, false);
  }

  /** As `begin`, but for the burst alone: when that is over the key is forgotten. */
  burst(key: K, now: number, plan: AnnouncePlan = this.#plan): void {
    this.#enter(key, now, plan, true);
  }

  /** Goes on by another plan, without a new burst: what that would have sent by now is left out. */
  change(key: K, now: number, plan: AnnouncePlan): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.plan = plan;
    if (entry.sent === 0) return; // the takeover is still to be announced
    entry.sent = plan.burstMs.filter((offset) => entry.startedAt + offset <= now).length;
    this.#schedule(key, entry, Math.max(now, this.#after(entry)));
  }

  /** Stops announcing; queued repeats are dropped with it. */
  end(key: K): void {
    this.#entries.delete(key);
    this.#queue.delete(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** What is being announced, or will be again. */
  keys(): IterableIterator<K> {
    return this.#entries.keys();
  }

  /** The keys to announce at `now`, each at most once however late the call is. */
  due(now: number): K[] {
    const keys: K[] = [];
    for (let key = this.#queue.takeDue(now); key !== undefined; key = this.#queue.takeDue(now)) {
      keys.push(key);
      const entry = this.#entries.get(key)!;
      entry.lastAt = now;
      do entry.sent += 1;
      while (entry.sent < entry.plan.burstMs.length && entry.startedAt + entry.plan.burstMs[entry.sent]! <= now);
      this.#schedule(key, entry, this.#after(entry));
    }
    return keys;
  }

  /** When `due` has something next, or undefined when nothing is announced. */
  get nextAt(): number | undefined {
    return this.#queue.nextAt;
  }

  #enter(key: K, now: number, plan: AnnouncePlan, once: boolean): void {
    this.#entries.set(key, { plan, startedAt: now, sent: 0, lastAt: Number.NEGATIVE_INFINITY, once });
    this.#queue.set(key, now);
  }

  #schedule(key: K, entry: Entry, at: number): void {
    if (Number.isFinite(at)) this.#queue.set(key, at);
    else this.#queue.delete(key);
    if (entry.once && !Number.isFinite(at)) this.#entries.delete(key);
  }

  #after({ plan, startedAt, sent, lastAt, once }: Entry): number {
    const offset = plan.burstMs[sent];
    if (offset !== undefined) return startedAt + offset;
    return plan.refreshMs > 0 && !once ? lastAt + plan.refreshMs : Number.POSITIVE_INFINITY;
  }
}
