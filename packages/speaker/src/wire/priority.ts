/**
 * The wire thread before all others: the main thread parses for seconds, and V8's helpers collect its garbage, on as many processors as the
 * machine has. The scheduler lets each of them finish its slice of some milliseconds before a timer or an ARP request gets its turn.
 */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/** As system services that must not wait have it; far from that of kernel threads. */
const NICE = -10;

/** Tells why it could not be done, as where CAP_SYS_NICE is missing; undefined: it was. */
export function goFirst(): Error | undefined {
  try {
    // `PID/task/TID`; a nice value is a thread's on Linux (setpriority(2), "C library/kernel differences").
    const tid = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(tid, NICE);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
