/** Sends planned patches, one after the other, until the plan has nothing more to say. */

import { find, isKubeError, type KubeClient, type KubeObject, parseKey, type Resource } from '@fairlead/kube';
import type { PlannedEvent, PlannedPatch } from '../services/service-plan.js';
import type { FreshCache } from './fresh-cache.js';

/** A write is never allowed to take longer than this, nor beyond the time for which leadership is certain. */
const WRITE_TIMEOUT_MS = 5_000;
/** A plan is at rest after two or three writes; more means that somebody else writes the opposite. */
const MAX_WRITES = 6;

/** Thrown instead of writing when somebody else may be the leader. */
export class NotLeaderError extends Error {
  readonly code = 'FL_NOT_LEADER';
  override readonly name = 'NotLeaderError';
}

/** Another writer undoes our writes as fast as we make them. The work queue backs off and tries again. */
export class ContentionError extends Error {
  readonly code = 'FL_CONTENTION';
  override readonly name = 'ContentionError';
}

export interface WriterOptions {
  kube: Pick<KubeClient, 'get' | 'patch'>;
  /** ms for which nobody else can be the leader; 0 or less: do not write. */
  leadershipMs: () => number;
  emit: (object: KubeObject, event: PlannedEvent) => void;
  /** A patch is being sent. */
  onWrite?: () => void;
}

export class Writer {
  readonly #options: WriterOptions;
  /** Patches sent, for tests and metrics. */
  writes = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Brings one object to what `plan` wants. `plan` is asked again with every answer; 409 means that the object has
   * changed, so it is read again. Rejects with KubeError, NotLeaderError or ContentionError.
   */
  async settle<T extends KubeObject>(
    resource: Resource,
    cache: FreshCache<T>,
    key: string,
    plan: (object: T) => PlannedPatch | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { kube, emit, onWrite } = this.#options;
    for (let round = 0; round < MAX_WRITES; round++) {
      const object = cache.get(key);
      const patch = object && plan(object);
      if (!patch) return;
      let answer: T;
      try {
        this.writes++;
        onWrite?.();
        const timeoutMs = this.#timeoutMs(key);
        const { subresource } = patch;
        const options = { type: 'merge' as const, subresource, timeoutMs, signal };
        answer = await kube.patch<T>(resource, parseKey(key), patch.body, options);
      } catch (error) {
        // Gone: the informer is about to say so.
        if (isKubeError(error, 'FL_KUBE_NOT_FOUND')) return;
        if (!isKubeError(error, 'FL_KUBE_CONFLICT')) throw error;
        const fresh = await this.#read<T>(resource, key, signal);
        if (!fresh) return;
        cache.take(fresh);
        continue;
      }
      // The last finalizer is off an object that was to be deleted: this was its last version.
      const gone = isGone(answer);
      const taken = gone ? undefined : cache.take(answer);
      for (const event of patch.events) emit(taken ?? answer, event);
      if (gone) return;
    }
    throw new ContentionError(
      `${resource.kind} "${key}" was changed back or onward ${MAX_WRITES} times while its status was being written; ` +
        'look for another controller that writes to it',
    );
  }

  #read<T extends KubeObject>(resource: Resource, key: string, signal: AbortSignal): Promise<T | undefined> {
    return find<T>(this.#options.kube, resource, parseKey(key), { timeoutMs: this.#timeoutMs(key), signal });
  }

  #timeoutMs(key: string): number {
    const timeoutMs = Math.min(WRITE_TIMEOUT_MS, this.#options.leadershipMs());
    if (timeoutMs <= 0) throw new NotLeaderError(`not writing to "${key}": leadership has run out`);
    return timeoutMs;
  }
}

function isGone(object: KubeObject): boolean {
  const metadata = object.metadata as { deletionTimestamp?: unknown; finalizers?: string[] } | undefined;
  return metadata?.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
}
