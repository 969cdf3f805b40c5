/**
 * An owner that lost its Lease only because the API server cannot be reached goes on answering: as long as nobody else can renew
 * either, silence would turn an outage of the control plane into one of the data plane. It goes on only while
 *  - its own attempts to renew keep failing for want of an API server (a conflict or a new holder ends it),
 *  - no other station announces its addresses (a node that still reaches the API announces when it takes over, and is heard), and
 *  - the process has run without a gap. A process that was frozen cannot know what it slept through, so it stays silent.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */

/** How often `tick` must be called, ms. */
export const HOLDOVER_TICK_MS = 200;
/** A gap of this length between two ticks counts as having been frozen, ms. */
const LONGEST_GAP_MS = 3 * HOLDOVER_TICK_MS;

export class Holdover {
  #lastTick: number | undefined;

  /** Begins if the deadline passed only just now, hence while this process was awake. Tells whether it began. */
  begin(now: number, deadline: number): boolean {
    if (now - deadline > LONGEST_GAP_MS) return false;
    this.#lastTick = now;
    return true;
  }

  /** To be called every HOLDOVER_TICK_MS; tells whether the holdover still stands. */
  tick(now: number): boolean {
    if (!this.active(now)) return false;
    this.#lastTick = now;
    return true;
  }

  /** Whether it has begun and nothing has ended it; it may have lapsed (see `active`). */
  get begun(): boolean {
    return this.#lastTick !== undefined;
  }

  active(now: number): boolean {
    return this.#lastTick !== undefined && now - this.#lastTick <= LONGEST_GAP_MS;
  }

  end(): void {
    this.#lastTick = undefined;
  }
}
