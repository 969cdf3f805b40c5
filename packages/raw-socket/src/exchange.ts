/** A question over a connection of its own, without a turn of JavaScript until its answer (native/exchange.c). */
import { isSystemError, type SystemError } from './errors.js';
import { native } from './native.js';

export interface Exchange {
  /** Whom to ask: `sockaddrIn`, `sockaddrIn6`, or any other address of streams. */
  address: Uint8Array;
  /** What to send, at most 64 KiB; it may be empty. */
  request: Uint8Array;
  /** How many bytes of the answer to wait for, at most 1,024. 0: the connection, and that the request is sent, says enough. */
  enough: number;
}

/**
 * Connects from this thread's network namespace, sends the request, waits for enough of the answer and closes the connection. `done`
 * is called once, never from within the call: with what came of the answer, up to 1,024 bytes as latin1, which is less than enough only when
 * the other end has closed it; or with an error of `socket`, `connect`, `write` or `read`. How long that may take is the
 * caller's affair.
 *
 * @returns what gives the exchange up: `done` is not called any more. It may be called again, and when all is over.
 */
export function exchange(
  { address, request, enough }: Exchange,
  done: (error: SystemError | undefined, answer: string) => void,
): () => void {
  try {
    const number = native.exchange(address, request, enough, done);
    return () => native.giveUp(number);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    let givenUp = false;
    process.nextTick(() => {
      if (!givenUp) done(error, '');
    });
    return () => {
      givenUp = true;
    };
  }
}
