/**
 * The text that chooses how connections are spread over real servers, as in the annotation `fairlead.dev/scheduler`: the name of an
 * IPVS scheduler, then its flags, separated by commas: `wlc`, `sh,sh-port`, `mh,mh-port`. Pure.
 */
import type { SchedulerFlag } from '../forwarder.js';

export interface Scheduler {
  name: string;
  /** Ascending; absent: none. */
  flags?: readonly SchedulerFlag[];
}

/** Turns with weights: weights are how many endpoints a node has where `externalTrafficPolicy` is Local; `rr` knows none. */
export const DEFAULT_SCHEDULER = 'wrr';

const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'dh', 'sed', 'nq', 'mh'];
const FLAGS: Record<string, readonly SchedulerFlag[]> = {
  sh: ['sh-fallback', 'sh-port'],
  mh: ['mh-fallback', 'mh-port'],
};

/**
 * `mh` and `sh` always get their fallback flag: a real server that is drained stays for a while with weight 0, and without the flag
 * its share of new connections is refused (ip_vs_mh.c, ip_vs_sh.c).
 */
const ALWAYS: Record<string, SchedulerFlag> = { sh: 'sh-fallback', mh: 'mh-fallback' };

/** Blanks around names do not matter. What is wrong, and what to write instead, when it is not a scheduler. */
export function parseScheduler(text: string): Scheduler | { wrong: string } {
  const [name = '', ...words] = text.split(',').map((word) => word.trim());
  if (!SCHEDULERS.includes(name)) {
    return { wrong: `"${name}" is not one of the schedulers ${SCHEDULERS.join(', ')}` };
  }
  const allowed = FLAGS[name] ?? [];
  const flags = new Set<SchedulerFlag>(ALWAYS[name] === undefined ? [] : [ALWAYS[name]]);
  for (const word of words) {
    const flag = allowed.find((candidate) => candidate === word);
    if (flag === undefined) {
      const known = allowed.length > 0 ? `its flags are ${allowed.join(' and ')}` : `${name} has none`;
      return { wrong: `"${word}" is not a flag of the scheduler ${name}: ${known}` };
    }
    flags.add(flag);
  }
  return flags.size === 0 ? { name } : { name, flags: [...flags].sort() };
}
