/** Datagrams that are sent again and again, without a turn of JavaScript for each time (native/repeat.c). */
import type { NativeSocket } from './native.js';

export interface Repetition {
  /** Whole ms between the beginnings; before the first, at most. */
  everyMs: number;
  /** Whole ms: what comes so long after the last time, or later, is not sent any more. */
  withinMs: number;
  /** How long ago it was sent last, before it is repeated, ms; default 0. */
  agoMs?: number;
}

/** Datagrams that are sent again and again. */
export interface Repeated {
  /** How long ago they were sent last, ms; also when it is ended, or the socket closed. */
  since(): number;
  /** From now on they are not. May be called again, and when the socket is closed. */
  end(): void;
}

export class RepeatedDatagrams implements Repeated {
  readonly #native: NativeSocket;
  readonly #place: number;
  readonly #onEnd: () => void;
  /** When they were sent last, by performance.now(); once it is over. */
  #sentAt: number | undefined;

  constructor(
    native: NativeSocket,
    packed: Uint8Array,
    { everyMs, withinMs, agoMs = 0 }: Repetition,
    onMissed: () => void,
    onEnd: () => void,
  ) {
    this.#native = native;
    this.#place = native.repeat(packed, everyMs, withinMs, agoMs, onMissed);
    this.#onEnd = onEnd;
  }

  since(): number {
    return this.#sentAt === undefined ? this.#native.repeated(this.#place) : performance.now() - this.#sentAt;
  }

  end(): void {
    if (this.#sentAt !== undefined) return;
    this.#sentAt = performance.now() - this.since();
    this.#native.cease(this.#place);
    this.#onEnd();
  }
}
