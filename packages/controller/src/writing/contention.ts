/**
 * Notices that somebody undoes what we write, and ends the quarrel: after a few attempts within a minute the Service is left
 * as the other one has it, which is reported, and looked at again after a while. Pure; the clock comes from outside.
 *
 * Undone is what was as we want it when we looked last, and is not now, though we want the same.
 */

/** So often a status is put right again within the window, before that is given up. */
const RESTORES = 3;
const WINDOW_MS = 60_000;
/** For so long a contested Service is left alone. */
export const TRUCE_MS = 300_000;

interface Quarrel {
  /** When it was put right, the last few times. */
  restoredAt: number[];
  truceUntil: number;
}

export class Contention {
  /** What each object was brought to when it was last at rest. */
  readonly #settled = new Map<string, string>();
  readonly #quarrels = new Map<string, Quarrel>();

  /** The object is as we want it. */
  settled(key: string, wanted: string): void {
    this.#settled.set(key, wanted);
  }

  forget(key: string): void {
    this.#settled.delete(key);
    this.#quarrels.delete(key);
  }

  /**
   * The object is not as we want it: whether to write. `yield`: no longer, and this is to be reported; `truce`: not now, and
   * it has been reported.
   */
  judge(key: string, wanted: string, nowMs: number): 'write' | 'yield' | 'truce' {
    if (this.#settled.get(key) !== wanted) {
      // We want something new, which is no repetition.
      this.#quarrels.delete(key);
      return 'write';
    }
    const quarrel = this.#quarrels.get(key) ?? { restoredAt: [], truceUntil: 0 };
    this.#quarrels.set(key, quarrel);
    if (nowMs < quarrel.truceUntil) return 'truce';
    quarrel.restoredAt = quarrel.restoredAt.filter((at) => at > nowMs - WINDOW_MS);
    if (quarrel.restoredAt.length >= RESTORES) {
      quarrel.truceUntil = nowMs + TRUCE_MS;
      quarrel.restoredAt = [];
      return 'yield';
    }
    quarrel.restoredAt.push(nowMs);
    return 'write';
  }
}
