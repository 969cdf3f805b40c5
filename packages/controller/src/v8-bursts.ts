/**
 * When and how V8 optimizes. A controller is at rest but for bursts of seconds, and V8 is made for programs that go on for longer:
 *
 * - It waits until a function has run for long: of the time that a burst of 5,000 Services takes our own code, half was spent before it was
 *   optimized. Sooner is better, though a few functions more are optimized.
 * - It optimizes two hundred functions, and with them, again and again, what they call: that is a third of the processor time of a burst,
 *   on helper threads that take it from whoever shares the node.
 */
import { setFlagsFromString } from 'node:v8';

/** Octets of bytecode that a function runs before it is considered once more: a quarter of V8's own. */
const PATIENCE = 16_000;
/** Octets of bytecode, of one call and of all in one function: a quarter and less of V8's own. The smallest functions are inlined anyway. */
const INLINED = { each: 60, together: 100 };

/** For all functions of this process that are optimized from now on. */
export function optimizeForBursts(): void {
  setFlagsFromString(`--interrupt-budget=${PATIENCE}`);
  setFlagsFromString(`--max-inlined-bytecode-size=${INLINED.each}`);
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED.together}`);
}
