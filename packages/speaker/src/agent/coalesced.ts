/** Runs a job once for any number of requests that come before it begins; never twice at the same time. */

export class Coalesced {
  readonly #job: () => void;
  #handle: NodeJS.Immediate | undefined;
  #stopped = false;

  constructor(job: () => void) {
    this.#job = job;
  }

  request(): void {
    if (this.#stopped) return;
    this.#handle ??= setImmediate(() => {
      this.#handle = undefined;
      this.#job();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearImmediate(this.#handle);
  }
}
