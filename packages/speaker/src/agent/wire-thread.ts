/** The main thread's handle on the wire thread: typed messages in and out, and what to do when it dies. */

import { EventEmitter, once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FromWire, ToWire, WireOptions } from '../wire/messages.js';

interface WireThreadEvents {
  message: [FromWire];
  /** The thread is gone without having been asked to; nothing is answered or announced any more. */
  died: [Error];
}

export class WireThread extends EventEmitter<WireThreadEvents> {
  readonly #worker: Worker;
  #stopping = false;

  constructor(options: WireOptions) {
    super();
    this.#worker = new Worker(new URL('../wire/thread.js', import.meta.url), { workerData: options, name: 'wire' });
    let failure: Error | undefined;
    this.#worker.on('message', (message: FromWire) => this.emit('message', message));
    this.#worker.on('error', (error) => {
      failure = error;
    });
    this.#worker.on('exit', (code) => {
      if (!this.#stopping) this.emit('died', failure ?? new Error(`the wire thread ended with exit code ${code}`));
    });
  }

  send(message: ToWire): void {
    this.#worker.postMessage(message);
  }

  /** Yields everything this node owns; with `release`, tells the others at once. Resolves when the thread has ended. */
  async stop(options: { release: boolean }): Promise<void> {
    this.#stopping = true;
    const ended = once(this.#worker, 'exit');
    this.send({ kind: 'stop', release: options.release });
    await ended;
  }
}
