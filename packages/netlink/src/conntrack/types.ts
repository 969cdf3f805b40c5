/** What a program says and sees about tracked connections. */
import type { Family } from '../ip.js';
import type { cpuAttributes } from './constants.js';

/** A number for protocols without a name here. */
export type ConntrackProtocol = 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6' | number;

/** Packets of one direction. */
export interface ConntrackTuple {
  protocol: ConntrackProtocol;
  source: string;
  destination: string;
  /** Of TCP, UDP, SCTP and others that have ports. */
  sourcePort?: number;
  destinationPort?: number;
  icmp?: { type: number; code: number; id: number };
}

export interface ConntrackEntry {
  family: Family;
  /** As the first packet came. */
  original: ConntrackTuple;
  /** What an answer looks like before translation: its source is where the connection really went (NAT, IPVS). */
  reply: ConntrackTuple;
  /** IPS_* bits of linux/netfilter/nf_conntrack_common.h. */
  status: number;
  /** Seconds until it is forgotten if nothing comes; absent for one that is being deleted. */
  timeoutSeconds?: number;
  mark: number;
  zone: number;
  /** The kernel's own number for it. */
  id: number;
  /** Of TCP and SCTP: `ESTABLISHED`, `TIME_WAIT`, ... */
  state?: string;
  /** Where sysctl net.netfilter.nf_conntrack_acct is 1. */
  counters?: { original: ConntrackCounters; reply: ConntrackCounters };
}

export interface ConntrackCounters {
  packets: bigint;
  bytes: bigint;
}

/** Which tuples; what is absent may be anything. Ports need the protocol. */
export type ConntrackTupleFilter = Partial<
  Pick<ConntrackTuple, 'source' | 'destination' | 'sourcePort' | 'destinationPort'>
>;

/** Which connections; all that is given has to hold. */
export interface ConntrackFilter {
  family?: Family;
  protocol?: ConntrackProtocol;
  original?: ConntrackTupleFilter;
  reply?: ConntrackTupleFilter;
  /** Those whose mark has `value` in the bits of `mask` (all by default). */
  mark?: { value: number; mask?: number };
}

/**
 * Counters of one CPU since boot; they wrap at 2^32. With SNAT, `insertFailed` and `drop` grow when no free port was
 * left for a new connection, `clashResolve` when two packets of the same new flow met.
 */
export type ConntrackCpuStatistics = { cpu: number } & Record<keyof typeof cpuAttributes, number>;
