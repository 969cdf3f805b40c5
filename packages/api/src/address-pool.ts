/** The AddressPool object as it stands in the API server (deploy/crd.yaml is its schema). */

import { GROUP, VERSION } from './names.js';

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

export interface AddressPoolSpec {
  /** CIDRs (`192.0.2.0/28`) and ranges (`192.0.2.10-192.0.2.20`), both families mixed as needed. */
  addresses: string[];
  /** Whether Services that name no pool may get an address from this one. Default true. */
  autoAssign?: boolean;
  /** Into how many virtual routers the addresses are divided, 1 to 64. Default 8. */
  virtualRouters?: number;
}

/** Written by the controller alone. */
export interface AddressPoolStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  /** What speakers go by: differs from the spec while that is not accepted, or leaves out addresses in use. */
  inEffect?: PoolInEffect;
  /** Number of addresses given out from, as decimal text (an IPv6 /64 has more than fits a JSON number). */
  capacity?: string;
  /** Addresses in use. */
  allocated?: number;
  /** Addresses left, as decimal text. */
  free?: string;
}

export interface PoolInEffect {
  /** The last accepted spec.addresses, in ascending order; empty when none has been accepted yet. */
  addresses: string[];
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
