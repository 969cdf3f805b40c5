/** Statistics of services and destinations. */
import type { Attributes } from '../attribute.js';
import { statsAttributes as a } from './constants.js';
import type { IpvsStats } from './types.js';

/**
 * Prefers the nest of 64-bit counters (Linux 4.1); the other one has 32 bits, which wrap, except for the bytes.
 * undefined if there is neither.
 */
export function decodeStats(attributes: Attributes, stats: number, stats64: number): IpvsStats | undefined {
  const wide = attributes.nest(stats64);
  const nest = wide ?? attributes.nest(stats);
  if (!nest) return undefined;
  const counter = (type: number) => (wide ? nest.u64(type) : BigInt(nest.u32(type) ?? 0)) ?? 0n;
  const rate = (type: number) => Number(counter(type));
  return {
    connections: counter(a.connections),
    inPackets: counter(a.inPackets),
    outPackets: counter(a.outPackets),
    inBytes: nest.u64(a.inBytes) ?? 0n,
    outBytes: nest.u64(a.outBytes) ?? 0n,
    connectionsPerSecond: rate(a.connectionsPerSecond),
    inPacketsPerSecond: rate(a.inPacketsPerSecond),
    outPacketsPerSecond: rate(a.outPacketsPerSecond),
    inBytesPerSecond: rate(a.inBytesPerSecond),
    outBytesPerSecond: rate(a.outBytesPerSecond),
  };
}
