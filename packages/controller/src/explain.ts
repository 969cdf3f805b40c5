/** The sentence that answers "why is this Service pending?": what is wrong, and what to do about it. Pure. */

import { annotations, type Family, reasons } from '@fairlead/api';
import type { Allocator, AllocatorPool, Holder } from './allocator.js';
import type { Problem } from './service-observation.js';
import type { Wish } from './waiting-list.js';

const familyNames: Record<Family, string> = { ipv4: 'IPv4', ipv6: 'IPv6' };

const NO_USAGE = { capacity: 0n, free: 0n, coolingDown: 0, withheld: 0n };

/** Pools named in one message at most. */
const MAX_NAMED = 5;

/** Why the wish cannot be granted now; undefined while a pool that might grant it is still being looked at. */
export function explain(allocator: Allocator, wish: Wish, holder: Holder): Problem | undefined {
  return wish.pool === undefined
    ? explainAny(allocator, wish.family, holder)
    : explainNamed(allocator, wish.pool, wish.family, holder);
}

function explainNamed(allocator: Allocator, name: string, family: Family, holder: Holder): Problem | undefined {
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
  const barrier = barrierOf(allocator, pool, holder);
  if (barrier) {
    return {
      reason: reasons.poolNotAllowed,
      message: `AddressPool "${name}" ${barrier}; change that, or name another pool in the annotation ${annotations.addressPool}`,
    };
  }
  return {
    reason: reasons.poolExhausted,
    message:
      `pool "${name}" has ${freeOf(allocator, pool, family)}; delete a Service that has one, add addresses to the pool, ` +
      `or name another pool in the annotation ${annotations.addressPool}`,
  };
}

function explainAny(allocator: Allocator, family: Family, holder: Holder): Problem | undefined {
  const pools = allocator.pools();
  if (pools.some((pool) => pool.autoAssign && pool.mode === 'undecided')) return undefined;
  const open = pools.filter((pool) => !allocator.poolObstacle(pool, holder, {}));
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
  const why = (pool: AllocatorPool) => {
    if (!pool.autoAssign) return `"${pool.name}" has autoAssign: false`;
    return `"${pool.name}" ${barrierOf(allocator, pool, holder) ?? `is not accepted (${pool.why})`}`;
  };
  return {
    reason: reasons.noPool,
    message:
      `no AddressPool gives out addresses to this Service while it names none: ${named(pools, why)}; ` +
      `name a pool in the annotation ${annotations.addressPool}, or create one that is for it with autoAssign: true`,
  };
}

/** Whom the pool is for, where that is not this Service. */
function barrierOf(allocator: Allocator, pool: AllocatorPool, holder: Holder): string | undefined {
  switch (allocator.poolObstacle(pool, holder, { pool: pool.name })) {
    case 'namespace':
      return `is not for namespace "${holder.namespace}" (its spec.namespaces and spec.namespaceSelector say for which)`;
    case 'service':
      return 'is not for Services with these labels (its spec.serviceSelector says for which)';
    default:
      return undefined;
  }
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
