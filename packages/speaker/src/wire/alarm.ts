/**
 * The one timer of something that says, again and again, when it has something to do next.
 *
 * What has been received by then is handled first: a standby that wakes up late, as others had its processor, may have got the advertisement of one
 * that has taken over meanwhile. Node runs timers before it reads sockets, and immediates after that.
 */

export class Alarm {
  readonly #clock: () => number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  /** @param clock monotonic milliseconds, and fractions of them */
  constructor(clock: () => number, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at that time instead of any other; undefined: not at all. */
  set(at: number | undefined): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    if (at === undefined) return;
    const delayMs = at - this.#clock();
    // A timer takes a millisecond at least.
    if (delayMs <= 0) this.#ringNext();
    // Timers count whole milliseconds: one that rings a fraction too early would have to be set again for that.
    else this.#timer = setTimeout(() => this.#ringNext(), Math.ceil(delayMs));
  }

  #ringNext(): void {
    this.#immediate = setImmediate(this.#ring);
  }
}
