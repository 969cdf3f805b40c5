/**
 * What the machine itself is late by, in the same run: two threads of the wire thread's priority that do nothing but wake up, one after a
 * sleep, the other for a frame, which it sends back. They are threads of this process, so nothing of them is left when it ends.
 *
 * A virtual processor that has halted runs again when its hypervisor lets it, which has taken 10 ms at times and is nobody's code. So none
 * halts while this measures: the kernel is asked for wake-ups within 0 µs (Documentation/power/pm_qos_interface.rst), as cyclictest(8) asks it, and
 * polls for work instead. That takes time from nothing that runs. A processor that its hypervisor gives to somebody else is late all the same,
 * hence the two threads.
 */
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export type BareThread = { do: 'sleep'; ms: number } | { do: 'echo'; netns: string; index: number };

/** For each thread. */
export interface BareData {
  bare: BareThread;
  /** Becomes 1 when the thread is to end. */
  stop: SharedArrayBuffer;
}

/** Of IEEE 802, for local experiments: nobody else answers it. */
export const ECHO_ETHERTYPE = 0x88b5;

const THREAD = new URL('bare-thread.js', import.meta.url);
const LATENCY = '/dev/cpu_dma_latency';

export class Machine {
  readonly #stop = new SharedArrayBuffer(4);
  readonly #sleeper: Worker;
  readonly #echo: Worker;
  readonly #awake: number | undefined;
  #since = processorTime();

  /** @param index of the interface in the namespace that echoes */
  static async start(options: { sleepMs: number; netns: string; index: number }): Promise<Machine> {
    const machine = new Machine(options);
    await Promise.all([machine.#sleeper, machine.#echo].map((thread) => once(thread, 'message')));
    machine.#since = processorTime();
    return machine;
  }

  private constructor({ sleepMs, netns, index }: { sleepMs: number; netns: string; index: number }) {
    this.#sleeper = this.#begin({ do: 'sleep', ms: sleepMs });
    this.#echo = this.#begin({ do: 'echo', netns, index });
    this.#awake = stayAwake();
  }

  /** Whether the kernel was asked not to let processors halt. */
  get isKeptAwake(): boolean {
    return this.#awake !== undefined;
  }

  /** Ends it. How much later than asked for the sleeper woke up, ms; and what share of the time a hypervisor has taken away, %. */
  async stop(): Promise<{ late: number[]; stolen: number }> {
    const { all, stolen } = processorTime();
    const share = (100 * (stolen - this.#since.stolen)) / Math.max(1, all - this.#since.all);
    const said = once(this.#sleeper, 'message') as Promise<[number[]]>;
    const ended = [this.#sleeper, this.#echo].map((thread) => once(thread, 'exit'));
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    Atomics.notify(new Int32Array(this.#stop), 0);
    const [late] = await said;
    await Promise.all(ended);
    if (this.#awake !== undefined) closeSync(this.#awake);
    return { late, stolen: share };
  }

  #begin(bare: BareThread): Worker {
    return new Worker(THREAD, { workerData: { bare, stop: this.#stop } satisfies BareData });
  }
}

/** For as long as the file is open; undefined: the kernel has no such thing, or this process may not. */
function stayAwake(): number | undefined {
  try {
    const file = openSync(LATENCY, 'r+');
    writeSync(file, Buffer.alloc(4));
    return file;
  } catch {
    return undefined;
  }
}

/** Of all processors, in ticks; proc(5), /proc/stat. */
function processorTime(): { all: number; stolen: number } {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/\s+/).slice(1, 9).map(Number);
  return { all: fields.reduce((sum, ticks) => sum + ticks, 0), stolen: fields[7]! };
}
