/**
 * The names Fairlead is known by in a cluster: API group, annotations, labels, finalizers, conditions and the reasons
 * they carry. Every other package, and every user's script, relies on them: they are the contract, kept in one place.
 */

export const GROUP = 'fairlead.dev';
export const VERSION = 'v1alpha1';
/** Value of `spec.loadBalancerClass` that makes a Service Fairlead's. */
export const LOAD_BALANCER_CLASS = 'fairlead.dev/lb';
/** Namespace of the controller, the speakers and all their Leases. */
export const SYSTEM_NAMESPACE = 'fairlead-system';

/** Annotations users put on a Service. */
export const annotations = {
  /** Name of the AddressPool that the Service wants its address from. */
  addressPool: 'fairlead.dev/address-pool',
  /** The addresses that the Service wants, at most one per IP family, separated by a comma. */
  addresses: 'fairlead.dev/addresses',
  /** Services with the same key may get one address together, each with ports of its own. */
  sharingKey: 'fairlead.dev/sharing-key',
  /** How the Service's real servers are asked whether they serve: `tcp`, or `http:/path`. Default: only their nodes are asked. */
  healthCheck: 'fairlead.dev/health-check',
  /** How connections are spread over real servers: an IPVS scheduler and its flags, as in `mh` or `mh,mh-port`. */
  scheduler: 'fairlead.dev/scheduler',
  /** What real servers are: `node` (NodeIP:NodePort, the default) or `pod` (podIP:targetPort). */
  forwarding: 'fairlead.dev/forwarding',
} as const;

/** Annotations on a Service under Fairlead's name that mean nothing to it: misspelt, most likely. */
export function unknownAnnotations(present: Readonly<Record<string, string>> = {}): string[] {
  const known: readonly string[] = Object.values(annotations);
  return Object.keys(present).filter((name) => name.startsWith(`${GROUP}/`) && !known.includes(name));
}

/** Annotations on a Node; `fairlead drain` writes it. */
export const nodeAnnotations = {
  /** The node hands over the VIPs that it owns, and takes none, for as long as there is another one to have them. It still forwards. */
  drain: 'fairlead.dev/drain',
} as const;

/** Labels on a Node. */
export const nodeLabels = {
  /** The node is neither forwarded to nor owns VIPs. Presence alone counts, whatever the value (KEP-1143). */
  exclude: 'node.kubernetes.io/exclude-from-external-load-balancers',
} as const;

/** Annotations on the Lease of a virtual router. */
export const leaseAnnotations = {
  /** The node that shall take over; `fairlead move` writes it. Whoever fulfils it removes it. */
  preferredOwner: 'fairlead.dev/preferred-owner',
  /** The node that stands ready to take over: the owner hands over to it. */
  claimedBy: 'fairlead.dev/claimed-by',
  /** Why a node cannot be the preferred owner: `<node>: <why>`. */
  refused: 'fairlead.dev/move-refused',
} as const;

export const labels = {
  /** On a Lease: the virtual router it elects the owner of, `<pool>.<n>`. */
  virtualRouter: 'fairlead.dev/virtual-router',
  /** On a ConfigMap: what a speaker has heard of stations that answer for VIPs; each value of data is an address and the station's hardware address. */
  stations: 'fairlead.dev/stations',
  /** On everything Fairlead creates, with the value `fairlead`. */
  name: 'app.kubernetes.io/name',
} as const;

export const finalizers = {
  /** On a Service: its address is not given to another one before the controller has let it go. */
  loadBalancerCleanup: 'service.kubernetes.io/load-balancer-cleanup',
  /** On an AddressPool: speakers need the object for as long as one of its addresses is in use. */
  addressPoolInUse: 'fairlead.dev/address-pool-in-use',
} as const;

/** Condition types. */
export const conditions = {
  /** On a Service: whether it has an address and, if not, why. */
  allocated: 'fairlead.dev/Allocated',
  /** On an AddressPool: whether new addresses are given out of its present spec and, if not, why. */
  accepted: 'Accepted',
  /** On an AddressPool: whether addresses are in use that it no longer has. */
  draining: 'Draining',
  /** On an AddressPool that is accepted: whether something else in the cluster or on the LAN has addresses of it. */
  conflict: 'Conflict',
} as const;

/** Reasons of conditions and Events. Stable: scripts and alerts match on them. */
export const reasons = {
  /** AddressPool conditions. */
  accepted: 'Accepted',
  invalidSpec: 'InvalidSpec',
  invalidAddresses: 'InvalidAddresses',
  /** Nothing is left of spec.addresses when the exclusions are taken off. */
  empty: 'Empty',
  overlap: 'Overlap',
  /** The pool wants addresses of the cluster's own networks. */
  overlapsPods: 'OverlapsPodNetwork',
  overlapsServices: 'OverlapsServiceNetwork',
  deleting: 'Deleting',
  /** Conditions Draining and Conflict. */
  inUse: 'AddressesInUse',
  reclaiming: 'Reclaiming',
  drained: 'NothingToDrain',
  foreignUse: 'AddressesUsedElsewhere',
  noConflict: 'NoConflict',
  /** Service conditions. */
  allocated: 'Allocated',
  noPool: 'NoPool',
  poolNotFound: 'PoolNotFound',
  poolNotAccepted: 'PoolNotAccepted',
  poolExhausted: 'PoolExhausted',
  invalidRequest: 'InvalidRequest',
  contradictoryRequest: 'ContradictoryRequest',
  poolNotAllowed: 'PoolNotAllowed',
  addressUnavailable: 'AddressUnavailable',
  addressConflict: 'AddressConflict',
  /** Service Events (the first two agree with what users know from MetalLB). */
  ipAllocated: 'IPAllocated',
  allocationFailed: 'AllocationFailed',
  ipReleased: 'IPReleased',
  statusContested: 'StatusContested',
  /** AddressPool Events. */
  poolAccepted: 'PoolAccepted',
  poolRejected: 'PoolRejected',
  poolDeletionBlocked: 'PoolDeletionBlocked',
  poolDraining: 'PoolDraining',
  poolConflict: 'PoolConflict',
} as const;
