/**
 * One timer for the deadlines of many requests. Nearly all of them are met, so what counts is what setting one costs: here an entry
 * in a set; the timer is set anew only for a deadline that comes before the one that it is set for.
 */

export interface Expiring {
  /** By performance.now(). */
  readonly deadline: number;
  onDeadline(): void;
}

/** Timers take 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Deadlines {
  readonly #pending = new Set<Expiring>();
  #timer: NodeJS.Timeout | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  add(each: Expiring): void {
    this.#pending.add(each);
    if (each.deadline < this.#wakeAt) this.#arm(each.deadline);
  }

  delete(each: Expiring): void {
    if (this.#pending.delete(each) && this.#pending.size === 0) this.#disarm();
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    const delayMs = Math.min(Math.ceil(Math.max(at - performance.now(), 0)), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.#expire(), delayMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wakeAt = Number.POSITIVE_INFINITY;
  }

  #expire(): void {
    this.#disarm();
    const now = performance.now();
    const expired = [...this.#pending].filter(({ deadline }) => deadline <= now);
    for (const each of expired) this.#pending.delete(each);
    const next = Math.min(...[...this.#pending].map(({ deadline }) => deadline));
    if (next < this.#wakeAt) this.#arm(next);
    for (const each of expired) each.onDeadline();
  }
}
