/** What the kernel knows of a process, proc(5). */
import { readdirSync, readFileSync } from 'node:fs';

/** Of `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICK_MS = 10;

/** Processor time so far of all its threads, ms. */
export function cpuMs(pid: number): number {
  return cpuOf(`/proc/${pid}/stat`);
}

/** The same by thread, in the order in which they were made: `main` first, then those of Node and V8, then workers. */
export function cpuMsByThread(pid: number): Record<string, number> {
  const tids = readdirSync(`/proc/${pid}/task`).map(Number);
  const name = (tid: number) => (tid === pid ? 'main' : `thread ${tid - pid}`);
  return Object.fromEntries(
    tids.sort((a, b) => a - b).map((tid) => [name(tid), cpuOf(`/proc/${pid}/task/${tid}/stat`)]),
  );
}

/** Resident set now and at its highest, bytes. */
export function memory(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024;
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}

function cpuOf(stat: string): number {
  // utime and stime come after the name, which may have spaces and brackets.
  const fields = readFileSync(stat, 'utf8').split(') ').at(-1)!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
