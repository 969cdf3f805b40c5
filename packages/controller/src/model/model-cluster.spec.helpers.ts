/**
 * An API server in memory whose watch events arrive when they are told to, and a small controller around a real ledger,
 * cache and plan that comes to rest. (The laws have a whole one: model-leader.spec.helpers.ts.)
 */

import { conditions, parseRange } from '@fairlead/api';
import type { Informer, KubeObject } from '@fairlead/kube';
import type { V1Service } from '@kubernetes/client-node';
import type { AllocatorPool, Holder } from '../allocator/allocator.js';
import { plainPool } from '../allocator/allocator-pool.js';
import { Ledger } from '../ledger/ledger.js';
import { observeService } from '../services/service-observation.js';
import { planService } from '../services/service-plan.js';
import { FreshCache } from '../writing/fresh-cache.js';

export function allocatorPool(name: string, addresses: string[], more: Partial<AllocatorPool> = {}): AllocatorPool {
  return { ...plainPool(name, addresses.map(parseRange)), ...more };
}

/** Somebody in namespace default who shares with nobody; `more` says otherwise. */
export function holder(key: string, more: Partial<Holder> = {}): Holder {
  return { key, namespace: 'default', namespaceLabels: undefined, labels: undefined, ...more };
}

/** A Service that wants an address; `more` is merged into it. */
export function service(name: string, more: object = {}): V1Service {
  const base = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name, uid: `uid-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb', ipFamilies: ['IPv4'] },
  };
  return mergePatch(base, more) as V1Service;
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const result: Record<string, unknown> = isObject ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

export function ipsOf(object: V1Service | undefined): string[] {
  return (object?.status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip ?? '');
}

export function conditionOf(object: V1Service | undefined) {
  return object?.status?.conditions?.find((condition) => condition.type === conditions.allocated);
}

interface ModelObject {
  metadata?: {
    name?: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    finalizers?: string[];
    deletionTimestamp?: unknown;
    generation?: number;
  };
  spec?: unknown;
  status?: unknown;
}

type Change<T> = { type: 'present' | 'gone'; object: T };

/** The objects of one kind, as an API server keeps them. */
export class ModelCollection<T extends ModelObject> {
  readonly objects = new Map<string, T>();
  readonly watchers = new Set<(change: Change<T>) => void>();
  readonly #generations: boolean;
  #version = 1;
  #uid = 1;

  /** `generations`: the kind counts changes of its spec. */
  constructor({ generations = false } = {}) {
    this.#generations = generations;
  }

  create(object: T): void {
    const key = keyOf(object);
    if (this.objects.has(key)) return;
    const uid = `uid-${this.#uid++}`;
    this.#store(key, { ...object, metadata: { ...object.metadata, uid, ...(this.#generations && { generation: 1 }) } });
  }

  /** What a user or another controller does. */
  edit(key: string, patch: object): void {
    const object = this.objects.get(key);
    if (!object) return;
    const next = mergePatch(object, patch) as T;
    const isNew = this.#generations && JSON.stringify(next.spec) !== JSON.stringify(object.spec);
    const generation = (object.metadata?.generation ?? 0) + 1;
    this.#store(key, isNew ? { ...next, metadata: { ...next.metadata, generation } } : next);
  }

  delete(key: string): void {
    const object = this.objects.get(key);
    if (!object || object.metadata?.deletionTimestamp) return;
    if (object.metadata?.finalizers?.length) {
      this.edit(key, { metadata: { deletionTimestamp: '2026-01-02T00:00:00Z' } });
    } else {
      this.#remove(key, object);
    }
  }

  /** What a controller does. */
  patch(key: string, body: object, subresource: 'status' | undefined): T | 'conflict' | 'not found' {
    const object = this.objects.get(key);
    if (!object) return 'not found';
    const version = (body as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
    if (version !== object.metadata?.resourceVersion) return 'conflict';
    const patched = mergePatch(object, body) as T;
    const next = subresource === 'status' ? { ...patched, spec: object.spec! } : { ...patched, status: object.status! };
    if (next.metadata?.deletionTimestamp && !next.metadata.finalizers?.length) {
      this.#remove(key, next);
      return next;
    }
    return this.#store(key, next);
  }

  #store(key: string, object: T): T {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version++) } };
    this.objects.set(key, stored);
    for (const watcher of this.watchers) watcher({ type: 'present', object: stored });
    return stored;
  }

  #remove(key: string, object: T): void {
    this.objects.delete(key);
    this.#version++;
    for (const watcher of this.watchers) watcher({ type: 'gone', object });
  }
}

/** An informer whose events arrive when they are told to. */
export class ModelInformer<T extends ModelObject> {
  readonly #collection: ModelCollection<T>;
  readonly #copy: Map<string, T>;
  readonly #late: Change<T>[] = [];
  readonly #delivered: Change<T>[] = [];
  /** Versions that the watch need not tell: they came as answers. */
  readonly #taken = new Set<string | undefined>();
  readonly #listeners: Record<string, ((object: T, old?: T) => unknown)[]> = { add: [], update: [], delete: [] };
  readonly #watcher = (change: Change<T>) => this.#late.push(change);

  constructor(collection: ModelCollection<T>) {
    this.#collection = collection;
    this.#copy = new Map(collection.objects);
    collection.watchers.add(this.#watcher);
  }

  stop(): void {
    this.#collection.watchers.delete(this.#watcher);
  }

  get(key: string): T | undefined {
    return this.#copy.get(key);
  }

  list(): T[] {
    return [...this.#copy.values()];
  }

  /** The answer to a write. */
  take(object: T): void {
    this.#copy.set(keyOf(object), object);
    this.#taken.add(object.metadata?.resourceVersion);
  }

  on(event: string, listener: (object: T, old?: T) => unknown): this {
    this.#listeners[event]!.push(listener);
    return this;
  }

  /** The watch delivers the next event, if there is one. */
  deliver(): boolean {
    const change = this.#late.shift();
    if (!change) return false;
    this.#delivered.push(change);
    const known = change.type === 'present' && this.#taken.delete(change.object.metadata?.resourceVersion);
    if (!known) this.#arrive(change);
    return true;
  }

  /** The watch delivers an event that it has delivered before: `back` = 0 is the last one. */
  redeliver(back: number): void {
    const change = this.#delivered.at(-1 - back);
    // Of an object that is gone, or is another one now, no watch tells.
    const present = change && this.#copy.get(keyOf(change.object));
    if (change?.type !== 'present' || present?.metadata?.uid !== change.object.metadata?.uid) return;
    this.#arrive(change);
  }

  /** As the stock of a FreshCache. */
  get asInformer(): Informer<T & KubeObject> {
    return this as unknown as Informer<T & KubeObject>;
  }

  #arrive(change: Change<T>): void {
    const key = keyOf(change.object);
    const old = this.#copy.get(key);
    if (change.type === 'gone') {
      this.#copy.delete(key);
      this.#emit('delete', change.object);
    } else {
      this.#copy.set(key, change.object);
      if (old && old.metadata?.uid !== change.object.metadata?.uid) this.#emit('delete', old);
      this.#emit(old ? 'update' : 'add', change.object, old);
    }
  }

  #emit(event: string, object: T, old?: T): void {
    for (const listener of this.#listeners[event]!) listener(object, old);
  }
}

/** A cluster of Services; what becomes of pools is for the specs to say. */
export class ModelCluster extends ModelCollection<V1Service> {
  readonly services = this.objects;
}

export class ModelController {
  readonly ledger: Ledger;
  /** Applied writes and the Events that went with them. */
  writes = 0;
  readonly events: string[] = [];
  readonly #cluster: ModelCluster;
  readonly #defaultClass: boolean;
  readonly #informer: ModelInformer<V1Service>;
  readonly #cache: FreshCache<V1Service>;
  readonly #dirty = new Set<string>();
  #nowMs: number;

  constructor(cluster: ModelCluster, pools: AllocatorPool[], options: { defaultClass?: boolean; nowMs?: number } = {}) {
    this.#cluster = cluster;
    this.#defaultClass = options.defaultClass ?? false;
    this.#nowMs = options.nowMs ?? Date.UTC(2026, 0, 3);
    this.ledger = new Ledger(() => this.#nowMs++);
    this.#informer = new ModelInformer(cluster);
    this.#cache = new FreshCache<V1Service>(this.#informer.asInformer);
    this.ledger.load(
      pools,
      this.#cache.list().map((object) => this.#observe(object)),
    );
    this.#cache.listen({
      onChange: (object) => this.#mark(this.ledger.observe(this.#observe(object))),
      onDelete: (key) => this.#mark(this.ledger.remove(key)),
    });
    this.#mark(cluster.services.keys());
  }

  /** The process is gone, with all it knew. */
  crash(): void {
    this.#informer.stop();
  }

  /** The watch delivers the next event, if there is one. */
  deliver(): boolean {
    return this.#informer.deliver();
  }

  setPools(pools: AllocatorPool[]): void {
    this.#mark(this.ledger.setPools(pools));
  }

  #write(): boolean {
    const [key] = this.#dirty;
    if (key === undefined) return false;
    const object = this.#cache.get(key);
    const plan = object && planService(object, this.ledger.verdict(key), this.#nowMs);
    if (!plan) {
      this.#dirty.delete(key);
      return true;
    }
    const answer = this.#cluster.patch(key, plan.body, plan.subresource);
    if (answer === 'not found') {
      this.#dirty.delete(key);
    } else if (answer === 'conflict') {
      const fresh = this.#cluster.services.get(key);
      if (fresh) this.#cache.take(fresh);
    } else {
      this.writes++;
      for (const { type, reason, message } of plan.events) this.events.push(`${key} ${type} ${reason}: ${message}`);
      if (this.#cluster.services.has(key)) this.#cache.take(answer);
    }
    return true;
  }

  /** Until nothing is left to hear or to write. Throws when that never comes. */
  settle(): void {
    for (let step = 0; this.deliver() || this.#write(); step++) {
      if (step > 20_000) throw new Error(`no rest: ${[...this.#dirty].join(', ')}`);
    }
  }

  #observe(object: V1Service) {
    return observeService(object, { defaultClass: this.#defaultClass });
  }

  #mark(keys: Iterable<string>): void {
    for (const key of keys) this.#dirty.add(key);
  }
}

export function keyOf({ metadata }: ModelObject): string {
  return metadata?.namespace === undefined ? metadata!.name! : `${metadata.namespace}/${metadata.name}`;
}
