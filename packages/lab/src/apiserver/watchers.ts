/**
 * Who wants to hear of a change. Every watcher stands in one bucket, chosen by the most telling equality of its selectors
 * (one object, a field, a label, a namespace); a change visits only the buckets of the object's old and new values:
 * 1,000 node agents that each watch their own pods cost a pod's change one visit, not 1,000.
 */
import { fieldValue, type Selection, selects } from './selectors.js';
import type { EventType, StoreEvent } from './store.js';
import type { KubeObject } from './types.js';

/** Receives events of one collection, already told from the view of its selection. */
export interface Watcher {
  readonly selection: Selection;
  /**
   * @param type what the change is to this watcher: an object that enters its selection is ADDED, one that leaves it DELETED.
   * @param left the object has left the selection and lives on outside of it.
   */
  deliver(type: EventType, event: StoreEvent, left: boolean): void;
  /** The collection goes away or the server wants the stream to end. `abrupt`: without a proper end. */
  end(abrupt: boolean): void;
}

interface Bucketing {
  /** Names the index, such as `label:app`. */
  index: string;
  value: string;
}

function bucketOf({ namespace, fields, labels }: Selection): Bucketing {
  const equal = fields.filter((requirement) => requirement.equal);
  const name = equal.find(({ path }) => path === 'metadata.name');
  const byField = name ?? equal[0];
  if (byField) return { index: `field:${byField.path}`, value: byField.value };
  for (const label of labels) {
    if (label.operator === 'in' && label.values.length === 1)
      return { index: `label:${label.key}`, value: label.values[0]! };
  }
  if (namespace !== undefined) return { index: 'field:metadata.namespace', value: namespace };
  return { index: 'all', value: '' };
}

function valueIn(index: string, object: KubeObject): string | undefined {
  if (index === 'all') return '';
  if (index.startsWith('label:')) return object.metadata.labels?.[index.slice('label:'.length)];
  return fieldValue(object, index.slice('field:'.length));
}

/** What a change is from the view of a selection; undefined when it does not concern it. */
export function view(selection: Selection, event: StoreEvent): { type: EventType; left: boolean } | undefined {
  const now = event.type !== 'DELETED' && selects(selection, event.entry.object);
  const before = event.previous !== undefined && selects(selection, event.previous.object);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', left: false };
  if (before) return { type: 'DELETED', left: event.type !== 'DELETED' };
  return undefined;
}

export class WatcherIndex {
  readonly #indexes = new Map<string, Map<string, Set<Watcher>>>();

  add(watcher: Watcher): void {
    const { index, value } = bucketOf(watcher.selection);
    const buckets = this.#indexes.get(index) ?? new Map<string, Set<Watcher>>();
    this.#indexes.set(index, buckets);
    const bucket = buckets.get(value) ?? new Set<Watcher>();
    buckets.set(value, bucket);
    bucket.add(watcher);
  }

  remove(watcher: Watcher): void {
    const { index, value } = bucketOf(watcher.selection);
    const buckets = this.#indexes.get(index);
    const bucket = buckets?.get(value);
    if (!buckets || !bucket?.delete(watcher)) return;
    if (bucket.size === 0) buckets.delete(value);
    if (buckets.size === 0) this.#indexes.delete(index);
  }

  publish(event: StoreEvent): void {
    for (const [index, buckets] of this.#indexes) {
      const now = valueIn(index, event.entry.object);
      const before = event.previous && valueIn(index, event.previous.object);
      if (now !== undefined) this.#tell(buckets.get(now), event);
      if (before !== undefined && before !== now) this.#tell(buckets.get(before), event);
    }
  }

  /** A copy, so that watchers may leave while they are being told. */
  all(): Watcher[] {
    return [...this.#indexes.values()].flatMap((buckets) => [...buckets.values()].flatMap((bucket) => [...bucket]));
  }

  #tell(bucket: Set<Watcher> | undefined, event: StoreEvent): void {
    if (!bucket) return;
    for (const watcher of bucket) {
      const seen = view(watcher.selection, event);
      if (seen) watcher.deliver(seen.type, event, seen.left);
    }
  }
}
