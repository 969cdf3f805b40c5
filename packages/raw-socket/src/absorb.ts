/** Datagrams that come again and again, and that no listener is called for (native/absorb.c). */
import type { NativeSocket } from './native.js';

/** A datagram that comes again and again, and that the listener is not called for. */
export interface Absorbed {
  /** How long ago it came, ms; undefined: not since this was asked last. A socket that is closed tells what came until then. */
  since(): number | undefined;
  /**
   * Calls `onLate` once when it has not come for so many whole milliseconds, counted from when it came last, or was named; what is pending then has come.
   * A socket that is closed calls at once: nothing comes any more. Called again, it replaces what was watched for before. Ends with `end`. Returns
   * whether it is watched: not when it is over already.
   */
  watch(patienceMs: number, onLate: () => void): boolean;
  /** From now on the listener is called for it again. May be called again, and when the socket is closed. */
  end(): void;
}

export class AbsorbedDatagram implements Absorbed {
  readonly #native: NativeSocket;
  readonly #place: number;
  readonly #onEnd: () => void;
  #ended = false;
  #onLate: (() => void) | undefined;
  /** When it came last on a socket that is closed, by performance.now(). */
  #cameAt: number | undefined;

  constructor(
    native: NativeSocket,
    address: Uint8Array,
    data: Uint8Array,
    mask: Uint8Array | undefined,
    onEnd: () => void,
  ) {
    this.#native = native;
    this.#place = native.absorb(address, data, mask ?? new Uint8Array(data.length).fill(0xff));
    this.#onEnd = onEnd;
  }

  since(): number | undefined {
    if (!this.#ended) {
      const ago = this.#native.absorbed(this.#place);
      return ago < 0 ? undefined : ago;
    }
    const cameAt = this.#cameAt;
    this.#cameAt = undefined;
    return cameAt === undefined ? undefined : performance.now() - cameAt;
  }

  watch(patienceMs: number, onLate: () => void): boolean {
    if (this.#ended) return false;
    this.#onLate = onLate;
    this.#native.watch(this.#place, patienceMs, () => this.#late());
    return true;
  }

  end(): void {
    this.#cameAt = undefined;
    this.#onLate = undefined;
    if (this.#ended) return;
    this.#ended = true;
    this.#native.heed(this.#place);
    this.#onEnd();
  }

  /** The socket is about to be closed. */
  settle(): void {
    const ago = this.since();
    const onLate = this.#onLate;
    this.end();
    if (ago !== undefined) this.#cameAt = performance.now() - ago;
    onLate?.();
  }

  #late(): void {
    const onLate = this.#onLate;
    this.#onLate = undefined;
    onLate?.();
  }
}
