/**
 * Virtual routers: the sets of VIPs that move together. Which VIP belongs to which virtual router, what its Lease is
 * called, and which node stands first for it are pure functions, so that every speaker answers alike without asking.
 */

import type { IpAddress } from '../addresses/address.js';
import { labels } from '../names.js';

/**
 * The virtual router (0 to count - 1) that a VIP belongs to: its number modulo `count`. Addresses are given out lowest
 * first, so neighbours land on different virtual routers and a handful of VIPs is already spread as well as it can be
 * (a scrambling hash would leave a third of 8 routers empty with 8 VIPs).
 */
export function virtualRouterOf(vip: IpAddress, count: number): number {
  return vip.family === 'ipv4' ? vip.value % count : Number(vip.value % BigInt(count));
}

/** `<pool>.<n>`: the name by which logs, labels and metrics know a virtual router. */
export function virtualRouterName(pool: string, n: number): string {
  return `${pool}.${n}`;
}

/** The inverse of virtualRouterName; undefined when the text is not such a name. */
export function parseVirtualRouterName(name: string): { pool: string; n: number } | undefined {
  const match = /^(.+)\.(0|[1-9]\d?)$/.exec(name);
  return match ? { pool: match[1]!, n: Number(match[2]) } : undefined;
}

/** Name of the Lease (in SYSTEM_NAMESPACE) that elects the owner of a virtual router. */
export function leaseName(pool: string, n: number): string {
  return `vr-${pool}-${n}`;
}

/** Labels of that Lease. @param virtualRouter `<pool>.<n>` */
export function leaseLabels(virtualRouter: string): Record<string, string> {
  return { [labels.name]: 'fairlead', [labels.virtualRouter]: virtualRouter };
}

/** Selects the Leases of all virtual routers, by these labels. */
export const LEASE_SELECTOR = `${labels.name}=fairlead,${labels.virtualRouter}`;

/**
 * The nodes in the order in which they should take over a virtual router (rendezvous hashing): the same everywhere
 * whatever the order of `nodes`, and a node that comes or goes changes nobody else's relative order.
 */
export function rankNodes(virtualRouter: string, nodes: readonly string[]): string[] {
  return nodes
    .map((node) => ({ node, score: stableHash(`${virtualRouter}\0${node}`) }))
    .sort((a, b) => b.score - a.score || (a.node < b.node ? -1 : a.node > b.node ? 1 : 0))
    .map((entry) => entry.node);
}

/**
 * 32 bits, the same on every node and in every version: FNV-1a, then MurmurHash3's finalizer, as FNV alone leaves the high bits of
 * similar names alike.
 */
export function stableHash(text: string): number {
  let h = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) h = Math.imul(h ^ text.charCodeAt(index), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
