/**
 * Who owns a virtual router, written down for people: an owner that VRRP made records itself in the virtual router's Lease, so that
 * `kubectl get lease` answers for either engine. Nothing depends on it, so it is tried again for as long as the node owns, and never
 * waited for.
 */

import { leaseLabels } from '@fairlead/api';
import { isKubeError, type KubeApi, leases, upsert, WorkQueue } from '@fairlead/kube';
import type { LeaseObject } from '@fairlead/lease-lock';
import { notesOf, settledAnnotations } from '../election/lease-notes.js';

export interface LeaseRecordOptions {
  client: Pick<KubeApi, 'get' | 'create' | 'update'>;
  namespace: string;
  node: string;
  /** ms since 1970, for the timestamps. */
  wallClock?: () => number;
  /** How long after a takeover to write, ms, so that the writing does not compete with the announcing; default 0. */
  delayMs?: number;
  /** @param failures how often this write has failed in a row; it is tried again */
  onError: (error: Error, failures: number) => void;
}

export interface OwnedRouter {
  /** `<pool>.<n>` */
  name: string;
  leaseName: string;
}

/** A Lease has to say how long it is good for. Readers of this one go by its holder. */
const DURATION_SECONDS = 1;

export class LeaseRecord {
  readonly #options: LeaseRecordOptions;
  readonly #owned = new Map<string, OwnedRouter>();
  readonly #queue: WorkQueue;

  constructor(options: LeaseRecordOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      process: (leaseName, signal) => this.#write(leaseName, signal),
      backoff: { baseMs: 500, maxMs: 30_000 },
      // One that was overtaken is no failure: the next attempt reads anew.
      onError: (error, _, failures) => {
        if (!isKubeError(error, 'FL_KUBE_CONFLICT')) options.onError(error, failures);
      },
    });
  }

  own(router: OwnedRouter): void {
    this.#owned.set(router.leaseName, router);
    this.#queue.addAfter(router.leaseName, this.#options.delayMs ?? 0);
  }

  /** The next owner overwrites it. */
  yield(leaseName: string): void {
    this.#owned.delete(leaseName);
  }

  stop(): Promise<void> {
    this.#owned.clear();
    return this.#queue.stop();
  }

  async #write(leaseName: string, signal: AbortSignal): Promise<void> {
    const router = this.#owned.get(leaseName);
    if (router === undefined) return;
    const { client, namespace, node } = this.#options;
    const now = new Date(this.#options.wallClock?.() ?? Date.now()).toISOString().replace('Z', '000Z');
    const recorded = (found: LeaseObject | undefined) => {
      if (found?.spec?.holderIdentity === node && notesOf(found).claimedBy === undefined) return undefined;
      const { labels: others, annotations = {}, ...metadata } = found?.metadata ?? {};
      return {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: {
          ...metadata,
          namespace,
          name: leaseName,
          labels: { ...others, ...leaseLabels(router.name) },
          annotations: settledAnnotations(annotations, node),
        },
        spec: {
          holderIdentity: node,
          leaseDurationSeconds: DURATION_SECONDS,
          acquireTime: now,
          renewTime: now,
          leaseTransitions: (found?.spec?.leaseTransitions ?? -1) + 1,
        },
      } as LeaseObject;
    };
    await upsert<LeaseObject>(client, leases, { namespace, name: leaseName }, recorded, { signal });
  }
}
