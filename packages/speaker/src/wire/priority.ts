/**
 * The wire thread before all others: the main thread parses for seconds, V8's helpers collect its garbage, and Pods compute, on as many
 * processors as the machine has. The scheduler lets each of them finish its slice of some milliseconds before a timer or an ARP request gets
 * its turn, and nice values count only among what is in one control group. So it is a real-time thread, as keepalived can be for the same
 * reason (vrrp_rt_priority), of the lowest priority there is. It sleeps nearly all the time; and should it not, the kernel leaves others 5 %
 * of its processor (sched(7), sched_rt_runtime_us).
 *
 * Not where this process has but one processor: V8 looks again and again whether its helpers have swept the heap (cppgc, IncrementalSweepTask), and they
 * would not get to it for nearly a second.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';

/** Where real time is not to be had: as system services that must not wait have it; far from that of kernel threads. */
const NICE = -10;
const REAL_TIME = 1;

/** Tells what could not be done, as where CAP_SYS_NICE is missing; undefined: nothing. */
export function goFirst(): string | undefined {
  let last = 'waits its turn like any other';
  try {
    // `PID/task/TID`; a nice value is a thread's on Linux (setpriority(2), "C library/kernel differences").
    const tid = readlinkSync('/proc/thread-self').split('/').at(-1)!;
    setPriority(Number(tid), NICE);
    if (availableParallelism() === 1) return undefined;
    last = `goes before others only by its nice value of ${NICE}, not as a real-time thread`;
    // Node has no call for it; chrt(1) is a part of util-linux. What this thread starts is not meant.
    execFileSync('chrt', ['--fifo', '--reset-on-fork', '--pid', `${REAL_TIME}`, tid], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `the wire thread ${last}: ${(error as Error).message.trim()}`;
  }
}
