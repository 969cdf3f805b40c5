/**
 * Nodes that get no new connections for a while, because their claim to a virtual router has just run out. Most likely such a node is
 * dead, which the probes will need a second longer to find out; and if only its speaker is, its kernel still takes the replies of its
 * NodePorts into its own director, until the dead man's switch goes off.
 */

export interface SuspectsOptions {
  /** For how long, ms. */
  forMs: number;
  /** Told when a node becomes a suspect, and when it is none any more. */
  onChange: (node: string, suspect: boolean) => void;
  setTimeout?: typeof setTimeout;
  clearTimeout?: typeof clearTimeout;
}

export class Suspects {
  readonly #options: Required<SuspectsOptions>;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: SuspectsOptions) {
    this.#options = { setTimeout, clearTimeout, ...options };
  }

  /** From now on; a node that is one already stays one for longer. */
  suspect(node: string): void {
    const { forMs, onChange, setTimeout, clearTimeout } = this.#options;
    const running = this.#timers.get(node);
    if (running) clearTimeout(running);
    const timer = setTimeout(() => {
      this.#timers.delete(node);
      onChange(node, false);
    }, forMs);
    timer.unref();
    this.#timers.set(node, timer);
    if (!running) onChange(node, true);
  }

  stop(): void {
    for (const timer of this.#timers.values()) this.#options.clearTimeout(timer);
    this.#timers.clear();
  }
}
