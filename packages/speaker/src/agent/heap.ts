/** How much memory garbage may take before it is collected. */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 lets a heap grow to between one and a half times and four times what was in use after the last collection, and a speaker whose Services do
 * not change makes little garbage: what a burst has left would stay for hours. At 1.25 times a speaker with 5,000 Services takes 20 MiB less, for
 * one or two collections of its main thread, 0.1 s each, with every audit; heaps of a few hundred Services, and the wire thread's, may grow by 8 MiB
 * in any case. Node's own options have nothing like it.
 */
const GROWING_PERCENT = 25;

/** Of all threads of this process, from now on. */
export function growHeapSlowly(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
}
