/** What the main thread and the wire thread say to each other. Small and plain, so that copying them costs nothing. */

import type { AnnouncementSettings } from '@fairlead/api';
import type { Engine } from '../election/election.js';
import type { faultTexts } from '../vrrp/transport.js';

export interface WireVip {
  /** In canonical text form. */
  address: string;
  /** Name of the interface on the LAN that the VIP belongs to. */
  uplink: string;
}

/** A virtual router but for its VIPs. */
export interface WireVirtualRouter {
  /** `<pool>.<n>` */
  name: string;
  pool: string;
  leaseName: string;
  /** Index of its routing table on this host (packages/ipvs, routes/tables.ts). */
  table: number;
  ranking: string[];
  engine: Engine;
  preempt: boolean;
  announcement: AnnouncementSettings;
}

/** A virtual router that is new or has changed: what it is now, and which of its VIPs are others than before. */
export interface VirtualRouterChange extends WireVirtualRouter {
  /** New to it, or now on another interface. */
  added: WireVip[];
  /** Addresses. */
  removed: string[];
}

/** What became of what there is to contest, and to know for it, since it was told last. Nothing is said of what stays as it is. */
export interface ConfigurationChange {
  changed: VirtualRouterChange[];
  /** Names of virtual routers. */
  removed: string[];
  /** All of them, if any is another. */
  uplinks?: WireUplink[];
  /** All of them, if any is another. */
  nodes?: WireNode[];
}

export interface WireUplink {
  name: string;
  index: number;
  /** IP addresses as text. */
  addresses: string[];
}

/** A node that speakers run on. */
export interface WireNode {
  name: string;
  internalIPs: string[];
}

export interface VrrpOptions {
  intervalMs: number;
  mode: 'unicast' | 'multicast';
}

export interface LeaseTimings {
  leaseDurationMs: number;
  renewPeriodMs: number;
  retryPeriodMs: number;
}

/** workerData of the wire thread. */
export interface WireOptions {
  node: string;
  /** Name of the director's network namespace. */
  director: string;
  /** Where the API server is, as the command line says; the Pod's own configuration when empty. */
  kube: { server?: string; kubeconfig?: string };
  /** A folder that outlives the process, for what it holds; absent: none. */
  stateFolder?: string;
  timings: LeaseTimings;
  vrrp: VrrpOptions;
  /** For how long a better node must have been fit before it takes over from a healthy owner, where its pool has `preempt`, ms. */
  preemptDelayMs: number;
}

export type ToWire =
  | ({ kind: 'configure' } & ConfigurationChange)
  /** `why` it is not; empty when it is. */
  | { kind: 'fit'; fit: boolean; why: string }
  | { kind: 'stop'; release: boolean };

/** What is wrong with what somebody sends by VRRP. `addresses`: it is heeded, but names others than this node has. */
export type VrrpFault = keyof typeof faultTexts | 'addresses';

export type FromWire =
  | { kind: 'ready' }
  /** `lapsed`: the node whose claim ran out instead of being given back. */
  | { kind: 'own'; virtualRouter: string; lapsed: string | undefined }
  | { kind: 'yield'; virtualRouter: string; reason: string }
  | { kind: 'holder'; virtualRouter: string; node: string | undefined }
  /** A node that owns something is silent: it may be dead. */
  | { kind: 'suspect'; node: string }
  /** VIPs of a virtual router that this node owns are announced from now on; without `addresses`, all of them. */
  | { kind: 'announced'; virtualRouter: string; addresses?: string[] }
  /** `withheld`: the VIP is left to that station, because we have not announced it yet. */
  | { kind: 'rival'; address: string; mac: string; uplink: string; withheld: boolean }
  /** The way into the director is gone: this thread stood still (packages/ipvs, dead-mans-switch.ts), or somebody removed it. */
  | { kind: 'lapsed' }
  /** No API server has answered requests for Leases for so long, or (without an error) one does again. */
  | { kind: 'apiServer'; silentMs: number; error: string | undefined }
  /** A request to the API server has failed, or a watch: to be counted. */
  | { kind: 'requestFailed'; resource: string }
  /** To be counted. */
  | { kind: 'vrrpFault'; fault: VrrpFault; message: string }
  | { kind: 'error'; message: string; code?: string }
  | { kind: 'stopped' };
