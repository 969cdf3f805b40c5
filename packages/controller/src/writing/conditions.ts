/** Conditions on the wire: set one, keep the others, and change the time only when the status flips. Pure. */

import type { Condition } from '@fairlead/api';

/** What a controller has to say; the API's bookkeeping is added by withCondition. */
export type ConditionNow = Omit<Condition, 'lastTransitionTime'>;

/**
 * The list with this condition set. Returns the very same list when nothing is different, so that callers see whether
 * a write is needed.
 */
export function withCondition<C extends { type: string }>(
  list: readonly C[] | undefined,
  now: ConditionNow,
  nowMs: number,
): readonly (C | Condition)[] {
  const known = (list ?? []).find((each) => each.type === now.type) as Condition | undefined;
  const same =
    known &&
    known.status === now.status &&
    known.reason === now.reason &&
    known.message === now.message &&
    known.observedGeneration === now.observedGeneration;
  if (list && same) return list;
  const lastTransitionTime = known?.status === now.status ? known.lastTransitionTime : wireTimeOf(nowMs);
  // By name: V8 has no fast way to add a property to the copy of an object.
  const { type, status, reason, message, observedGeneration } = now;
  const condition: Condition = { type, status, reason, message, lastTransitionTime };
  if (observedGeneration !== undefined) condition.observedGeneration = observedGeneration;
  return known ? (list ?? []).map((each) => (each.type === now.type ? condition : each)) : [...(list ?? []), condition];
}

/** metav1.Time: RFC 3339 in whole seconds. In a burst it is the same one thousands of times. */
export function wireTimeOf(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== last.second) last = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  return last.text;
}

let last = { second: Number.NaN, text: '' };
