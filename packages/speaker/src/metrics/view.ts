/** What a speaker's metrics are read from at the moment of a scrape: nothing here may cost more than the number of virtual routers. */

import type { ProberCounters } from '@fairlead/ipvs';
import type { Station } from '../agent/stations.js';

export interface SpeakerView {
  /** `ipvs` or `nftables`; undefined before it was chosen. */
  forwarder: string | undefined;
  /** Stands for election. */
  standing: boolean;
  /** The kernel holds what is desired. */
  inSync: boolean;
  /** Too few nodes look usable, so all are used. */
  panic: boolean;
  virtualRouters: readonly VirtualRouterView[];
  vips: number;
  virtualServers: number;
  realServers: number;
  /** Real servers that get no new connections and wait for the end of those they have. */
  draining: number;
  /** Probes of nodes, and those on behalf of Services. */
  probes: { node: ProberCounters; service: ProberCounters };
  /** Other stations that have VIPs of ours; no more than the metrics want of them are read. */
  stations: Iterable<Readonly<Station>>;
  /** Undefined while there is no director. */
  kernel: KernelView | undefined;
}

export interface VirtualRouterView {
  /** `<pool>.<n>` */
  name: string;
  /** This node answers for it. */
  owner: boolean;
  vips: number;
}

/** Counters that the director's kernel keeps. */
export interface KernelView {
  /** By the name of the rule. */
  firewall: Readonly<Record<string, { packets: bigint; bytes: bigint }>>;
  conntrack: { entries: number; insertFailed: number; drop: number };
  /** Segments that this node's director did not know, and others' that it took in; absent where the kernel cannot. */
  secondChance?: Readonly<Record<string, { packets: bigint; bytes: bigint }>>;
}
