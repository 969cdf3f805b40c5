/** What it means when the kernel refuses some of the operations of a step. Pure. */
import { apply, type Step } from './diff.js';
import type { Refusal } from './engine.js';
import { endpoint, type VirtualServer, virtualServerName } from './forwarder.js';

/** By virtualServerName(). */
export function byVirtualServer(refusals: readonly Refusal[]): Map<string, Refusal[]> {
  const groups = new Map<string, Refusal[]>();
  for (const refusal of refusals) {
    const name = virtualServerName(refusal.operation.service);
    const group = groups.get(name);
    if (group) group.push(refusal);
    else groups.set(name, [refusal]);
  }
  return groups;
}

/**
 * Throws the error of a refusal that comes from drift. What is refused in the wake of another refusal (the real servers
 * of a virtual server that was) does not.
 */
export function throwIfDrifted(refusals: readonly Refusal[]): void {
  for (const group of byVirtualServer(refusals).values()) {
    if (group.every(({ drift }) => drift)) throw group[0]!.error;
  }
}

/**
 * What the kernel holds after a step of which some was refused. `after` undefined: no such virtual server, or it is not
 * known what there is of it, and the next write to it will find out.
 */
export function outcome(
  step: Step,
  before: VirtualServer | undefined,
  refusals: readonly Refusal[],
): Pick<Step, 'after' | 'draining'> {
  if (refusals.length === 0) return step;
  const refused = new Set(refusals.map(({ operation }) => operation));
  const done = [...step.writes, ...step.removals].filter((operation) => !refused.has(operation));
  try {
    const [after] = apply(done, before ? [before] : []);
    const there = new Set(after?.realServers.map(({ address, port }) => endpoint(address, port)));
    return { after, draining: step.draining.filter(({ address, port }) => there.has(endpoint(address, port))) };
  } catch {
    return { after: undefined, draining: [] };
  }
}
