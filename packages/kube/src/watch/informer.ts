/**
 * A local copy of a collection that follows the API server's, and tells what changed.
 *
 * ```
 *        ┌────────────── 410 Gone ───────────────┐
 *        ▼                                       │
 *      list ──(pages, diff with the copy)──▶ watch ──┐ closed, silent, 429, 5xx, network:
 *        ▲  └── failed: back-off ──┘           ▲     │ back-off, on from the last resourceVersion
 *     start()                                  └─────┘ (bookmarks move it on without changes)
 * ```
 * - It never ends by itself: errors are reported ('error') and waited out; only `stop()` ends it.
 * - A relist after 410 reports exactly the difference: 'delete' for what vanished meanwhile, also when an object of
 *   the same name was made anew (its uid differs: 'delete', then 'add').
 * - There is always some wait between two requests, so a server that closes every watch at once meets no tight loop.
 * - A half-open connection is noticed by silence: servers send bookmarks about once a minute, and when there was
 *   nothing for `idleTimeoutMs` the watch is made anew, which costs one small request.
 */
import { EventEmitter } from 'node:events';
import { type BackoffOptions, backoffMs } from '../backoff.js';
import type { KubeApi } from '../client.js';
import { isKubeError, KubeError } from '../error.js';
import { type KubeObject, keyOf } from '../objects.js';
import type { Resource } from '../resources.js';
import { waitMs } from '../wait.js';

export interface InformerOptions<T extends KubeObject> {
  client: Pick<KubeApi, 'list' | 'watch'>;
  resource: Resource;
  /** All namespaces when left out. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /**
   * What is kept of an object; may change and return the same one. Default: all but `metadata.managedFields`
   * (a third of a Service). Must keep name, namespace, uid and resourceVersion.
   * @param known what is kept of it so far; parts of that may be kept on, but not be changed
   */
  transform?: (object: T, known?: T) => T;
  /**
   * What the copy holds until the first list, as `transform` left it, for example from a file: the first list reports what differs from
   * it. `hasSynced` is false until then.
   */
  initial?: readonly T[];
  /** Objects per list request. */
  pageSize?: number;
  /** Waits after failures and between watches. */
  backoff?: BackoffOptions;
  /** The server is asked to end a watch after once to twice this time, to spread the load over API servers. */
  watchSeconds?: number;
  idleTimeoutMs?: number;
  /** In [0, 1). */
  random?: () => number;
}

export interface InformerEvents<T> {
  add: [object: T];
  update: [object: T, old: T];
  delete: [object: T];
  /** A failed request (it will be tried again), or what a listener threw. */
  error: [error: Error];
  /** The copy was compared with a complete list (at start, after 410), all its changes reported. */
  relisted: [];
}

export class Informer<T extends KubeObject> {
  /** Resolves when the first list is in the copy and was reported; rejects only when stopped before. */
  readonly synced: Promise<void>;
  /** Requests made, for metrics and tests. */
  readonly counters = { lists: 0, watches: 0, errors: 0 };

  readonly #options: InformerOptions<T>;
  readonly #backoff: BackoffOptions;
  readonly #random: () => number;
  readonly #transform: (object: T, known?: T) => T;
  readonly #emitter = new EventEmitter();
  readonly #stop = new AbortController();
  readonly #resolveSynced: () => void;
  readonly #rejectSynced: (error: Error) => void;
  #objects = new Map<string, T>();
  /** Versions that were given to `take`, and which the watch has not come to. */
  readonly #taken = new Set<string>();
  #hasSynced = false;
  #running: Promise<void> | undefined;

  constructor(options: InformerOptions<T>) {
    // The first list replaces the initial objects; nobody needs them after that.
    const { initial = [], ...rest } = options;
    this.#options = rest;
    this.#backoff = options.backoff ?? { baseMs: 200, maxMs: 10_000 };
    this.#random = options.random ?? Math.random;
    this.#transform = options.transform ?? dropManagedFields;
    for (const object of initial) this.#objects.set(keyOf(object), object);
    const { promise, resolve, reject } = withResolvers();
    this.synced = promise;
    this.#resolveSynced = resolve;
    this.#rejectSynced = reject;
    // Nobody has to wait for it.
    promise.catch(() => {});
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Begins to list and watch. Errors come as events, also when the server is down now. */
  start(): void {
    if (this.#stop.signal.aborted) throw new Error('this informer was stopped; make a new one');
    this.#running ??= this.#run();
  }

  /** Ends the request that runs; no event comes after this call returns. The copy stays readable. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const { plural } = this.#options.resource;
    const message = `the informer of ${plural} was stopped before it had listed them`;
    this.#rejectSynced(new KubeError({ code: 'FL_KUBE_ABORTED', message }));
    await this.#running;
  }

  /** @param key `namespace/name`, or `name` of a cluster-scoped object */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /**
   * Replaces an object of the copy by what the server answered to a read or a write of ours, which is newer, and reports nothing: whoever
   * gives it knows. When the watch comes to this very version, there is nothing to report either.
   * @param object may be changed, as by `transform`
   */
  take(object: T): void {
    const key = keyOf(object);
    const known = this.#objects.get(key);
    if (!known) return;
    this.#objects.set(key, this.#transform(object, known));
    const { resourceVersion } = object.metadata ?? {};
    if (resourceVersion) this.#taken.add(resourceVersion);
  }

  /** All objects, in no particular order; a new array of the copy's own objects: do not change those. */
  list(): T[] {
    return [...this.#objects.values()];
  }

  get size(): number {
    return this.#objects.size;
  }

  /** A listener that throws or rejects does no harm: it is reported as 'error', and the others are called. */
  on<E extends keyof InformerEvents<T>>(event: E, listener: (...args: InformerEvents<T>[E]) => unknown): this {
    this.#emitter.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  off<E extends keyof InformerEvents<T>>(event: E, listener: (...args: InformerEvents<T>[E]) => unknown): this {
    this.#emitter.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let resourceVersion: string | undefined;
    /** Rounds in a row that brought nothing. A list alone is no success: it is dear, and 410 may follow at once. */
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      let retryAfterMs = 0;
      try {
        resourceVersion ??= await this.#list(signal);
        await this.#watch(resourceVersion, signal, (reached) => {
          resourceVersion = reached;
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) break;
        if (isKubeError(error, 'FL_KUBE_GONE')) {
          resourceVersion = undefined;
        } else if (!isSilence(error)) {
          this.counters.errors++;
          this.#report(error);
        }
        if (isKubeError(error)) retryAfterMs = error.retryAfterMs ?? 0;
      }
      failures = performance.now() - startedAt > this.#backoff.maxMs ? 1 : failures + 1;
      await waitMs(Math.max(retryAfterMs, backoffMs(failures, this.#backoff, this.#random)), signal);
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, resource, namespace, labelSelector, fieldSelector, pageSize } = this.#options;
    this.counters.lists++;
    const scope = { namespace, labelSelector, fieldSelector };
    const list = await client.list<T>(resource, { ...scope, limit: pageSize, transform: this.#transform, signal });
    if (signal.aborted) return list.resourceVersion;
    const before = this.#objects;
    const after = new Map(list.items.map((object) => [keyOf(object), object]));
    // The copy is complete before anybody hears of it.
    this.#objects = after;
    this.#taken.clear();
    for (const [key, old] of before) {
      const object = after.get(key);
      if (!object || uidOf(object) !== uidOf(old)) this.#emit('delete', old);
    }
    for (const [key, object] of after) this.#emitPresent(object, before.get(key));
    if (!this.#hasSynced && !signal.aborted) {
      this.#hasSynced = true;
      this.#resolveSynced();
    }
    this.#emit('relisted');
    return list.resourceVersion;
  }

  /** Follows one watch to its end. */
  async #watch(
    resourceVersion: string,
    signal: AbortSignal,
    onReached: (resourceVersion: string) => void,
  ): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector } = this.#options;
    const seconds = this.#options.watchSeconds ?? 300;
    this.counters.watches++;
    const events = client.watch<T>(resource, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion,
      timeoutSeconds: Math.max(1, Math.round(seconds * (1 + this.#random()))),
      idleTimeoutMs: this.#options.idleTimeoutMs ?? 90_000,
      isKnown: (version) => this.#taken.delete(version),
      signal,
    });
    for await (const event of events) {
      if (signal.aborted) return;
      if (event.type === 'DELETED') this.#remove(event.object);
      else if (event.type !== 'BOOKMARK') this.#store(event.object);
      const reached = event.object.metadata?.resourceVersion;
      if (reached) onReached(reached);
    }
  }

  #store(whole: T): void {
    const key = keyOf(whole);
    const old = this.#objects.get(key);
    const object = this.#transform(whole, old);
    this.#objects.set(key, object);
    if (old && uidOf(object) !== uidOf(old)) this.#emit('delete', old);
    this.#emitPresent(object, old);
  }

  #remove(last: T): void {
    const key = keyOf(last);
    if (this.#objects.delete(key)) this.#emit('delete', this.#transform(last));
  }

  #emitPresent(object: T, old: T | undefined): void {
    if (!old || uidOf(object) !== uidOf(old)) this.#emit('add', object);
    else if (object.metadata?.resourceVersion !== old.metadata?.resourceVersion) this.#emit('update', object, old);
  }

  #emit(event: 'add' | 'update' | 'delete' | 'relisted', ...args: T[]): void {
    for (const listener of this.#emitter.listeners(event)) {
      if (this.#stop.signal.aborted) return;
      try {
        const result: unknown = listener(...args);
        if (result instanceof Promise) result.catch((error) => this.#report(error));
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #report(thrown: unknown): void {
    if (this.#stop.signal.aborted) return;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const listeners = this.#emitter.listeners('error');
    // Not swallowed, but not the end of the process either.
    if (listeners.length === 0) process.emitWarning(error);
    for (const listener of listeners) {
      try {
        listener(error);
      } catch (second) {
        process.emitWarning(second instanceof Error ? second : String(second));
      }
    }
  }
}

function dropManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata) delete object.metadata.managedFields;
  return object;
}

function uidOf(object: KubeObject): string | undefined {
  return object.metadata?.uid;
}

/** Silence on a watch is how a quiet server and a dead connection look alike: no news, so no error. */
function isSilence(error: unknown): boolean {
  return isKubeError(error, 'FL_KUBE_TIMEOUT') && error.reason === 'WatchSilent';
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve: () => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
