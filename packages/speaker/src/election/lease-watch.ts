/**
 * One watch of the Leases of all virtual routers feeds their locks: standbys do not poll, and API load grows with owners, not with nodes.
 * It also shows who wants to own, and who stands ready to (claimant.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import { LEASE_SELECTOR, labels, leaseAnnotations } from '@fairlead/api';
import { Informer, type KubeApi, keyOf, leases, versionOf } from '@fairlead/kube';
import type { LeaseObject } from '@fairlead/lease-lock';
import { Claimant } from './claimant.js';
import type { Contested } from './election.js';
import { type LeaseNotes, notesOf } from './lease-notes.js';

export interface LeaseWatchOptions {
  client: Pick<KubeApi, 'list' | 'watch' | 'patch'>;
  namespace: string;
  /** This node's name. */
  node: string;
  /** See ClaimantOptions. */
  preemptDelayMs: number;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** A Lease, by its name, is this now; undefined: it was deleted. */
  observed: (leaseName: string, lease: LeaseObject | undefined) => void;
  /** This node asks to be handed over to; undefined: none does (any more). */
  claimed: (virtualRouter: string, node: string | undefined) => void;
  /** `what` could not be done; the watch goes on by itself. */
  onError: (what: string, error: Error) => void;
}

const CLAIM_TICK_MS = 1_000;

export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #informer: Informer<LeaseObject>;
  readonly #claimant: Claimant;
  #claiming: NodeJS.Timeout | undefined;

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
    const { client, namespace, node, preemptDelayMs, clock, observed, claimed, onError } = options;
    this.#claimant = new Claimant({
      node,
      preemptDelayMs,
      clock,
      claim: (name) => {
        // The owner may hand over before the watch shows our own writing.
        claimed(name, node);
        this.#note(name, { [leaseAnnotations.claimedBy]: node, [leaseAnnotations.refused]: null });
      },
      refuse: (name, why) => this.#note(name, { [leaseAnnotations.refused]: `${node}: ${why}` }),
    });
    this.#informer = new Informer<LeaseObject>({
      client,
      resource: leases,
      namespace,
      labelSelector: LEASE_SELECTOR,
    });
    const seen = (lease: LeaseObject) => {
      observed(lease.metadata?.name ?? '', lease);
      const notes = notesOf(lease);
      claimed(routerOf(lease), notes.claimedBy);
      this.#claimant.lease(routerOf(lease), notes);
    };
    this.#informer.on('add', seen);
    this.#informer.on('update', seen);
    this.#informer.on('delete', (lease) => {
      observed(lease.metadata?.name ?? '', undefined);
      this.#claimant.leaseGone(routerOf(lease));
    });
    this.#informer.on('error', (error) => onError('watch Leases, trying again', error));
  }

  start(): void {
    this.#informer.start();
    this.#claiming = setInterval(() => this.#claimant.tick(), CLAIM_TICK_MS);
  }

  /**
   * The server has answered a write of this node's so. Where that says nothing new but the time, as each renewal does, the watch need not
   * tell it again: an owner of many virtual routers would read every renewal twice.
   */
  answered(lease: LeaseObject): void {
    const known = this.#informer.get(keyOf(lease));
    if (known !== undefined && isRenewal(lease, known)) this.#informer.take(lease);
  }

  configure(contested: readonly Contested[]): void {
    this.#claimant.configure(contested);
  }

  /** Whether this node may stand, and why it may not. */
  setFit(fit: boolean, why: string): void {
    this.#claimant.setFit(fit, why);
  }

  /** From now on this node asks for nothing; what others do is still seen. */
  stopClaiming(): void {
    clearInterval(this.#claiming);
  }

  /** Tells what stands in every Lease, now and whenever one of them changes. */
  follow(tell: (virtualRouter: string, notes: LeaseNotes) => void): void {
    const tellAll = () => {
      for (const lease of this.#informer.list()) tell(routerOf(lease), notesOf(lease));
    };
    this.#informer.on('update', tellAll);
    tellAll();
  }

  async stop(): Promise<void> {
    this.stopClaiming();
    await this.#informer.stop();
  }

  #note(virtualRouter: string, annotations: Record<string, string | null>): void {
    const { client, namespace, onError } = this.#options;
    const lease = this.#informer.list().find((candidate) => routerOf(candidate) === virtualRouter);
    const key = { namespace, name: lease?.metadata?.name ?? '' };
    client
      .patch(leases, key, { metadata: { annotations } }, { type: 'merge' })
      .catch((error: Error) => onError(`note in Lease ${key.name} who takes over`, error));
  }
}

/** Of what this node knows to be so, and no older. */
function isRenewal(lease: LeaseObject, known: LeaseObject): boolean {
  const [now, before] = [lease.metadata, known.metadata];
  return (
    Number(versionOf(lease)) > Number(versionOf(known)) &&
    now?.uid === before?.uid &&
    lease.spec?.holderIdentity === known.spec?.holderIdentity &&
    isDeepStrictEqual(now?.annotations, before?.annotations) &&
    isDeepStrictEqual(now?.labels, before?.labels)
  );
}

function routerOf({ metadata }: LeaseObject): string {
  return metadata?.labels?.[labels.virtualRouter] ?? '';
}
