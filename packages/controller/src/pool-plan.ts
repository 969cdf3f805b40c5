/**
 * Which AddressPools are accepted, and what is to be written to them. Pure.
 *
 * Precedence when pools want the same address: what is accepted already stays; then what was accepted before its last
 * edit keeps its former ranges; then the older pool, then the first by name. The one that does not get its way is told
 * the culprit's name, and is accepted by itself when the culprit lets go.
 */

import {
  type AddressPool,
  type AddressPoolStatus,
  type AddressRange,
  capacityOf,
  conditions,
  DEFAULT_VIRTUAL_ROUTERS,
  finalizers,
  formatRange,
  intersection,
  type ParsedPool,
  parseAddressPool,
  reasons,
} from '@fairlead/api';
import type { Allocator } from './allocator.js';
import { withCondition } from './conditions.js';
import { acceptedCondition, byAge, isAccepted, spaceInEffect } from './pool-view.js';
import type { Problem } from './service-observation.js';
import type { PlannedEvent, PlannedPatch } from './service-plan.js';

export type Judgement = { ok: true; pool: ParsedPool } | ({ ok: false } & Problem);

/** Use of addresses, as far as pools report it. */
export type PoolUsage = Pick<Allocator, 'homedIn' | 'outside'>;

/** For each pool whether its spec is accepted. */
export function judgePools(pools: readonly AddressPool[]): Map<string, Judgement> {
  const ordered = [...pools].sort(byAge);
  const judgements = new Map<string, Judgement>();
  /** What each pool has for certain. */
  const reserved = new Map<string, readonly AddressRange[]>();
  const open: ParsedPool[] = [];
  for (const object of ordered) {
    const { name } = object.metadata;
    const parsed = parseAddressPool(object);
    if (object.metadata.deletionTimestamp) {
      // Reserves nothing: a new pool with its addresses takes over those in use, and lets this one go.
      judgements.set(name, { ok: false, reason: reasons.deleting, message: 'being deleted' });
    } else if (!parsed.ok) {
      judgements.set(name, parsed);
      reserved.set(name, spaceInEffect(object).ranges);
    } else if (isAccepted(object) && !overlapWith(parsed.pool, reserved)) {
      judgements.set(name, parsed);
      reserved.set(name, parsed.pool.ranges);
    } else {
      open.push(parsed.pool);
    }
  }
  for (const { name } of open)
    reserved.set(name, spaceInEffect(ordered.find((each) => each.metadata.name === name)!).ranges);
  // One that shrinks makes room for another: again until nothing changes.
  for (let changed = true; changed; ) {
    changed = false;
    for (const pool of open) {
      if (judgements.get(pool.name)?.ok || overlapWith(pool, reserved)) continue;
      judgements.set(pool.name, { ok: true, pool });
      reserved.set(pool.name, pool.ranges);
      changed = true;
    }
  }
  for (const pool of open) {
    if (judgements.get(pool.name)?.ok) continue;
    judgements.set(pool.name, { ok: false, reason: reasons.overlap, message: overlapWith(pool, reserved)! });
  }
  return judgements;
}

/** The next write to this pool, or none. To be asked again with the server's answer. */
export function planPool(
  object: AddressPool,
  judgement: Judgement,
  usage: PoolUsage,
  nowMs: number,
): PlannedPatch | undefined {
  const { name, generation, deletionTimestamp, finalizers: list = [], resourceVersion } = object.metadata;
  const inUse = usage.homedIn(name);
  const guarded = list.includes(finalizers.addressPoolInUse);
  const rest = list.filter((each) => each !== finalizers.addressPoolInUse);
  const metadataPatch = (finalizers: string[]): PlannedPatch => ({
    subresource: undefined,
    body: { metadata: { resourceVersion, finalizers: finalizers.length > 0 ? finalizers : null } },
    events: [],
  });
  if (deletionTimestamp && inUse === 0) return guarded ? metadataPatch(rest) : undefined;
  // Before the first address is given out; the API server takes no new finalizer on an object that is being deleted.
  if (!guarded && judgement.ok) return metadataPatch([...rest, finalizers.addressPoolInUse]);

  const status = statusOf(object, judgement, usage);
  const said = conditionOf(object, judgement, inUse, status);
  const conditionList = withCondition(
    object.status?.conditions,
    { type: conditions.accepted, ...said, observedGeneration: generation ?? 0 },
    nowMs,
  );
  const wanted: AddressPoolStatus = { ...status, observedGeneration: generation ?? 0, conditions: [...conditionList] };
  if (sameStatus(object.status, wanted)) return undefined;
  const inEffect = { ...wanted.inEffect, draining: wanted.inEffect?.draining ?? null };
  return {
    subresource: 'status',
    body: { metadata: { resourceVersion }, status: { ...wanted, inEffect } },
    events: eventsOf(object, said),
  };
}

type Numbers = Required<Pick<AddressPoolStatus, 'inEffect' | 'capacity' | 'allocated' | 'free'>>;

function statusOf(object: AddressPool, judgement: Judgement, usage: PoolUsage): Numbers {
  const { name } = object.metadata;
  const ranges = judgement.ok ? judgement.pool.ranges : spaceInEffect(object).ranges;
  const outside = usage.outside(name, { ranges, avoidBuggyAddresses: false });
  const allocated = usage.homedIn(name);
  const capacity = capacityOf(ranges);
  const free = capacity - (BigInt(allocated) - capacityOf(outside));
  return {
    inEffect: {
      addresses: ranges.map(formatRange),
      ...(outside.length > 0 && { draining: outside.map(formatRange) }),
      virtualRouters: judgement.ok
        ? judgement.pool.virtualRouters
        : (object.status?.inEffect?.virtualRouters ?? DEFAULT_VIRTUAL_ROUTERS),
    },
    capacity: String(capacity),
    allocated,
    free: String(free),
  };
}

interface Said {
  status: 'True' | 'False';
  reason: string;
  message: string;
}

function conditionOf(object: AddressPool, judgement: Judgement, inUse: number, { inEffect, capacity }: Numbers): Said {
  if (judgement.ok) {
    const message = `${count(capacity, 'address', 'addresses')} in ${count(inEffect.virtualRouters, 'virtual router', 'virtual routers')}`;
    return { status: 'True', reason: reasons.accepted, message };
  }
  if (object.metadata.deletionTimestamp) {
    const message =
      `being deleted: gives out no addresses, and goes as soon as the ${inUse} in use are free; ` +
      `delete the Services that have them, or create a pool with the same addresses to take them over`;
    return { status: 'False', reason: reasons.deleting, message };
  }
  const kept =
    inEffect.addresses.length > 0
      ? `; until that is corrected, Services keep their addresses (${inEffect.addresses.join(', ')}), and no new ones are given out`
      : '';
  return { status: 'False', reason: judgement.reason, message: judgement.message + kept };
}

function eventsOf(object: AddressPool, said: Said): PlannedEvent[] {
  const before = acceptedCondition(object);
  if (said.status === 'True') {
    if (before?.status === 'True' && before.message === said.message) return [];
    return [{ type: 'Normal', reason: reasons.poolAccepted, message: `Accepted: ${said.message}` }];
  }
  if (said.reason === reasons.deleting) {
    // Its text counts down with every address that is freed; once is enough.
    if (before?.reason === reasons.deleting) return [];
    return [{ type: 'Warning', reason: reasons.poolDeletionBlocked, message: said.message }];
  }
  if (before?.status === 'False' && before.message === said.message) return [];
  return [{ type: 'Warning', reason: reasons.poolRejected, message: said.message }];
}

function count(number: number | string, one: string, many: string): string {
  return `${number} ${String(number) === '1' ? one : many}`;
}

/** Says which addresses another pool has already; undefined when there are none. */
function overlapWith(pool: ParsedPool, reserved: ReadonlyMap<string, readonly AddressRange[]>): string | undefined {
  for (const [name, ranges] of reserved) {
    if (name === pool.name) continue;
    for (const [index, mine] of pool.ranges.entries()) {
      const shared = ranges.map((theirs) => intersection(mine, theirs)).find((each) => each !== undefined);
      if (!shared) continue;
      return (
        `${pool.addresses[index]} overlaps AddressPool "${name}", which has ${formatRange(shared)} already; ` +
        `take these addresses out of spec.addresses here or there`
      );
    }
  }
  return undefined;
}

/** Compares what this controller writes; the order of keys does not matter, unlike in JSON text. */
function sameStatus(now: AddressPoolStatus | undefined, wanted: AddressPoolStatus): boolean {
  const flat = (status: AddressPoolStatus | undefined) =>
    JSON.stringify([
      status?.observedGeneration,
      status?.inEffect?.addresses,
      status?.inEffect?.draining ?? [],
      status?.inEffect?.virtualRouters,
      status?.capacity,
      status?.allocated,
      status?.free,
    ]);
  // withCondition returns the same entries when nothing is different.
  const sameConditions =
    now?.conditions?.length === wanted.conditions?.length &&
    (wanted.conditions ?? []).every((condition, index) => condition === now?.conditions?.[index]);
  return sameConditions && flat(now) === flat(wanted);
}
