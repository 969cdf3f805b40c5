/**
 * What stands in a virtual router's Lease beside its holder: who shall own, and who stands ready to. A node that is to take over claims,
 * which proves that it lives and is fit; the owner then hands over to it. Nobody fights, and nobody hands over to a dead node.
 */

import { leaseAnnotations } from '@fairlead/api';

export interface LeaseNotes {
  holder: string | undefined;
  /** The node that somebody wants to be the owner. */
  preferredOwner: string | undefined;
  /** The node that asks to be handed over to. */
  claimedBy: string | undefined;
  /** `<node>: <why not>` */
  refused: string | undefined;
}

interface Lease {
  metadata?: { annotations?: Record<string, string> };
  spec?: { holderIdentity?: string | null };
}

export function notesOf({ metadata, spec }: Lease): LeaseNotes {
  const annotations = metadata?.annotations ?? {};
  return {
    holder: spec?.holderIdentity || undefined,
    preferredOwner: annotations[leaseAnnotations.preferredOwner] || undefined,
    claimedBy: annotations[leaseAnnotations.claimedBy] || undefined,
    refused: annotations[leaseAnnotations.refused] || undefined,
  };
}

/** The annotations of a Lease that `node` takes: claims are settled, and so is the wish, if it is fulfilled. */
export function settledAnnotations(
  annotations: Readonly<Record<string, string>>,
  node: string,
): Record<string, string> {
  const { claimedBy, preferredOwner, refused } = leaseAnnotations;
  const settled = annotations[preferredOwner] === node ? [claimedBy, preferredOwner, refused] : [claimedBy];
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => !settled.includes(name as never)));
}
