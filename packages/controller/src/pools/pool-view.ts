/**
 * What the API server's AddressPool objects mean for allocation. Pure.
 *
 * An address is given out only of what the *status* says is accepted, never of what the controller has merely concluded
 * from the spec: so every decision to hand out a range is on record before the first address of it is, and a restart
 * (or another controller) that reads the same objects goes on with the same pools.
 */

import { type AddressPool, type AddressSpace, conditions, mergeRanges, readRanges, useOf } from '@fairlead/api';
import type { AllocatorPool } from '../allocator/allocator.js';

/** Oldest first, then by name: the order in which pools have precedence and are tried. */
export function byAge(a: AddressPool, b: AddressPool): number {
  const [ageA, ageB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (ageA !== ageB) return ageA < ageB ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}

export function allocatorPoolOf(pool: AddressPool): AllocatorPool {
  const deleting = pool.metadata.deletionTimestamp !== undefined;
  const { coolDownSeconds, ...use } = useOf(pool);
  return {
    name: pool.metadata.name,
    ...spaceInEffect(pool),
    draining: mergeRanges(readRanges(pool.status?.inEffect?.draining)),
    ...modeOf(pool, deleting),
    ...use,
    coolDownMs: coolDownSeconds * 1000,
    deleting,
  };
}

/** Whether the status accepts the spec as it is now. */
export function isAccepted(pool: AddressPool): boolean {
  const condition = acceptedCondition(pool);
  return condition?.status === 'True' && condition.observedGeneration === pool.metadata.generation;
}

/** The last accepted addresses; without those that drain. */
export function spaceInEffect(pool: AddressPool): AddressSpace {
  const { addresses, avoidBuggyAddresses } = pool.status?.inEffect ?? {};
  return { ranges: mergeRanges(readRanges(addresses)), avoidBuggyAddresses: avoidBuggyAddresses === true };
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
