/**
 * `fairlead status`: who owns which VIP since when, which Services wait for one, and which nodes may own any. All of it stands in the
 * cluster's objects; here it is put together. The deciding part is pure.
 */

import {
  type AddressPool,
  compareAddresses,
  conditions,
  findPool,
  formatAddress,
  type IpAddress,
  isOurs,
  matchesSelector,
  type ParsedPool,
  poolInEffect,
  reasons,
  type ServiceLike,
  vipsOf,
} from '@fairlead/api';
import { addressPools, type KubeApi, type KubeObject, nodes, services } from '@fairlead/kube';
import { holderOf, type LeaseView, leasesOf, type NodeView, routerOf, unfitBecause } from './cluster-view.js';

export interface ServiceView extends KubeObject {
  spec?: ServiceLike['spec'];
  status?: {
    conditions?: { type: string; status?: string; reason?: string; message?: string }[];
    loadBalancer?: NonNullable<ServiceLike['status']>['loadBalancer'];
  };
}

export interface ClusterObjects {
  services: readonly ServiceView[];
  pools: readonly KubeObject[];
  leases: readonly LeaseView[];
  nodes: readonly NodeView[];
}

export interface VipStatus {
  vip: string;
  /** `namespace/name` of the Services that have it. */
  services: string[];
  pool?: string;
  virtualRouter?: string;
  /** The node that answers for it. */
  owner?: string;
  /** RFC 3339: since when it is the owner. */
  since?: string;
  /** Why there is no owner, or why there may be none. */
  problem?: string;
}

export interface Status {
  vips: VipStatus[];
  /** Services without the address that they ask for. */
  waiting: { service: string; reason: string; message: string }[];
  /** Pools that give out no addresses. */
  rejected: { pool: string; message: string }[];
  nodes: { node: string; virtualRouters: number /** Why it may own none. */; unfit?: string }[];
}

/** A Lease is renewed three times while it lasts. So much longer, and whoever held it is silent, however the clocks differ a little. */
const SILENT_AFTER_LEASES = 4;
const NOT_SEEN =
  'no controller has looked at it yet: does one run, and lead (kubectl -n fairlead-system get pods,leases)?';

export async function readStatus(kube: Pick<KubeApi, 'list'>, nowMs: number): Promise<Status> {
  const [allServices, pools, leases, allNodes] = await Promise.all([
    kube.list<ServiceView>(services),
    kube.list<KubeObject>(addressPools),
    leasesOf(kube),
    kube.list<NodeView>(nodes),
  ]);
  return statusOf({ services: allServices.items, pools: pools.items, leases, nodes: allNodes.items }, nowMs);
}

/** @param nowMs wall clock of whoever asks: only to tell that a Lease is long over */
export function statusOf(cluster: ClusterObjects, nowMs: number): Status {
  const pools = cluster.pools.flatMap((pool) => poolInEffect(pool) ?? []);
  const leases = new Map(cluster.leases.map((lease) => [routerOf(lease), lease]));
  const byVip = new Map<string, { ip: IpAddress; services: string[] }>();
  for (const service of cluster.services) {
    for (const ip of vipsOf(service)) {
      const vip = formatAddress(ip);
      const known = byVip.get(vip) ?? { ip, services: [] };
      known.services.push(nameOf(service));
      byVip.set(vip, known);
    }
  }
  const owned = new Map<string, Set<string>>();
  const vips = [...byVip].map(([vip, { ip, services: names }]): VipStatus => {
    const origin = findPool(pools, ip);
    if (!origin) return { vip, services: names, problem: 'it is in no AddressPool, so nobody announces it' };
    const lease = leases.get(origin.virtualRouter);
    const owner = holderOf(lease);
    if (owner !== undefined) owned.set(owner, (owned.get(owner) ?? new Set()).add(origin.virtualRouter));
    const problem = problemOf(origin.pool, lease, cluster.nodes, nowMs);
    return {
      vip,
      services: names,
      pool: origin.pool.name,
      virtualRouter: origin.virtualRouter,
      ...(owner !== undefined && { owner }),
      ...(owner !== undefined && lease?.spec?.acquireTime && { since: lease.spec.acquireTime }),
      ...(problem !== undefined && { problem }),
    };
  });
  vips.sort((a, b) => compareAddresses(byVip.get(a.vip)!.ip, byVip.get(b.vip)!.ip));
  return {
    vips,
    waiting: cluster.services.flatMap(waitingFor),
    rejected: cluster.pools.flatMap(rejection),
    nodes: cluster.nodes
      .map((node) => {
        const name = node.metadata?.name ?? '';
        const unfit = unfitBecause(node);
        return { node: name, virtualRouters: owned.get(name)?.size ?? 0, ...(unfit !== undefined && { unfit }) };
      })
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
  };
}

/** Why a virtual router has no owner, or may have none. */
function problemOf(
  pool: ParsedPool,
  lease: LeaseView | undefined,
  all: readonly NodeView[],
  nowMs: number,
): string | undefined {
  const { nodeSelector } = pool;
  if (nodeSelector && !all.some(({ metadata }) => matchesSelector(nodeSelector, metadata?.labels))) {
    return `the nodeSelector of AddressPool "${pool.name}" chooses no node`;
  }
  if (holderOf(lease) === undefined) {
    return 'nobody owns it: an Event on the Service says why (AnnounceFailed), or else the logs of the speakers';
  }
  const { renewTime, leaseDurationSeconds } = lease?.spec ?? {};
  // The owner by VRRP only writes its name there, once.
  if (pool.election !== 'lease' || !renewTime || !leaseDurationSeconds) return undefined;
  const silentMs = nowMs - Date.parse(renewTime);
  if (silentMs < SILENT_AFTER_LEASES * leaseDurationSeconds * 1_000) return undefined;
  return `its owner has not renewed the Lease for ${Math.round(silentMs / 1_000)} s, and nobody has taken over: is there a speaker on any node?`;
}

/** False: without an address; True with another reason than `Allocated`: it keeps what it has, and waits for what it asks for. */
function waitingFor(service: ServiceView): Status['waiting'] {
  const found = service.status?.conditions?.find(({ type }) => type === conditions.allocated);
  if (!found && isOurs(service, { defaultClass: false })) {
    return [{ service: nameOf(service), reason: 'Unseen', message: NOT_SEEN }];
  }
  if (!found || (found.status === 'True' && found.reason === reasons.allocated)) return [];
  return [{ service: nameOf(service), reason: found.reason ?? '', message: found.message ?? '' }];
}

function rejection(pool: KubeObject): Status['rejected'] {
  const accepted = (pool as Partial<AddressPool>).status?.conditions?.find(({ type }) => type === conditions.accepted);
  if (accepted?.status === 'True') return [];
  const message = accepted?.message ?? NOT_SEEN;
  return [{ pool: pool.metadata?.name ?? '', message }];
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}
