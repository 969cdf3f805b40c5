/**
 * An informer's copy with our own writes on top, until the informer has caught up with them.
 *
 * Without it, whoever looks again between a write and its echo would see the object as it was before, and plan the same
 * write once more; worse, an address could look as if its Service still (or again) showed it. Objects seen through here
 * never go back in time.
 */

import { type Informer, type KubeObject, keyOf } from '@fairlead/kube';

export interface FreshCacheListener<T> {
  /**
   * The object was added or has changed, by whomever.
   * @param taken it is what take() was given: whoever gave it knows already
   */
  onChange(object: T, taken: boolean): void;
  onDelete(key: string): void;
}

export class FreshCache<T extends KubeObject> {
  readonly #informer: Pick<Informer<T>, 'get' | 'list' | 'on'>;
  readonly #written = new Map<string, T>();
  #listener: FreshCacheListener<T> | undefined;

  constructor(informer: Pick<Informer<T>, 'get' | 'list' | 'on'>) {
    this.#informer = informer;
    informer.on('add', (object) => this.#arrived(object));
    informer.on('update', (object, old) => this.#arrived(object, old));
    informer.on('delete', (object) => {
      const key = keyOf(object);
      this.#written.delete(key);
      this.#listener?.onDelete(key);
    });
  }

  /** From now on the listener hears of every change; what is there already it reads by list(). */
  listen(listener: FreshCacheListener<T>): void {
    this.#listener = listener;
  }

  get(key: string): T | undefined {
    const object = this.#informer.get(key);
    return object && (this.#written.get(key) ?? object);
  }

  list(): T[] {
    return this.#informer.list().map((object) => this.#written.get(keyOf(object)) ?? object);
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
    this.#written.set(key, object);
    this.#listener?.onChange(object, true);
    return object;
  }

  #arrived(object: T, old?: T): void {
    const key = keyOf(object);
    const written = this.#written.get(key);
    const newest = written ?? old;
    if (newest?.metadata?.uid === object.metadata?.uid && newest && isOlder(object, newest)) {
      // Also when the informer itself has gone back in time: another API server may lag behind.
      this.#written.set(key, newest);
      return;
    }
    if (written) {
      this.#written.delete(key);
      if (versionOf(written) === versionOf(object)) return; // its echo: known already
    }
    this.#listener?.onChange(object, false);
  }
}

function versionOf(object: KubeObject): string {
  return object.metadata?.resourceVersion ?? '';
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
