/** Lets the same thing be said once in a while. Pure: the clock is the caller's, in monotonic milliseconds. */

/** Different texts remembered at most; beyond it the oldest may be said again too early. */
const MAX_TEXTS = 1_000;

export class Throttle {
  readonly #everyMs: number;
  readonly #saidAt = new Map<string, number>();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Whether to say it now; if so, it counts as said. */
  allows(text: string, now: number): boolean {
    const saidAt = this.#saidAt.get(text);
    if (saidAt !== undefined && now - saidAt < this.#everyMs) return false;
    this.#saidAt.delete(text);
    this.#saidAt.set(text, now);
    if (this.#saidAt.size > MAX_TEXTS) this.#saidAt.delete(this.#saidAt.keys().next().value!);
    return true;
  }
}
