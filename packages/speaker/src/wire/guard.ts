/** Runs what may fail: a failed system call is told, and must not keep the other virtual routers from being served. */

import type { FromWire } from './messages.js';

export class Guard {
  readonly #tell: (message: FromWire) => void;

  constructor(tell: (message: FromWire) => void) {
    this.#tell = tell;
  }

  /** @param attempt what it does, as in "could not ..." */
  run(attempt: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.failed(attempt, error as NodeJS.ErrnoException);
    }
  }

  failed(attempt: string, { message, code }: NodeJS.ErrnoException): void {
    this.#tell({
      kind: 'error',
      message: `could not ${attempt}: ${message}`,
      ...(code === undefined ? {} : { code }),
    });
  }
}
