/**
 * From a Service and the ledger's verdict to the next write, or to none. Pure; called again with the server's answer
 * until there is nothing left to do, so it needs no memory of what was tried.
 */

import { conditions, finalizers, formatAddress, type IpAddress, reasons } from '@fairlead/api';
import type { V1Condition, V1LoadBalancerIngress, V1Service } from '@kubernetes/client-node';
import { withoutCounts } from '../ledger/explain.js';
import { describeAllocations, describeConflict, type Verdict } from '../ledger/verdict.js';
import { type ConditionNow, withCondition } from '../writing/conditions.js';
import { ownCondition } from './service-observation.js';

export interface PlannedEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** A JSON merge patch. It carries the resourceVersion it was made for, so it can only apply to what was looked at. */
export interface PlannedPatch {
  subresource: 'status' | undefined;
  body: object;
  /** To be emitted when the patch has been applied. */
  events: PlannedEvent[];
}

export function planService(service: V1Service, verdict: Verdict, nowMs: number): PlannedPatch | undefined {
  if (verdict.kind === 'decided') return planDecided(service, verdict, nowMs);
  if (verdict.kind === 'release') return planRelease(service, verdict.addresses);
  return undefined;
}

/**
 * Status first; the finalizer goes with it. The API server lets a status write of a Service change its metadata (only
 * `spec` is reset), which makes it one write a Service; where a server ignores it, a second write adds the finalizer.
 */
function planDecided(
  service: V1Service,
  verdict: Verdict & { kind: 'decided' },
  nowMs: number,
): PlannedPatch | undefined {
  const { allocations, conflict } = verdict;
  const now = conditionOf(service, verdict);
  const before = service.status?.conditions;
  const after = withCondition(before, now, nowMs);
  const ingress: Entry[] = [];
  for (const { address } of allocations) ingress.push({ ip: formatAddress(address), ipMode: 'Proxy' });
  const finalizer = allocations.length > 0 ? finalizerPatch(service, true) : undefined;
  const shows = sameIngress(service.status?.loadBalancer?.ingress, ingress);
  if (after === before && shows) {
    return finalizer && patch(service, undefined, { metadata: finalizer }, []);
  }
  const events: PlannedEvent[] = [];
  if (conflict) {
    events.push({
      type: 'Warning',
      reason: reasons.addressConflict,
      message: describeConflict(conflict),
    });
  }
  if (ingress.length > 0 && !shows) {
    events.push({
      type: 'Normal',
      reason: reasons.ipAllocated,
      message: `Assigned ${describeAllocations(allocations)}`,
    });
  }
  if (verdict.problem && after !== before) {
    events.push({ type: 'Warning', reason: reasons.allocationFailed, message: now.message });
  }
  const status = { conditions: after, loadBalancer: { ingress: ingress.length > 0 ? ingress : null } };
  return patch(service, 'status', { metadata: finalizer, status }, events);
}

/** Finalizer first: once our condition is gone nothing would tell that the finalizer was ours. */
function planRelease(service: V1Service, addresses: IpAddress[]): PlannedPatch | undefined {
  const elsewhere = service.spec?.type === 'LoadBalancer' && !service.metadata?.deletionTimestamp;
  // Another controller that has taken the Service over since goes by the same finalizer.
  const finalizer = elsewhere ? undefined : finalizerPatch(service, false);
  if (finalizer) return patch(service, undefined, { metadata: finalizer }, []);
  const texts = addresses.map(formatAddress);
  const before = service.status?.loadBalancer?.ingress ?? [];
  const left = before.filter(({ ip }) => !ip || !texts.includes(ip));
  const said = service.status?.conditions ?? [];
  const others = said.filter((each) => each.type !== conditions.allocated);
  if (left.length === before.length && others.length === said.length) return undefined;
  const status = {
    conditions: others.length > 0 ? others : null,
    loadBalancer: { ingress: left.length > 0 ? left : null },
  };
  const events: PlannedEvent[] =
    texts.length === 0 || service.metadata?.deletionTimestamp
      ? []
      : [
          {
            type: 'Normal',
            reason: reasons.ipReleased,
            message: `Released ${texts.join(', ')}: the Service is no longer of type LoadBalancer with Fairlead's class`,
          },
        ];
  return patch(service, 'status', { status }, events);
}

function conditionOf(service: V1Service, verdict: Verdict & { kind: 'decided' }): ConditionNow {
  const now = said(verdict);
  const known = ownCondition(service);
  // Others' coming and going is not worth a write to each that waits.
  const same =
    known?.status === now.status &&
    known.reason === now.reason &&
    (known.message === now.message || withoutCounts(known.message ?? '') === withoutCounts(now.message));
  return same ? conditionNow(now.status, now.reason, known.message ?? '') : now;
}

function said({ allocations, problem, note }: Verdict & { kind: 'decided' }): ConditionNow {
  if (allocations.length === 0) {
    const { reason, message } = problem ?? { reason: reasons.noPool, message: 'no address yet' };
    return conditionNow('False', reason, message);
  }
  const has = describeAllocations(allocations);
  if (problem) return conditionNow('True', problem.reason, `keeps ${has}; ${problem.message}`);
  return conditionNow('True', reasons.allocated, note === undefined ? has : `${has}; ${note}`);
}

function conditionNow(status: ConditionNow['status'], reason: string, message: string): ConditionNow {
  return { type: conditions.allocated, status, reason, message };
}

/** Of our ingress: one per family. */
interface Entry {
  ip: string;
  ipMode: string;
}

/** `ports` in entries are another controller's remark and no reason to write. */
function sameIngress(now: V1LoadBalancerIngress[] | undefined, wanted: readonly Entry[]): boolean {
  if ((now?.length ?? 0) !== wanted.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    const [entry, { ip, ipMode }] = [now![index]!, wanted[index]!];
    if (entry.ip !== ip || entry.ipMode !== ipMode || entry.hostname) return false;
  }
  return true;
}

function finalizerPatch(service: V1Service, present: boolean): { finalizers: string[] | null } | undefined {
  const list = service.metadata?.finalizers ?? [];
  if (list.includes(finalizers.loadBalancerCleanup) === present) return undefined;
  if (present) return { finalizers: [...list, finalizers.loadBalancerCleanup] };
  const rest = list.filter((each) => each !== finalizers.loadBalancerCleanup);
  return { finalizers: rest.length > 0 ? rest : null };
}

function patch(
  service: V1Service,
  subresource: 'status' | undefined,
  body: {
    metadata?: { finalizers: string[] | null } | undefined;
    status?: { conditions?: readonly (V1Condition | object)[] | null; loadBalancer?: object };
  },
  events: PlannedEvent[],
): PlannedPatch {
  const resourceVersion = service.metadata?.resourceVersion;
  const finalizers = body.metadata?.finalizers;
  const metadata = finalizers === undefined ? { resourceVersion } : { finalizers, resourceVersion };
  return { subresource, body: body.status ? { metadata, status: body.status } : { metadata }, events };
}
