/**
 * When and how V8 optimizes. A speaker at rest does a little, the same ten times a second, for weeks. By V8's own measure one function after another
 * gets to where it is optimized within hours: until then it is executed at twice the price, and all the time a helper thread is at work. So at first
 * V8 is to be quick, and what has not got there within minutes is not worth it any more. Measured as the owner of sixteen virtual routers by VRRP,
 * beside V8 left alone: the wire thread takes a sixth less, and helpers next to nothing.
 */
import { setFlagsFromString } from 'node:v8';

/** Octets of bytecode that a function runs before it is considered once more: a quarter of V8's own. */
const QUICK = 16_000;
/** Twenty times V8's own. What is really busy, as where ten thousand Services are parsed, gets there within milliseconds. */
const PATIENT = 1_320_000;
const QUICK_FOR_MS = 120_000;
/** Octets of bytecode, of one call and of all in one function: a quarter and less of V8's own, for which helper threads take half as long again. */
const INLINED = { each: 60, together: 100 };

/** In all threads of this process, from now on. */
export function optimizeForRest(): void {
  setFlagsFromString(`--interrupt-budget=${QUICK}`);
  setFlagsFromString(`--max-inlined-bytecode-size=${INLINED.each}`);
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED.together}`);
  // Young garbage of a few hundred KiB is collected faster than four threads are woken up for it.
  setFlagsFromString('--no-parallel-scavenge');
  setTimeout(() => setFlagsFromString(`--interrupt-budget=${PATIENT}`), QUICK_FOR_MS).unref();
}
