/** From a pool and the judgement on it to the next write, or to none. Pure; asked again with the server's answer. */

import { type AddressPool, type AddressPoolStatus, conditions, finalizers, reasons } from '@fairlead/api';
import type { PlannedEvent, PlannedPatch } from '../services/service-plan.js';
import { type ConditionNow, withCondition } from '../writing/conditions.js';
import { mergeDiff } from '../writing/merge-patch.js';
import type { Judgement } from './pool-judgement.js';
import type { Occupant } from './pool-occupants.js';
import { acceptedOf, conflictOf, drainingOf, numbersOf, type PoolUsage } from './pool-status.js';

/** Reasons of the Events that go with conditions becoming true. */
const warnings: Record<string, string> = {
  [conditions.draining]: reasons.poolDraining,
  [conditions.conflict]: reasons.poolConflict,
};

/** The next write to this pool, or none. */
export function planPool(
  object: AddressPool,
  judgement: Judgement,
  usage: PoolUsage,
  nowMs: number,
  occupants: readonly Occupant[] = [],
): PlannedPatch | undefined {
  const { name, generation = 0, deletionTimestamp, finalizers: list = [], resourceVersion } = object.metadata;
  const guarded = list.includes(finalizers.addressPoolInUse);
  const rest = list.filter((each) => each !== finalizers.addressPoolInUse);
  const metadataPatch = (finalizers: string[]): PlannedPatch => ({
    subresource: undefined,
    body: { metadata: { resourceVersion, finalizers: finalizers.length > 0 ? finalizers : null } },
    events: [],
  });
  if (deletionTimestamp && usage.homedIn(name) === 0) return guarded ? metadataPatch(rest) : undefined;
  // Before the first address is given out; the API server takes no new finalizer on an object that is being deleted.
  if (!guarded && judgement.ok) return metadataPatch([...rest, finalizers.addressPoolInUse]);

  const numbers = numbersOf(object, judgement, usage);
  const said = [
    acceptedOf(object, judgement, numbers),
    drainingOf(object, numbers),
    conflictOf(object, judgement, occupants, usage),
  ].filter((each) => each !== undefined);
  const conditionList = said.reduce<AddressPoolStatus['conditions']>(
    (all, now) => [...withCondition(all, { ...now, observedGeneration: generation }, nowMs)],
    object.status?.conditions,
  );
  const wanted: AddressPoolStatus = { ...numbers, observedGeneration: generation, conditions: conditionList ?? [] };
  const status = mergeDiff(object.status ?? {}, wanted);
  if (!status) return undefined;
  return {
    subresource: 'status',
    body: { metadata: { resourceVersion }, status },
    events: said.flatMap((now) => eventsOf(object, now)),
  };
}

/** One Event for each turn that matters, none for numbers that count up and down. */
function eventsOf(object: AddressPool, { type, status, reason, message }: ConditionNow): PlannedEvent[] {
  const before = object.status?.conditions?.find((condition) => condition.type === type);
  if (type !== conditions.accepted) {
    if (status === 'False' || before?.status === 'True') return [];
    return [{ type: 'Warning', reason: warnings[type] ?? type, message }];
  }
  if (status === 'True') {
    if (before?.status === 'True' && before.message === message) return [];
    return [{ type: 'Normal', reason: reasons.poolAccepted, message: `Accepted: ${message}` }];
  }
  if (reason === reasons.deleting) {
    if (before?.reason === reasons.deleting) return [];
    return [{ type: 'Warning', reason: reasons.poolDeletionBlocked, message }];
  }
  if (before?.status === 'False' && before.message === message) return [];
  return [{ type: 'Warning', reason: reasons.poolRejected, message }];
}
