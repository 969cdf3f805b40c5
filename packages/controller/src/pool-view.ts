/**
 * What the API server's AddressPool objects mean for allocation. Pure.
 *
 * An address is given out only of what the *status* says is accepted, never of what the controller has merely concluded
 * from the spec: so every decision to hand out a range is on record before the first address of it is, and a restart
 * (or another controller) that reads the same objects goes on with the same pools.
 */

import { type AddressPool, type AddressRange, conditions, mergeRanges, readRanges } from '@fairlead/api';
import type { AllocatorPool } from './allocator.js';

/** Oldest first, then by name: the order in which pools have precedence and are tried. */
export function byAge(a: AddressPool, b: AddressPool): number {
  const [ageA, ageB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (ageA !== ageB) return ageA < ageB ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}

export function allocatorPoolOf(pool: AddressPool): AllocatorPool {
  const deleting = pool.metadata.deletionTimestamp !== undefined;
  return {
    name: pool.metadata.name,
    ranges: rangesInEffect(pool),
    draining: mergeRanges(readRanges(pool.status?.inEffect?.draining)),
    ...modeOf(pool, deleting),
    autoAssign: pool.spec?.autoAssign !== false,
    deleting,
  };
}

/** Whether the status accepts the spec as it is now. */
export function isAccepted(pool: AddressPool): boolean {
  const condition = acceptedCondition(pool);
  return condition?.status === 'True' && condition.observedGeneration === pool.metadata.generation;
}

/** The last accepted ranges; without those that drain. */
export function rangesInEffect(pool: AddressPool): AddressRange[] {
  return mergeRanges(readRanges(pool.status?.inEffect?.addresses));
}

export function acceptedCondition(pool: AddressPool) {
  return pool.status?.conditions?.find((condition) => condition.type === conditions.accepted);
}

function modeOf(pool: AddressPool, deleting: boolean): Pick<AllocatorPool, 'mode' | 'why'> {
  if (deleting) return { mode: 'closed', why: 'it is being deleted' };
  if (isAccepted(pool)) return { mode: 'open' };
  const condition = acceptedCondition(pool);
  if (condition?.status === 'False' && condition.observedGeneration === pool.metadata.generation) {
    return { mode: 'closed', why: condition.message };
  }
  return { mode: 'undecided' };
}
