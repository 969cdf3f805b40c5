/**
 * When to announce: a burst after a takeover, then a slow refresh for switches and routers that forget.
 * One lost frame must not decide how long a failover hurts, hence the repeats; the second one comes after 50 ms because
 * frames queued behind a port that is just coming up are lost together.
 *
 * Pure: `due()` is asked with the time, and tells what to announce now and when to ask again.
 */

export interface AnnouncePlan {
  /** Offsets from the takeover, ms, ascending; the first one is 0. */
  burstMs: readonly number[];
  /** Period of the refresh after the burst, ms. */
  refreshMs: number;
}

export const defaultAnnouncePlan: AnnouncePlan = { burstMs: [0, 50, 1_000, 2_000, 4_000], refreshMs: 60_000 };

interface Entry {
  startedAt: number;
  /** How many announcements of the burst have been sent. */
  sent: number;
  nextAt: number;
}

export class Announcer {
  readonly #plan: AnnouncePlan;
  readonly #entries = new Map<string, Entry>();

  constructor(plan: AnnouncePlan = defaultAnnouncePlan) {
    this.#plan = plan;
  }

  /** Begins the burst of a virtual router at `now`; one that runs already begins anew. */
  begin(key: string, now: number): void {
    this.#entries.set(key, { startedAt: now, sent: 0, nextAt: now });
  }

  /** Stops announcing; queued repeats are dropped with it. */
  end(key: string): void {
    this.#entries.delete(key);
  }

  /** The keys to announce at `now`, each at most once however late the call is. */
  due(now: number): string[] {
    const keys: string[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.nextAt > now) continue;
      keys.push(key);
      entry.nextAt = this.#after(entry, now);
    }
    return keys;
  }

  /** When `due` has something next, or undefined when nothing is announced. */
  get nextAt(): number | undefined {
    let next: number | undefined;
    for (const entry of this.#entries.values()) {
      if (next === undefined || entry.nextAt < next) next = entry.nextAt;
    }
    return next;
  }

  #after(entry: Entry, now: number): number {
    do entry.sent += 1;
    while (entry.sent < this.#plan.burstMs.length && entry.startedAt + this.#plan.burstMs[entry.sent]! <= now);
    const offset = this.#plan.burstMs[entry.sent];
    return offset === undefined ? now + this.#plan.refreshMs : entry.startedAt + offset;
  }
}
