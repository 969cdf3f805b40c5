/** The sentence that answers "why is this Service pending?": what is wrong, and what to do about it. Pure. */

import { annotations, type Family, reasons } from '@fairlead/api';
import type { Allocator, AllocatorPool } from './allocator.js';
import type { Problem } from './service-observation.js';
import type { Wish } from './waiting-list.js';

const familyNames: Record<Family, string> = { ipv4: 'IPv4', ipv6: 'IPv6' };

const NO_USAGE = { capacity: 0n, free: 0n, coolingDown: 0, withheld: 0n };

/** Pools named in one message at most. */
const MAX_NAMED = 5;

/** Why the wish cannot be granted now; undefined while a pool that might grant it is still being looked at. */
export function explain(allocator: Allocator, wish: Wish): Problem | undefined {
  return wish.pool === undefined ? explainAny(allocator, wish.family) : explainNamed(allocator, wish.pool, wish.family);
}

function explainNamed(allocator: Allocator, name: string, family: Family): Problem | undefined {
  const pool = allocator.pool(name);
  if (!pool) {
    return {
      reason: reasons.poolNotFound,
      message: `AddressPool "${name}" does not exist; create it, or correct the annotation ${annotations.addressPool}`,
    };
  }
  if (pool.mode === 'undecided') return undefined;
  if (pool.mode === 'closed') {
    return {
      reason: reasons.poolNotAccepted,
      message:
        `AddressPool "${name}" gives out no addresses: ${pool.why}; correct it, ` +
        `or name another pool in the annotation ${annotations.addressPool}`,
    };
  }
  return {
    reason: reasons.poolExhausted,
    message:
      `pool "${name}" has ${freeOf(allocator, pool, family)}; delete a Service that has one, add addresses to the pool, ` +
      `or name another pool in the annotation ${annotations.addressPool}`,
  };
}

function explainAny(allocator: Allocator, family: Family): Problem | undefined {
  const pools = allocator.pools();
  if (pools.some((pool) => pool.autoAssign && pool.mode === 'undecided')) return undefined;
  const open = pools.filter((pool) => pool.autoAssign && pool.mode === 'open');
  if (open.length > 0) {
    return {
      reason: reasons.poolExhausted,
      message:
        `no ${familyNames[family]} address is free: ` +
        `${named(open, (pool) => `pool "${pool.name}" has ${freeOf(allocator, pool, family)}`)}; ` +
        'delete a Service that has one, or add addresses to a pool',
    };
  }
  if (pools.length === 0) {
    return { reason: reasons.noPool, message: 'there is no AddressPool; create one, see deploy/examples/pool.yaml' };
  }
  const why = (pool: AllocatorPool) =>
    pool.autoAssign ? `"${pool.name}" is not accepted (${pool.why})` : `"${pool.name}" has autoAssign: false`;
  return {
    reason: reasons.noPool,
    message:
      `no AddressPool gives out addresses to Services that name none: ${named(pools, why)}; ` +
      `name a pool in the annotation ${annotations.addressPool}, or create one with autoAssign: true`,
  };
}

function freeOf(allocator: Allocator, pool: AllocatorPool, family: Family): string {
  const { capacity, free, coolingDown, withheld } = allocator.usage(pool.name, family) ?? NO_USAGE;
  const notes = [
    ...(coolingDown > 0 ? [`${coolingDown} freed a short while ago`] : []),
    ...(withheld > 0n ? [`${withheld} withheld, see its condition Conflict`] : []),
  ];
  return capacity === 0n
    ? `no ${familyNames[family]} addresses at all`
    : `${free} of ${capacity} ${familyNames[family]} addresses free${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`;
}

function named(pools: AllocatorPool[], text: (pool: AllocatorPool) => string): string {
  const more = pools.length > MAX_NAMED ? [`and ${pools.length - MAX_NAMED} more`] : [];
  return [...pools.slice(0, MAX_NAMED).map(text), ...more].join(', ');
}
