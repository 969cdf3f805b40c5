/** The AddressPool object as it stands in the API server (deploy/crd.yaml is its schema). */

import type { LabelSelector } from '../label-selector.js';
import { GROUP, VERSION } from '../names.js';
import type { AnnouncementSettings } from './announcement-settings.js';

export const ADDRESS_POOL_KIND = 'AddressPool';
export const ADDRESS_POOL_API_VERSION = `${GROUP}/${VERSION}`;

export const DEFAULT_VIRTUAL_ROUTERS = 8;
export const MAX_VIRTUAL_ROUTERS = 64;
/** The label value `<pool>.<n>` has to fit into 63 characters, with n up to two digits. */
export const MAX_POOL_NAME_LENGTH = 60;
/** Entries of spec.addresses; bounds the size of the object and the cost of checking it. */
export const MAX_ADDRESS_ENTRIES = 256;

export interface AddressPool {
  apiVersion: string;
  kind: typeof ADDRESS_POOL_KIND;
  metadata: ObjectMeta;
  spec: AddressPoolSpec;
  status?: AddressPoolStatus;
}

/** Entries of every other list of the spec. */
export const MAX_LIST_ENTRIES = 64;
export const MAX_EXCLUDE_ENTRIES = 256;
/** A freed address may be kept from strangers for a day at most; what is kept longer is an exclusion. */
export const MAX_COOL_DOWN_SECONDS = 86_400;
/** Long enough for the ARP and DNS caches that most networks have. */
export const DEFAULT_LRU_COOL_DOWN_SECONDS = 300;

/** In which order free addresses are given out. */
export type ReusePolicy = 'LowestFirst' | 'LeastRecentlyUsed';
/** Who may share an address by a common sharing key. */
export type SharingScope = 'SameNamespace' | 'AnyNamespace' | 'Never';
export type ElectionEngine = 'lease' | 'vrrp';

export const REUSE_POLICIES: readonly ReusePolicy[] = ['LowestFirst', 'LeastRecentlyUsed'];
export const SHARING_SCOPES: readonly SharingScope[] = ['SameNamespace', 'AnyNamespace', 'Never'];
export const ELECTION_ENGINES: readonly ElectionEngine[] = ['lease', 'vrrp'];

export interface AddressPoolSpec extends AnnouncementSpec {
  /** CIDRs (`192.0.2.0/28`) and ranges (`192.0.2.10-192.0.2.20`), both families mixed as needed. */
  addresses: string[];
  /** Taken out of `addresses`: CIDRs, ranges and single addresses. */
  excludeAddresses?: string[];
  /** Leaves out IPv4 addresses that end in .0 or .255, which some old devices drop. Default false. */
  avoidBuggyAddresses?: boolean;
  /** The LAN's subnets (CIDRs) that the addresses lie in: their network, broadcast and router-anycast addresses are left out. */
  subnets?: string[];

  /** Whether Services that name no pool may get an address from this one. Default true. */
  autoAssign?: boolean;
  /** Of the pools that a Service may use, those with the higher number are tried first. Default 0. */
  priority?: number;
  /** Namespaces whose Services may use the pool; together with namespaceSelector: either. Absent both: all. */
  namespaces?: string[];
  namespaceSelector?: LabelSelector;
  /** Which Services of these namespaces. Absent: all. */
  serviceSelector?: LabelSelector;
  /** Default SameNamespace. */
  sharing?: SharingScope;

  /** Default LowestFirst. */
  reusePolicy?: ReusePolicy;
  /** How long a freed address is given to nobody but the Service that had it. Default 0, with LeastRecentlyUsed 300. */
  coolDownSeconds?: number;
  /** Whether Services whose address the pool no longer has get another one at once. Default false: they keep it. */
  reclaim?: boolean;
}

/** How the addresses are announced. */
export interface AnnouncementSpec {
  /** Into how many virtual routers the addresses are divided, 1 to 64. Default 8. */
  virtualRouters?: number;
  /** Nodes that may announce. Absent: all. */
  nodeSelector?: LabelSelector;
  /** Nodes that announce rather than others; the weights of all that match a node are added. */
  preferredNodes?: NodePreference[];
  /** Network interfaces to announce on; a `*` at the end stands for any rest. Absent: the one in the VIP's subnet. */
  interfaces?: string[];
  /** Default lease. */
  election?: ElectionEngine;
  /** Whether a better node takes over from a healthy owner. Default false. */
  preempt?: boolean;
  /** How often, and in which forms, the owner tells the LAN where the addresses are. What is absent is as by default. */
  announcement?: Partial<AnnouncementSettings>;
}

export interface NodePreference {
  /** 1 to 100 */
  weight: number;
  selector: LabelSelector;
}

/** Written by the controller alone. */
export interface AddressPoolStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  /** What is gone by: differs from the spec while that is not accepted, or leaves out addresses in use. */
  inEffect?: PoolInEffect;
  ipv4?: FamilyStatus;
  ipv6?: FamilyStatus;
  /** Addresses that Services have, of both families, those that drain included. */
  allocated?: number;
  /** Freed addresses that are kept from strangers for a while: the controller's memory of them across restarts. */
  coolingDown?: CoolingDown[];
}

/**
 * capacity = allocated - draining + coolingDown + withheld + free. `capacity` and `free` are decimal text, as an IPv6 /64
 * has more addresses than fit a JSON number; the others are bounded by the number of Services.
 */
export interface FamilyStatus {
  /** Addresses that the pool has, exclusions taken off. */
  capacity: string;
  /** Addresses that Services have, those that drain included. */
  allocated: number;
  /** Addresses that could be given out now. */
  free: string;
  /** Of `allocated`, those that the pool no longer has. */
  draining?: number;
  /** Freed a short while ago. */
  coolingDown?: number;
  /** Not given out because something else has them, see condition Conflict. Decimal text. */
  withheld?: string;
}

export interface CoolingDown {
  /** An address or range. */
  addresses: string;
  /** RFC 3339. */
  until: string;
}

export interface PoolInEffect extends AnnouncementSpec {
  /** The last accepted spec.addresses without what is excluded, in ascending order; empty when none was accepted yet. */
  addresses: string[];
  avoidBuggyAddresses?: boolean;
  /** Addresses that are still in use although the accepted spec no longer has them. They are not given out again. */
  draining?: string[];
  virtualRouters: number;
}

/** Kubernetes' ObjectMeta as it is on the wire (times are text), reduced to what Fairlead reads. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
}

/** metav1.Condition as it is on the wire. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}
