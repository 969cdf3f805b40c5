/**
 * Labs are removed however their process ends: by itself, by an exception, or by a signal. (After SIGKILL the kernel
 * ends the lab's processes, and the next lab removes the rest.)
 *
 * Signals: the handlers remove everything synchronously and then raise the signal again with its default action, so
 * that whoever waits for this process sees what ended it. They are installed only while there is a lab.
 */
export interface Removable {
  /** Synchronous, and harmless when called again. */
  removeNow(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

class AtExit {
  readonly #labs = new Set<Removable>();
  readonly #onExit = () => this.#removeAll();
  readonly #onSignal = (signal: NodeJS.Signals) => {
    this.#removeAll();
    process.kill(process.pid, signal);
  };

  add(lab: Removable): void {
    if (this.#labs.size === 0) {
      process.on('exit', this.#onExit);
      for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    }
    this.#labs.add(lab);
  }

  delete(lab: Removable): void {
    if (!this.#labs.delete(lab) || this.#labs.size > 0) return;
    process.off('exit', this.#onExit);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  #removeAll(): void {
    for (const lab of [...this.#labs]) lab.removeNow();
  }
}

export const atExit = new AtExit();
