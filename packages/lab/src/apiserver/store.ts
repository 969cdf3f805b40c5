/**
 * The objects, in memory. One counter numbers every write (the resourceVersion, as etcd's revision does), one
 * `Collection` holds the objects of one resource.
 *
 *   write ─▶ Collection ─▶ objects: Map key → Entry        key = `namespace/name`, or `name`
 *                       ├▶ keys: sorted, so that a namespace is one range and a list needs no sort
 *                       ├▶ history: the last events, so that a watch can start in the past; older is 410
 *                       └▶ watchers that want this object (see watchers.ts)
 *
 * An Entry is immutable and serialises its object once, whoever asks, however often.
 */
import { expiredWatch } from './errors.js';
import { type Selection, selects } from './selectors.js';
import type { KubeObject } from './types.js';
import { WatcherIndex } from './watchers.js';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One version of one object. */
export class Entry {
  #json: Buffer | undefined;
  constructor(
    readonly key: string,
    /** Has its resourceVersion; never changed again. */
    readonly object: KubeObject,
    readonly revision: number,
  ) {}

  /** The object's JSON, made once. */
  get json(): Buffer {
    this.#json ??= Buffer.from(JSON.stringify(this.object));
    return this.#json;
  }
}

/** One change, as watchers see it. `line` caches the bytes of the watch events made from it. */
export interface StoreEvent {
  readonly type: EventType;
  readonly revision: number;
  /** The state after the change; for DELETED the last state, at the revision of the deletion. */
  readonly entry: Entry;
  /** The state before the change; undefined for ADDED. */
  readonly previous: Entry | undefined;
  readonly lines: Partial<Record<EventType, Buffer>>;
}

const PREFIX: Record<EventType, Buffer> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};
const SUFFIX = Buffer.from('}\n');

/** One line of a watch stream. */
export function watchLine(type: EventType, json: Buffer): Buffer {
  return Buffer.concat([PREFIX[type], json, SUFFIX]);
}

/** The line that tells this event as it happened, shared by all watchers that see it so. */
export function lineOf(event: StoreEvent): Buffer {
  const line = event.lines[event.type] ?? watchLine(event.type, event.entry.json);
  event.lines[event.type] = line;
  return line;
}

/** The line for a watcher whose selector the object has left: its state before the change, with the new resourceVersion. */
export function leftLineOf(event: StoreEvent): Buffer {
  const cached = event.lines.DELETED;
  if (cached) return cached;
  const before = event.previous!.object;
  const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(event.revision) } };
  const line = watchLine('DELETED', Buffer.from(JSON.stringify(object)));
  event.lines.DELETED = line;
  return line;
}

export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** Position of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The objects of one resource. */
export class Collection {
  readonly watchers = new WatcherIndex();
  readonly #objects = new Map<string, Entry>();
  readonly #keys: string[] = [];
  #history: StoreEvent[] = [];
  /** Changes up to and including this revision are forgotten. */
  #forgotten = 0;

  constructor(
    private readonly store: Store,
    private readonly historySize: number,
  ) {}

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): Entry | undefined {
    return this.#objects.get(key);
  }

  /** Entries in key order, of one namespace or of all; a snapshot. */
  entries(namespace?: string): Entry[] {
    if (namespace === undefined) return this.#keys.map((key) => this.#objects.get(key)!);
    // '/' + 1 is '0': the keys of a namespace are those from `ns/` to just before `ns0`.
    const from = lowerBound(this.#keys, `${namespace}/`);
    const to = lowerBound(this.#keys, `${namespace}0`);
    return this.#keys.slice(from, to).map((key) => this.#objects.get(key)!);
  }

  /** The entries that a selection is about, in key order; reads one object, one namespace, or all. */
  select(selection: Selection): Entry[] {
    const name = selection.fields.find(({ path, equal }) => equal && path === 'metadata.name')?.value;
    if (name !== undefined && selection.namespace !== undefined) {
      const entry = this.get(keyOf(selection.namespace, name));
      return entry && selects(selection, entry.object) ? [entry] : [];
    }
    const entries = this.entries(selection.namespace);
    if (selection.labels.length === 0 && selection.fields.length === 0) return entries;
    return entries.filter((entry) => selects(selection, entry.object));
  }

  /** Stores the object under its key with the next resourceVersion; creates or replaces. */
  put(key: string, object: KubeObject): Entry {
    const revision = this.store.next();
    const entry = new Entry(key, withRevision(object, revision), revision);
    const previous = this.#objects.get(key);
    this.#objects.set(key, entry);
    if (!previous) this.#keys.splice(lowerBound(this.#keys, key), 0, key);
    this.#publish({ type: previous ? 'MODIFIED' : 'ADDED', revision, entry, previous, lines: {} });
    return entry;
  }

  /** Removes the object; its last state gets the resourceVersion of the deletion. */
  remove(key: string): Entry | undefined {
    const previous = this.#objects.get(key);
    if (!previous) return undefined;
    const revision = this.store.next();
    const entry = new Entry(key, withRevision(previous.object, revision), revision);
    this.#objects.delete(key);
    this.#keys.splice(lowerBound(this.#keys, key), 1);
    this.#publish({ type: 'DELETED', revision, entry, previous, lines: {} });
    return entry;
  }

  /**
   * The events after `revision`, oldest first.
   * @throws ApiError 410 when some of them are forgotten, or when the revision has not been reached: then it is that of a
   *   server before this one, and the client has to list anew.
   */
  since(revision: number): StoreEvent[] {
    if (revision < this.#forgotten || revision > this.store.revision) throw expiredWatch(revision, this.#forgotten);
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#history.slice(low);
  }

  /** Forgets all history: a watch from before now gets 410. */
  compact(): void {
    this.#history = [];
    this.#forgotten = this.store.revision;
  }

  #publish(event: StoreEvent): void {
    this.#history.push(event);
    // Trimmed in blocks, so that the cost of one write does not grow with the length of the history.
    if (this.#history.length >= this.historySize * 2) {
      const dropped = this.#history.length - this.historySize;
      this.#forgotten = this.#history[dropped - 1]!.revision;
      this.#history = this.#history.slice(dropped);
    }
    this.watchers.publish(event);
  }
}

function withRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

/** All collections, and the counter they share. */
export class Store {
  #revision: number;
  readonly #collections = new Map<string, Collection>();

  /** @param historySize how many changes of one resource are kept at least, for watches that start in the past. */
  constructor(
    private readonly historySize = 4096,
    firstRevision = 1,
  ) {
    this.#revision = firstRevision;
  }

  /** The resourceVersion of the last write. */
  get revision(): number {
    return this.#revision;
  }

  next(): number {
    return ++this.#revision;
  }

  /** The collection stored under `group/plural`; made when asked for first. */
  collection(name: string): Collection {
    let collection = this.#collections.get(name);
    if (!collection) {
      collection = new Collection(this, this.historySize);
      this.#collections.set(name, collection);
    }
    return collection;
  }

  collections(): IterableIterator<Collection> {
    return this.#collections.values();
  }

  compact(): void {
    for (const collection of this.#collections.values()) collection.compact();
  }
}
