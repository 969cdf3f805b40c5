/** What /proc says about processes: enough to tell one from a later one that got the same pid. */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Ticks since boot at which it was started (field 22 of /proc/PID/stat): with the pid it names one process. */
  startTime: string;
}

/** The process that has this pid now; undefined when there is none, or only a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  return parseStat(pid, stat);
}

/** @param stat content of /proc/PID/stat; the name in parentheses may itself contain spaces and parentheses */
export function parseStat(pid: number, stat: string): ProcessIdentity | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on: the state
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTime: fields[19] ?? '' };
}

export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return identify(pid)?.startTime === startTime;
}

/** Changes with every boot, so that state which outlived one (or is seen from inside a guest) names no process. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
