/**
 * From what the cluster says to what the wire thread has to contest: every VIP in its virtual router, on its interface. Pure.
 * The same on every node but for the interfaces, so that all speakers contest the same virtual routers.
 */

import {
  compareAddresses,
  findPool,
  formatAddress,
  type IpAddress,
  leaseName,
  type ParsedPool,
  rankNodes,
  type ServiceLike,
  vipsOf,
} from '@fairlead/api';
import { type HostInterface, uplinkFor } from './uplinks.js';

export interface AssignedService extends ServiceLike {
  metadata?: { name?: string; namespace?: string };
}

export interface AssignmentInput {
  services: Iterable<AssignedService>;
  pools: readonly ParsedPool[];
  /** Names of the nodes that speakers run on. */
  nodes: readonly string[];
  interfaces: readonly HostInterface[];
}

export interface AssignedRouter {
  /** `<pool>.<n>` */
  name: string;
  pool: string;
  leaseName: string;
  ranking: string[];
  /** All its VIPs, ascending; `uplink` is undefined where this node cannot announce the VIP. */
  vips: { address: string; uplink: string | undefined }[];
}

export interface Unannounceable {
  service: AssignedService;
  address: string;
  /** What is wrong and what to do. */
  why: string;
}

export interface Assignment {
  /** By name, ascending. */
  routers: AssignedRouter[];
  unannounceable: Unannounceable[];
}

/** Assigns the VIPs of all Services to virtual routers and interfaces. */
export function assign(input: AssignmentInput): Assignment {
  const found = new Map<string, { pool: ParsedPool; n: number; vips: Map<string, IpAddress> }>();
  const unannounceable: Unannounceable[] = [];
  const uplinks = new Map<string, string | undefined>();
  for (const service of input.services) {
    for (const vip of vipsOf(service)) {
      const address = formatAddress(vip);
      const origin = findPool(input.pools, vip);
      const uplink = uplinkFor(vip, input.interfaces)?.name;
      uplinks.set(address, uplink);
      if (origin === undefined || uplink === undefined) {
        unannounceable.push({ service, address, why: reason(vip, address, origin?.pool) });
      }
      if (origin === undefined) continue;
      const router = found.get(origin.virtualRouter) ?? { pool: origin.pool, n: origin.n, vips: new Map() };
      router.vips.set(address, vip);
      found.set(origin.virtualRouter, router);
    }
  }
  const routers = [...found].map(([name, { pool, n, vips }]) => ({
    name,
    pool: pool.name,
    leaseName: leaseName(pool.name, n),
    ranking: rankNodes(name, input.nodes),
    vips: [...vips]
      .sort(([, a], [, b]) => compareAddresses(a, b))
      .map(([address]) => ({ address, uplink: uplinks.get(address) })),
  }));
  return { routers: routers.sort((a, b) => (a.name < b.name ? -1 : 1)), unannounceable };
}

function reason(vip: IpAddress, address: string, pool: ParsedPool | undefined): string {
  if (pool === undefined) {
    return `${address} is in no AddressPool; add a pool that has it, or let the Service get another address`;
  }
  const protocol = vip.family === 'ipv4' ? 'ARP' : 'Neighbour Discovery';
  return (
    `no interface of this node has an address in the subnet of ${address} (AddressPool "${pool.name}"); ` +
    `${protocol} only works within a subnet, so give the pool addresses of the nodes' own LAN`
  );
}
