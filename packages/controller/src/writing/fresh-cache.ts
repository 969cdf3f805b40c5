/**
 * An informer's copy that is given the answers to our own writes, and never goes back in time.
 *
 * Without it, whoever looks again between a write and its echo would see the object as it was before, and plan the same
 * write once more; worse, an address could look as if its Service still (or again) showed it.
 */

import { type Informer, type KubeObject, keyOf, versionOf } from '@fairlead/kube';

export interface FreshCacheListener<T> {
  /**
   * The object was added or has changed, by whomever.
   * @param taken it is what take() was given: whoever gave it knows already
   */
  onChange(object: T, taken: boolean): void;
  onDelete(key: string): void;
}

export class FreshCache<T extends KubeObject> {
  readonly #informer: Pick<Informer<T>, 'get' | 'list' | 'on' | 'take'>;
  /** What is shown instead of an older version that the informer has gone back to. */
  readonly #newest = new Map<string, T>();
  #listener: FreshCacheListener<T> | undefined;

  constructor(informer: Pick<Informer<T>, 'get' | 'list' | 'on' | 'take'>) {
    this.#informer = informer;
    informer.on('add', (object) => this.#arrived(object));
    informer.on('update', (object, old) => this.#arrived(object, old));
    informer.on('delete', (object) => {
      const key = keyOf(object);
      this.#newest.delete(key);
      this.#listener?.onDelete(key);
    });
  }

  /** From now on the listener hears of every change; what is there already it reads by list(). */
  listen(listener: FreshCacheListener<T>): void {
    this.#listener = listener;
  }

  get(key: string): T | undefined {
    const object = this.#informer.get(key);
    return object && (this.#newest.get(key) ?? object);
  }

  list(): T[] {
    const objects = this.#informer.list();
    return this.#newest.size === 0 ? objects : objects.map((object) => this.#newest.get(keyOf(object)) ?? object);
  }

  /**
   * Takes over what the server answered to a write or a read of ours. Returns what is now the newest known, or
   * undefined when the object is gone.
   */
  take(object: T): T | undefined {
    const key = keyOf(object);
    const current = this.get(key);
    if (!current || current.metadata?.uid !== object.metadata?.uid) return current;
    if (isOlder(object, current) || versionOf(object) === versionOf(current)) return current;
    this.#newest.delete(key);
    this.#informer.take(object);
    const taken = this.#informer.get(key)!;
    this.#listener?.onChange(taken, true);
    return taken;
  }

  #arrived(object: T, old?: T): void {
    const key = keyOf(object);
    const newest = this.#newest.get(key) ?? old;
    if (newest && newest.metadata?.uid === object.metadata?.uid) {
      // Another API server may lag behind the one that answered, or that was watched before.
      if (isOlder(object, newest)) {
        this.#newest.set(key, newest);
        return;
      }
      this.#newest.delete(key);
      if (versionOf(newest) === versionOf(object)) return; // caught up with what is known
    }
    this.#listener?.onChange(object, false);
  }
}

/**
 * Whether the first is an earlier version of the same object than the second. resourceVersions are decimal numbers in
 * every API server there is (and by promise since Kubernetes 1.35); for others the answer is no, which costs a refused write.
 */
function isOlder(object: KubeObject, other: KubeObject): boolean {
  const [a, b] = [versionOf(object), versionOf(other)];
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return false;
  return a.length === b.length ? a < b : a.length < b.length;
}
