/**
 * How often V8 wakes its helper threads. A speaker at rest does a little, the same ten times a second: for hours one function after another gets to where
 * V8 thinks it worth optimizing, and every optimization costs a helper more than it will ever save.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * How much of a function has to be executed before it is optimized, in octets of bytecode: twenty times V8's own. What is really busy, as where ten thousand
 * Services are parsed, gets there within milliseconds.
 */
const INTERRUPT_BUDGET = 1_320_000;

/** Of all threads of this process, from now on. */
export function leaveHelpersAlone(): void {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  // Young garbage of a few hundred KiB is collected faster than four threads are woken up for it.
  setFlagsFromString('--no-parallel-scavenge');
}
