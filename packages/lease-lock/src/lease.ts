/** The `coordination.k8s.io/v1` Lease as it is on the wire, and the three things that are ever written to it. */
import type { ObjectMeta } from '@fairlead/kube';

export interface LeaseSpec {
  /** '' or absent: nobody. */
  holderIdentity?: string | null;
  leaseDurationSeconds?: number | null;
  /** MicroTime; for people only, never compared. */
  acquireTime?: string | null;
  renewTime?: string | null;
  /** How often the holder changed: an epoch. */
  leaseTransitions?: number | null;
}

export interface LeaseObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
  spec?: LeaseSpec;
}

/** Who writes, and what it wants to stand in the Lease. */
export interface LeaseWriter {
  namespace: string;
  name: string;
  identity: string;
  labels: Readonly<Record<string, string>>;
  leaseDurationMs: number;
  /** Of a Lease that is taken from another holder, or from nobody: which annotations it keeps. Default: all. */
  settle?: (annotations: Readonly<Record<string, string>>) => Record<string, string>;
}

/** Who holds the Lease; undefined when nobody does. */
export function holderOf(lease: LeaseObject): string | undefined {
  return lease.spec?.holderIdentity || undefined;
}

/** How long the Lease's holder is to be believed after a renewal, ms; `fallbackMs` when it does not say. */
export function durationOf(lease: LeaseObject, fallbackMs: number): number {
  const seconds = lease.spec?.leaseDurationSeconds;
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : fallbackMs;
}

export function newLease(writer: LeaseWriter, wallNow: number): LeaseObject {
  const { namespace, name, identity, labels } = writer;
  const time = microTime(wallNow);
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace, name, labels: { ...labels } },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: secondsOf(writer),
      acquireTime: time,
      renewTime: time,
      leaseTransitions: 0,
    },
  };
}

/** The Lease with `writer` as its holder. What others put into it (labels, owners, unknown fields) stays. */
export function heldLease(lease: LeaseObject, writer: LeaseWriter, wallNow: number): LeaseObject {
  const time = microTime(wallNow);
  const mine = holderOf(lease) === writer.identity;
  const annotations = lease.metadata?.annotations;
  const settled =
    !mine && annotations && writer.settle
      ? { ...lease, metadata: { ...lease.metadata, annotations: writer.settle(annotations) } }
      : lease;
  const transitions = lease.spec?.leaseTransitions ?? 0;
  return withSpec(settled, writer, {
    ...lease.spec,
    holderIdentity: writer.identity,
    leaseDurationSeconds: secondsOf(writer),
    acquireTime: mine ? (lease.spec?.acquireTime ?? time) : time,
    renewTime: time,
    leaseTransitions: mine ? transitions : transitions + 1,
  });
}

/** The Lease with no holder, as client-go leaves it: a duration of 1 s, the number of transitions kept. */
export function releasedLease(lease: LeaseObject, writer: LeaseWriter, wallNow: number): LeaseObject {
  const time = microTime(wallNow);
  const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: time, renewTime: time };
  return withSpec(lease, writer, spec);
}

function withSpec(lease: LeaseObject, writer: LeaseWriter, spec: LeaseSpec): LeaseObject {
  const { managedFields: _, ...metadata } = lease.metadata ?? {};
  return {
    ...lease,
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...metadata, labels: { ...metadata.labels, ...writer.labels } },
    spec,
  };
}

function secondsOf({ leaseDurationMs }: LeaseWriter): number {
  return Math.ceil(leaseDurationMs / 1000);
}

/** metav1.MicroTime. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

/**
 * Is version `a` older than `b`? False when that cannot be told.
 * API servers count them up (documented as comparable since Kubernetes 1.35, true of etcd always).
 */
export function isOlderVersion(a: string | undefined, b: string | undefined): boolean {
  if (!a || !b || !/^\d+$/.test(a) || !/^\d+$/.test(b)) return false;
  return a.length === b.length ? a < b : a.length < b.length;
}
