/**
 * The verbs on objects, the same for every resource: read, create, update, delete. Each write is one synchronous step, so
 * that no two requests ever interleave: there is nothing to lock.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ApiError, alreadyExists, badRequest, conflict, field, forbidden, invalid, notFound } from './errors.js';
import { checkIdentity, decodeObject } from './incoming.js';
import { validateMetadata } from './metadata.js';
import { apiVersionOf, type Registry, type ResourceType } from './resources.js';
import { type Collection, Entry, keyOf, type Store } from './store.js';
import type { Subresource, UnknownFields } from './strategy.js';
import { type KubeObject, timestamp, type WallClock } from './types.js';

/** Query parameters and body of a delete (meta/v1 DeleteOptions). */
export interface DeleteOptions {
  gracePeriodSeconds?: number;
  dryRun?: boolean;
  preconditions?: { uid?: string; resourceVersion?: string };
}

export interface WriteOptions {
  dryRun?: boolean;
  /** Told of each field that the type does not have. */
  unknownFields?: UnknownFields;
}

/** What a delete did: the object is gone, or only marked because something holds it. */
export interface Deletion {
  gone: boolean;
  entry: Entry;
}

const GENERATED_CHARACTERS = 'bcdfghjklmnpqrstvwxz2456789';

export class Rest {
  constructor(
    readonly store: Store,
    readonly registry: Registry,
    private readonly now: WallClock = Date.now,
    private readonly random: () => number = Math.random,
  ) {}

  collection(type: ResourceType): Collection {
    return this.store.collection(type.collection);
  }

  get(type: ResourceType, namespace: string | undefined, name: string): Entry {
    const entry = this.collection(type).get(keyOf(namespace, name));
    if (!entry) throw notFound(type, name);
    return entry;
  }

  exists(type: ResourceType, namespace: string | undefined, name: string): boolean {
    return this.collection(type).get(keyOf(namespace, name)) !== undefined;
  }

  create(type: ResourceType, namespace: string | undefined, body: unknown, options: WriteOptions = {}): Entry {
    const object = decodeObject(type, body, options.unknownFields);
    const { metadata } = object;
    if (type.namespaced) {
      if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace) {
        throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
      }
      metadata.namespace = namespace!;
      this.#requireNamespace(type, object);
    } else {
      delete metadata.namespace;
    }
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
      throw badRequest('resourceVersion should not be set on objects to be created');
    }
    if (!metadata.name && metadata.generateName) metadata.name = this.#generateName(metadata.generateName);
    if (!metadata.name) {
      throw invalid(type, '', [field.required('metadata.name', 'name or generateName is required')]);
    }
    const key = keyOf(metadata.namespace, metadata.name);
    if (this.collection(type).get(key)) throw alreadyExists(type, metadata.name);
    metadata.uid = randomUUID();
    metadata.creationTimestamp = timestamp(this.now());
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    if (type.strategy.generation === 'spec') metadata.generation = 1;
    else delete metadata.generation;
    if (type.status && type.custom) delete object.status;

    type.strategy.prepare?.(object, undefined, '');
    const errors = [
      ...validateMetadata(object, undefined, type.strategy.nameRule),
      ...(type.strategy.validate?.(object, undefined, '') ?? []),
    ];
    if (errors.length > 0) throw invalid(type, metadata.name, errors);
    return this.#put(type, key, object, undefined, options);
  }

  /**
   * Replaces an object, or the part of it that `subresource` names.
   * @param make gets the object as it is and returns the one that shall be; may be a PUT's body or a patched copy.
   */
  update(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    subresource: Subresource,
    make: (current: KubeObject) => unknown,
    options: WriteOptions = {},
  ): { entry: Entry; created: boolean } {
    const key = keyOf(namespace, name);
    const current = this.collection(type).get(key);
    if (!current) {
      if (!type.strategy.createOnUpdate || subresource !== '') throw notFound(type, name);
      const body = make({ apiVersion: apiVersionOf(type), kind: type.kind, metadata: { name } });
      return { entry: this.create(type, namespace, body, options), created: true };
    }
    const previous = current.object;
    let next = decodeObject(type, make(type.conversion?.fromStorage(previous) ?? previous), options.unknownFields);
    checkIdentity(type, next, previous);

    if (subresource === 'status' && type.custom) {
      const { status } = next;
      next = { ...previous, metadata: { ...previous.metadata }, status };
      if (status === undefined) delete next.status;
    } else if (subresource === 'status') {
      const { status } = next;
      next = { ...previous, metadata: next.metadata, ...(status === undefined ? {} : { status }) };
    } else if (subresource === '' && type.status) {
      if (previous.status === undefined) delete next.status;
      else next.status = previous.status;
    }
    const { metadata } = next;
    metadata.uid = previous.metadata.uid!;
    metadata.creationTimestamp = previous.metadata.creationTimestamp!;
    metadata.resourceVersion = previous.metadata.resourceVersion!;
    keep(metadata, previous.metadata, 'deletionTimestamp');
    keep(metadata, previous.metadata, 'deletionGracePeriodSeconds');
    keep(metadata, previous.metadata, 'generation');
    keep(metadata, previous.metadata, 'generateName');
    if (type.namespaced) metadata.namespace = namespace!;

    type.strategy.prepare?.(next, previous, subresource);
    const errors = [
      ...validateMetadata(next, previous, type.strategy.nameRule),
      ...(type.strategy.validate?.(next, previous, subresource) ?? []),
    ];
    if (errors.length > 0) throw invalid(type, name, errors);
    if (type.strategy.generation === 'spec' && !sameExceptMetadataAndStatus(next, previous)) {
      metadata.generation = (previous.metadata.generation ?? 0) + 1;
    }
    if (isDeepStrictEqual(next, previous)) return { entry: current, created: false };
    if (metadata.deletionGracePeriodSeconds === 0 && !held(next)) {
      if (options.dryRun) return { entry: current, created: false };
      this.#remove(type, key);
      return { entry: new Entry(key, next, current.revision), created: false };
    }
    return { entry: this.#put(type, key, next, previous, options), created: false };
  }

  delete(type: ResourceType, namespace: string | undefined, name: string, options: DeleteOptions = {}): Deletion {
    const current = this.get(type, namespace, name);
    const { uid, resourceVersion } = options.preconditions ?? {};
    const { metadata } = current.object;
    if (uid !== undefined && uid !== metadata.uid) {
      throw conflict(
        type,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
      );
    }
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
      throw conflict(
        type,
        name,
        `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`,
      );
    }
    if (options.dryRun) return { gone: true, entry: current };
    const grace = this.#gracePeriod(type, current.object, options);
    if (grace > 0 || held(current.object)) {
      // Deleting again changes something only when it shortens the time that is left.
      if (metadata.deletionTimestamp && grace >= (metadata.deletionGracePeriodSeconds ?? 0)) {
        return { gone: false, entry: current };
      }
      const marked: KubeObject = {
        ...current.object,
        metadata: {
          ...metadata,
          deletionTimestamp: timestamp(this.now() + grace * 1000),
          deletionGracePeriodSeconds: grace,
          ...(type.strategy.generation === 'spec' ? { generation: (metadata.generation ?? 0) + 1 } : {}),
        },
      };
      type.strategy.prepare?.(marked, current.object, 'finalize');
      const entry = this.#put(type, current.key, marked, current.object, {});
      if (type.kind === 'Namespace' && type.group === '') return this.#emptyNamespace(type, entry);
      return { gone: false, entry };
    }
    return { gone: true, entry: this.#remove(type, current.key) };
  }

  /** Pods that run on a node are deleted in two steps: the node's agent stops them and deletes them with grace period 0. */
  #gracePeriod(type: ResourceType, object: KubeObject, options: DeleteOptions): number {
    if (type.kind !== 'Pod' || type.group !== '') return 0;
    const running = object.spec?.nodeName && !['Succeeded', 'Failed'].includes(object.status?.phase);
    if (!running) return 0;
    return options.gracePeriodSeconds ?? object.spec?.terminationGracePeriodSeconds ?? 30;
  }

  /** Deletes what is in a namespace that is going away; the namespace itself goes with its last object. */
  #emptyNamespace(type: ResourceType, namespace: Entry): Deletion {
    const name = namespace.object.metadata.name;
    for (const inside of this.#storedTypes()) {
      if (!inside.namespaced) continue;
      for (const entry of this.collection(inside).entries(name)) {
        this.delete(inside, name, entry.object.metadata.name, { gracePeriodSeconds: 0 });
      }
    }
    this.#namespaceMayGo(name);
    return { gone: !this.collection(type).get(name), entry: namespace };
  }

  #namespaceMayGo(name: string): void {
    const type = this.registry.find('', 'v1', 'namespaces');
    const entry = type && this.collection(type).get(name);
    if (!type || !entry?.object.metadata.deletionTimestamp) return;
    for (const inside of this.#storedTypes()) {
      if (inside.namespaced && this.collection(inside).entries(name).length > 0) return;
    }
    const { object } = entry;
    if (object.spec?.finalizers?.length) this.#put(type, name, { ...object, spec: {} }, object, {});
    if (!object.metadata.finalizers?.length) this.#remove(type, name);
  }

  /** One type per collection. */
  #storedTypes(): ResourceType[] {
    const types = new Map<string, ResourceType>();
    for (const type of this.registry.all()) if (!type.conversion) types.set(type.collection, type);
    return [...types.values()];
  }

  #requireNamespace(type: ResourceType, object: KubeObject): void {
    const name = object.metadata.namespace!;
    const namespaces = this.registry.find('', 'v1', 'namespaces')!;
    const namespace = this.collection(namespaces).get(name);
    if (!namespace) throw notFound(namespaces, name);
    if (namespace.object.metadata.deletionTimestamp) {
      throw forbidden(
        type,
        object.metadata.name,
        `unable to create new content in namespace ${name} because it is being terminated`,
      );
    }
  }

  #generateName(base: string): string {
    let suffix = '';
    for (let i = 0; i < 5; i++) suffix += GENERATED_CHARACTERS[Math.floor(this.random() * GENERATED_CHARACTERS.length)];
    return base.slice(0, 58) + suffix;
  }

  #put(
    type: ResourceType,
    key: string,
    object: KubeObject,
    previous: KubeObject | undefined,
    options: WriteOptions,
  ): Entry {
    if (options.dryRun) return new Entry(key, object, this.store.revision);
    const entry = this.collection(type).put(key, object);
    type.strategy.committed?.(entry.object, previous);
    return entry;
  }

  #remove(type: ResourceType, key: string): Entry {
    const entry = this.collection(type).remove(key);
    if (!entry) throw new ApiError(500, 'InternalError', `${type.plural} ${key} vanished while it was deleted`);
    type.strategy.committed?.(undefined, entry.object);
    if (type.namespaced) this.#namespaceMayGo(entry.object.metadata.namespace!);
    return entry;
  }
}

/** Something still has to be done before the object may go. */
function held(object: KubeObject): boolean {
  return (
    (object.metadata.finalizers?.length ?? 0) > 0 ||
    (object.kind === 'Namespace' && object.apiVersion === 'v1' && (object.spec?.finalizers?.length ?? 0) > 0)
  );
}

function keep<T extends object, K extends keyof T>(target: T, source: T, name: K): void {
  if (source[name] === undefined) delete target[name];
  else target[name] = source[name];
}

function sameExceptMetadataAndStatus(a: KubeObject, b: KubeObject): boolean {
  const { metadata: _ma, status: _sa, ...restA } = a;
  const { metadata: _mb, status: _sb, ...restB } = b;
  return isDeepStrictEqual(restA, restB);
}
