/** What an AddressPool's status should say: what is in effect, the counts of each family, and the conditions. Pure. */

import {
  type AddressPool,
  type AddressPoolStatus,
  type AddressSpace,
  announcementInEffect,
  announcementSpecOf,
  capacityOf,
  conditions,
  type Family,
  type FamilyStatus,
  formatRange,
  reasons,
  spaceCapacity,
} from '@fairlead/api';
import type { Allocator } from '../allocator/allocator.js';
import { sameSpace } from '../allocator/allocator-pool.js';
import type { ConditionNow } from '../writing/conditions.js';
import { coolingStatus } from './pool-cooling.js';
import type { Judgement } from './pool-judgement.js';
import { type Occupant, withheldFrom } from './pool-occupants.js';
import { spaceInEffect } from './pool-view.js';

/** Use of addresses, as far as pools report it. */
export type PoolUsage = Pick<Allocator, 'coolingIn' | 'holdersOf' | 'homedIn' | 'outside' | 'pool' | 'usage'>;

/** Everything of the status but its conditions and generation. */
export type PoolNumbers = Omit<AddressPoolStatus, 'conditions' | 'observedGeneration'> &
  Required<Pick<AddressPoolStatus, 'inEffect' | 'allocated'>>;

/** Ranges and culprits named in one message at most. */
const MAX_NAMED = 5;
const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

export function numbersOf(object: AddressPool, judgement: Judgement, usage: PoolUsage): PoolNumbers {
  const { name } = object.metadata;
  const space = judgement.ok ? judgement.pool : spaceInEffect(object);
  const outside = usage.outside(name, space);
  const announcement = judgement.ok ? judgement.pool : announcementInEffect(object.status?.inEffect);
  const coolingDown = coolingStatus(usage.coolingIn(name));
  return {
    inEffect: {
      addresses: space.ranges.map(formatRange),
      ...(space.avoidBuggyAddresses && { avoidBuggyAddresses: true }),
      ...(outside.length > 0 && { draining: outside.map(formatRange) }),
      ...announcementSpecOf(announcement),
    },
    allocated: usage.homedIn(name),
    ...Object.fromEntries(
      FAMILIES.flatMap((family) => {
        const counts = countsOf(name, space, family, usage);
        return counts ? [[family, counts]] : [];
      }),
    ),
    ...(coolingDown.length > 0 && { coolingDown }),
  };
}

/** Undefined where the pool has nothing of the family, and nothing of it in use. */
function countsOf(name: string, space: AddressSpace, family: Family, usage: PoolUsage): FamilyStatus | undefined {
  const known = usage.pool(name);
  const now = usage.usage(name, family);
  const capacity = spaceCapacity(space, family);
  const total = (now?.inUse ?? 0) + (now?.draining ?? 0);
  if (capacity === 0n && total === 0) return undefined;
  if (known && now && sameSpace(known, space)) {
    const { draining, coolingDown, withheld, free } = now;
    return {
      capacity: String(capacity),
      allocated: total,
      free: String(free),
      ...(draining > 0 && { draining }),
      ...(coolingDown > 0 && { coolingDown }),
      ...(withheld > 0n && { withheld: String(withheld) }),
    };
  }
  // About to be accepted: the allocator counts for it as soon as this is written.
  const outside = usage.outside(name, space).filter((range) => range.first.family === family);
  const draining = Number(capacityOf(outside));
  return {
    capacity: String(capacity),
    allocated: total,
    free: String(capacity - BigInt(total - draining)),
    ...(draining > 0 && { draining }),
  };
}

export function acceptedOf(object: AddressPool, judgement: Judgement, numbers: PoolNumbers): ConditionNow {
  const type = conditions.accepted;
  const { addresses, virtualRouters } = numbers.inEffect;
  if (judgement.ok) {
    const families = FAMILIES.flatMap((family) => {
      const capacity = numbers[family]?.capacity ?? '0';
      return capacity === '0' ? [] : [`${capacity} ${family === 'ipv4' ? 'IPv4' : 'IPv6'}`];
    });
    const unit = families.join() === '1 IPv4' || families.join() === '1 IPv6' ? 'address' : 'addresses';
    const routers = `${virtualRouters} virtual ${virtualRouters === 1 ? 'router' : 'routers'}`;
    const message = `${families.join(' and ')} ${unit} in ${routers}`;
    return { type, status: 'True', reason: reasons.accepted, message };
  }
  if (object.metadata.deletionTimestamp) return deletingOf(object, numbers);
  const kept =
    addresses.length > 0
      ? `; until that is corrected, Services keep their addresses (${some(addresses)}), and no new ones are given out`
      : '';
  return { type, status: 'False', reason: judgement.reason, message: judgement.message + kept };
}

function deletingOf({ spec }: AddressPool, { allocated }: PoolNumbers): ConditionNow {
  const moving = spec?.reclaim
    ? 'their Services get addresses of other pools as soon as these have some free'
    : 'delete the Services that have them, set spec.reclaim: true to give these Services others, ' +
      'or create a pool with the same addresses to take them over';
  return {
    type: conditions.accepted,
    status: 'False',
    reason: reasons.deleting,
    message: `being deleted: gives out no addresses, and goes as soon as the ${allocated} in use are free; ${moving}`,
  };
}

/** Undefined while there is nothing to say, and never has been. */
export function drainingOf(object: AddressPool, { inEffect, ipv4, ipv6 }: PoolNumbers): ConditionNow | undefined {
  const type = conditions.draining;
  const count = (ipv4?.draining ?? 0) + (ipv6?.draining ?? 0);
  if (count === 0) {
    const message = 'every address in use is one of the pool';
    return has(object, type) ? { type, status: 'False', reason: reasons.drained, message } : undefined;
  }
  const which = `${count === 1 ? '1 address' : `${count} addresses`} in use that the pool no longer has: ${some(inEffect.draining ?? [])}`;
  return object.spec?.reclaim
    ? { type, status: 'True', reason: reasons.reclaiming, message: `${which}; their Services get others` }
    : {
        type,
        status: 'True',
        reason: reasons.inUse,
        message: `${which}; they go with their Services, or set spec.reclaim: true to give these Services others`,
      };
}

/** What else has addresses of an accepted pool. Undefined while nothing has, and never has had. */
export function conflictOf(
  object: AddressPool,
  judgement: Judgement,
  occupants: readonly Occupant[],
  usage: PoolUsage,
): ConditionNow | undefined {
  const type = conditions.conflict;
  const space = judgement.ok ? judgement.pool : spaceInEffect(object);
  const found = withheldFrom([space], occupants);
  if (found.length === 0) {
    const message = 'nothing else is known to have addresses of the pool';
    return has(object, type) ? { type, status: 'False', reason: reasons.noConflict, message } : undefined;
  }
  const users = found.flatMap(({ range }) => {
    const isSingle = range.first.value === range.last.value;
    // Of those who share it the first by name: the same after a restart.
    const [user] = isSingle ? usage.holdersOf(range.first).sort() : [];
    return user ? [`${formatRange(range)} by Service "${user}"`] : [];
  });
  const used = users.length > 0 ? `; in use nevertheless: ${some(users)}, which should get another address` : '';
  const message =
    `not given out: ${some(found.map(({ why }) => why))}${used}; ` +
    'list them in spec.excludeAddresses, or take them from whoever has them';
  return { type, status: 'True', reason: reasons.foreignUse, message };
}

function has(object: AddressPool, type: string): boolean {
  return object.status?.conditions?.some((condition) => condition.type === type) ?? false;
}

function some(texts: readonly string[]): string {
  const more = texts.length > MAX_NAMED ? [`and ${texts.length - MAX_NAMED} more`] : [];
  return [...texts.slice(0, MAX_NAMED), ...more].join(', ');
}
