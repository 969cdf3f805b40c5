/** The sentence that answers "why is this Service pending?": what is wrong, and what to do about it. Pure. */

import { annotations, type Family, formatAddress, reasons } from '@fairlead/api';
import type {
  AddressObstacle,
  Allocator,
  AllocatorPool,
  Holder,
  PoolObstacle,
  SharingFault,
  Wish,
} from '../allocator/allocator.js';
import type { Problem } from '../services/service-observation.js';
import type { WaitingList } from './waiting-list.js';

const familyNames: Record<Family, string> = { ipv4: 'IPv4', ipv6: 'IPv6' };

/** Pools named in one message at most. */
const MAX_NAMED = 5;

type Pools = Pick<Allocator, 'addressObstacle' | 'pool' | 'poolObstacle' | 'pools' | 'usage'>;
type Queue = Pick<WaitingList, 'pendingFor'>;

/** Why the wish cannot be granted now; undefined while a pool that might grant it is still being looked at. */
export function explain(allocator: Pools, holder: Holder, wish: Wish, waiting: Queue): Problem | undefined {
  if (wish.pool !== undefined && !allocator.pool(wish.pool)) {
    return {
      reason: reasons.poolNotFound,
      message: `AddressPool "${wish.pool}" does not exist; create it, or correct the annotation ${annotations.addressPool}`,
    };
  }
  for (const address of wish.addresses ?? []) {
    if (!wish.families.includes(address.family)) continue;
    const obstacle = allocator.addressObstacle(holder, address, wish.pool);
    if (!obstacle) continue;
    if (obstacle.kind === 'pool' && obstacle.why === 'undecided') return undefined;
    if (obstacle.kind === 'notPooled' && mayComeToBePooled(allocator, wish.pool)) return undefined;
    return explainAddress(formatAddress(address), obstacle, holder);
  }
  return wish.pool === undefined
    ? explainAny(allocator, holder, wish, waiting)
    : explainNamed(allocator, allocator.pool(wish.pool)!, holder, wish, waiting);
}

/** Whether a pool is being looked at that may turn out to have the address. */
function mayComeToBePooled(allocator: Pools, pool: string | undefined): boolean {
  return allocator.pools().some(({ name, mode }) => mode === 'undecided' && (pool === undefined || pool === name));
}

function explainAddress(address: string, obstacle: AddressObstacle, holder: Holder): Problem {
  const asked = `${address}, which the Service asks for,`;
  const other = `ask for another address, or remove the request`;
  switch (obstacle.kind) {
    case 'notPooled':
      if (obstacle.pool === undefined || obstacle.elsewhere === undefined) {
        const pool = obstacle.pool === undefined ? 'any AddressPool' : `AddressPool "${obstacle.pool}"`;
        return {
          reason: reasons.addressUnavailable,
          message: `${asked} is not in ${pool}; add it to a pool, or ${other}`,
        };
      }
      return {
        reason: reasons.contradictoryRequest,
        message:
          `the annotation ${annotations.addressPool} asks for pool "${obstacle.pool}", but ${asked} belongs to pool ` +
          `"${obstacle.elsewhere}"; change one of the two`,
      };
    case 'pool':
      return { ...explainObstacle(obstacle.pool, obstacle.why, holder), reason: reasonOf(obstacle.why) };
    case 'withheld':
      return {
        reason: reasons.addressUnavailable,
        message: `${asked} is used by something else: ${obstacle.why}; ${other}`,
      };
    case 'inUse':
      return {
        reason: reasons.addressUnavailable,
        message: `${asked} belongs to Service ${obstacle.by}${whyNotShared(obstacle, holder.key)}; ${other}`,
      };
  }
}

function whyNotShared({ why, port, by }: SharingFault, key: string): string {
  const texts: Record<SharingFault['why'], string> = {
    unshared: ` (to share it, give both the same annotation ${annotations.sharingKey})`,
    key: `, and the annotation ${annotations.sharingKey} of the two is different`,
    backend: `, and to share it both need the same externalTrafficPolicy and, where that is Local, the same selector`,
    port: `, and both have port ${port}`,
    namespace: `, and its pool lets Services share within one namespace only (sharing: SameNamespace); ${key} and ${by} are in two`,
    never: ', and its pool lets no Services share (sharing: Never)',
  };
  return texts[why];
}

function explainNamed(
  allocator: Pools,
  pool: AllocatorPool,
  holder: Holder,
  wish: Wish,
  waiting: Queue,
): Problem | undefined {
  const why = allocator.poolObstacle(pool, holder, wish);
  if (why === 'undecided') return undefined;
  if (why) {
    const { message } = explainObstacle(pool, why, holder);
    return {
      reason: reasonOf(why),
      message: `${message}; or name another pool in the annotation ${annotations.addressPool}`,
    };
  }
  const count = countOf(waiting, wish, [pool.name, ...(pool.autoAssign ? [undefined] : [])]);
  return {
    reason: reasons.poolExhausted,
    message:
      `pool "${pool.name}" has ${freeOf(allocator, pool, wish.families)}${waits(count)}; delete a Service that has one, ` +
      `add addresses to the pool, or name another pool in the annotation ${annotations.addressPool}`,
  };
}

function explainAny(allocator: Pools, holder: Holder, wish: Wish, waiting: Queue): Problem | undefined {
  const pools = allocator.pools();
  const judged = pools.map((pool) => ({ pool, why: allocator.poolObstacle(pool, holder, wish) }));
  if (judged.some(({ pool, why }) => why === 'undecided' && pool.autoAssign)) return undefined;
  const open = judged.filter(({ why }) => why === undefined).map(({ pool }) => pool);
  if (open.length > 0) {
    const count = countOf(waiting, wish, [undefined, ...open.map(({ name }) => name)]);
    const what =
      wish.families.length > 1
        ? `no pool has both an ${wish.families.map((family) => familyNames[family]).join(' and an ')} address free`
        : `no ${wish.families.map((family) => familyNames[family])} address is free`;
    const text = (pool: AllocatorPool) => `pool "${pool.name}" has ${freeOf(allocator, pool, wish.families)}`;
    return {
      reason: reasons.poolExhausted,
      message: `${what}: ${named(open, text)}${waits(count)}; delete a Service that has one, or add addresses to a pool`,
    };
  }
  if (pools.length === 0) {
    return { reason: reasons.noPool, message: 'there is no AddressPool; create one, see deploy/examples/pool.yaml' };
  }
  const brief: Record<PoolObstacle, string> = {
    closed: 'is not accepted',
    undecided: 'is being looked at',
    notAutoAssign: 'has autoAssign: false',
    namespace: `is not for namespace "${holder.namespace}"`,
    service: 'is not for Services with these labels',
  };
  const text = (pool: AllocatorPool) => {
    const why = judged.find((each) => each.pool === pool)!.why!;
    return `"${pool.name}" ${brief[why]}${why === 'closed' ? ` (${pool.why})` : ''}`;
  };
  return {
    reason: reasons.noPool,
    message:
      `no AddressPool gives out addresses to this Service while it names none: ${named(pools, text)}; ` +
      `name a pool in the annotation ${annotations.addressPool}, or create one that is for it with autoAssign: true`,
  };
}

function explainObstacle(pool: AllocatorPool, why: PoolObstacle, { namespace }: Holder): { message: string } {
  const messages: Record<PoolObstacle, string> = {
    closed: `AddressPool "${pool.name}" gives out no addresses: ${pool.why}`,
    undecided: `AddressPool "${pool.name}" is being looked at`,
    notAutoAssign: `AddressPool "${pool.name}" has autoAssign: false; name it in the annotation ${annotations.addressPool}`,
    namespace:
      `AddressPool "${pool.name}" is not for namespace "${namespace}" (its spec.namespaces and spec.namespaceSelector ` +
      'say for which); change that',
    service: `AddressPool "${pool.name}" is not for Services with these labels (its spec.serviceSelector says for which); change that`,
  };
  return { message: messages[why] };
}

function reasonOf(why: PoolObstacle): string {
  return why === 'namespace' || why === 'service' ? reasons.poolNotAllowed : reasons.poolNotAccepted;
}

/** `0 of 16 IPv4 addresses free (2 freed a short while ago)` */
function freeOf(allocator: Pools, { name }: AllocatorPool, families: readonly Family[]): string {
  const texts = families.map((family) => {
    const usage = allocator.usage(name, family);
    if (!usage || usage.capacity === 0n) return `no ${familyNames[family]} addresses at all`;
    const { free, capacity, coolingDown, withheld } = usage;
    const but = [
      ...(coolingDown > 0 ? [`${coolingDown} freed a short while ago`] : []),
      ...(withheld > 0n ? [`${withheld} withheld, see its condition Conflict`] : []),
    ];
    return `${free} of ${capacity} ${familyNames[family]} addresses free${but.length > 0 ? ` (${but.join(', ')})` : ''}`;
  });
  return texts.join(' and ');
}

/** Services that want an address that this one could have, itself among them. */
function countOf(waiting: Queue, { families }: Wish, pools: readonly (string | undefined)[]): number {
  const counts = families.map((family) => pools.reduce((sum, pool) => sum + waiting.pendingFor(family, pool), 0));
  return Math.max(0, ...counts);
}

function waits(count: number): string {
  return count === 0 ? '' : `; ${count} ${count === 1 ? 'Service waits' : 'Services wait'}`;
}

/**
 * The text without the numbers that change with every Service that comes or goes: as long as the rest is the same, nothing
 * has changed that would be worth a write or an Event.
 */
export function withoutCounts(message: string): string {
  return message
    .replace(/; \d+ Services? waits?\b/g, '')
    .replace(/\b\d+ of (?=\d+ IPv[46] addresses free)/g, '# of ')
    .replace(/ \((?:\d+ (?:freed a short while ago|withheld, see its condition Conflict)(?:, )?)+\)/g, '');
}

function named(pools: AllocatorPool[], text: (pool: AllocatorPool) => string): string {
  const more = pools.length > MAX_NAMED ? [`and ${pools.length - MAX_NAMED} more`] : [];
  return [...pools.slice(0, MAX_NAMED).map(text), ...more].join(', ');
}
