/**
 * Whether the API server confirms what this node asks of it for its Leases: said when it has not for a while, and when it does again. An
 * owner goes on meanwhile, so nothing else would tell. Pure; watches are no evidence, as one that nobody answers looks like one without news.
 */

export interface ReachabilityOptions {
  /** A failure that lasts shorter is not worth a word, ms. */
  patienceMs: number;
  /** Monotonic ms. */
  clock: () => number;
  /** `silentMs`: since the first of the requests that failed. `error`: of the last one; undefined: it answers again. */
  tell: (silentMs: number, error: Error | undefined) => void;
}

export class Reachability {
  readonly #options: ReachabilityOptions;
  #failingSince: number | undefined;
  #told = false;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
  }

  /** A request has ended, with this error if nobody answered it. */
  attempt(error: Error | undefined): void {
    const { clock, patienceMs, tell } = this.#options;
    const now = clock();
    const silentMs = now - (this.#failingSince ?? now);
    if (error === undefined) {
      this.#failingSince = undefined;
      if (this.#told) tell(silentMs, undefined);
      this.#told = false;
      return;
    }
    this.#failingSince ??= now;
    if (this.#told || silentMs < patienceMs) return;
    this.#told = true;
    tell(silentMs, error);
  }
}
