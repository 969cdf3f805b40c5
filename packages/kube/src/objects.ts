/**
 * The little that all Kubernetes objects on the wire have in common.
 *
 * Structural on purpose: the types of `@kubernetes/client-node` (V1Service, ...) fit, and so do an application's own.
 * Timestamps on the wire are strings; they are not touched here.
 */

export interface ObjectMeta {
  name?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  managedFields?: unknown;
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/** Names one object of a resource; `namespace` is left out for cluster-scoped resources. */
export interface ObjectKey {
  namespace?: string;
  name: string;
}

/** A list as `KubeClient.list` returns it: all pages, every item with its `apiVersion` and `kind`. */
export interface KubeList<T> {
  /** Where a watch that misses nothing after this list begins. */
  resourceVersion: string;
  items: T[];
}

/** One page of a list. */
export interface KubeListPage<T> extends KubeList<T> {
  /** Token of the next page; absent on the last one. */
  continue?: string;
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  /** Carries nothing but the resourceVersion up to which the watch has seen everything. */
  | { type: 'BOOKMARK'; object: KubeObject };

/** `meta/v1 Status`: the body of every failed request. */
export interface Status {
  kind: 'Status';
  status?: string;
  reason?: string;
  message?: string;
  code?: number;
  details?: { retryAfterSeconds?: number; name?: string; kind?: string; causes?: unknown[] };
}

/** `namespace/name`, or `name` for a cluster-scoped object: the key of caches and queues. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata ?? {};
  return namespace ? `${namespace}/${name ?? ''}` : (name ?? '');
}

/** The reverse of `keyOf`. */
export function parseKey(key: string): ObjectKey {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** metadata.resourceVersion; '' where there is none. */
export function versionOf(object: KubeObject): string {
  return object.metadata?.resourceVersion ?? '';
}
