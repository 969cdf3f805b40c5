/** `fairlead move VIP NODE`: the VIP's virtual router goes to a node, by its owner handing over. */

import {
  findPool,
  formatAddress,
  leaseAnnotations,
  leaseName,
  parseAddress,
  poolInEffect,
  type ServiceLike,
  SYSTEM_NAMESPACE,
  vipsOf,
} from '@fairlead/api';
import { addressPools, type KubeApi, type KubeObject, leases, services } from '@fairlead/kube';
import { holderOf, leasesOf, nodeNamed, routerOf, unfitBecause } from './cluster-view.js';
import { OperatorError } from './operator-error.js';
import { followLeases } from './watch-leases.js';

export interface MoveOptions {
  /** An IP address. */
  vip: string;
  node: string;
  timeoutMs: number;
  /** Told as it happens. */
  step: (text: string) => void;
}

export interface Moved {
  vip: string;
  virtualRouter: string;
  /** The former owner; the new one when it was there already. */
  from: string;
  node: string;
  /** The other VIPs of the virtual router, which move with it. */
  together: string[];
}

type Client = Pick<KubeApi, 'get' | 'list' | 'watch' | 'patch'>;

/** Resolves when the node owns the VIP. Otherwise the wish is taken back. @throws OperatorError */
export async function move(kube: Client, { vip, node, timeoutMs, step }: MoveOptions): Promise<Moved> {
  const unfit = unfitBecause(await nodeNamed(kube, node));
  if (unfit !== undefined) throw new OperatorError('FL_NODE_NOT_FIT', `${node} cannot take over: ${unfit}`);
  const { virtualRouter, lease, address, together } = await find(kube, vip);
  const current = (await leasesOf(kube)).find((candidate) => candidate.metadata?.name === lease);
  const from = holderOf(current);
  if (from === undefined) {
    throw new OperatorError(
      'FL_NO_OWNER',
      `nobody owns ${address} (virtual router ${virtualRouter}) now: no speaker stands for election, or their logs say why not`,
    );
  }
  const result: Moved = { vip: address, virtualRouter, from, node, together };
  if (from === node) return result;

  const wish = (preferred: string | null) => {
    const annotations = { [leaseAnnotations.preferredOwner]: preferred, [leaseAnnotations.refused]: null };
    return kube.patch(
      leases,
      { namespace: SYSTEM_NAMESPACE, name: lease },
      { metadata: { annotations } },
      { type: 'merge' },
    );
  };
  await wish(node);
  step(`${virtualRouter}: ${from} is to hand over to ${node}`);
  let moved = false;
  try {
    await followLeases(kube, timeoutMs, (all) => {
      const seen = all.find((candidate) => routerOf(candidate) === virtualRouter);
      const refused = seen?.metadata?.annotations?.[leaseAnnotations.refused];
      if (refused?.startsWith(`${node}: `)) {
        throw new OperatorError('FL_NODE_NOT_FIT', `${node} cannot take over: ${refused.slice(node.length + 2)}`);
      }
      moved = holderOf(seen) === node;
      return moved;
    });
  } finally {
    if (!moved) await wish(null);
  }
  if (moved) return result;
  throw new OperatorError(
    'FL_NOT_IN_TIME',
    `${node} has not taken over ${address} within ${timeoutMs / 1000} s, and need not any more: is there a speaker on it?`,
  );
}

async function find(
  kube: Client,
  text: string,
): Promise<{ virtualRouter: string; lease: string; address: string; together: string[] }> {
  const address = formatAddress(parseAddress(text));
  const [all, pools] = await Promise.all([
    kube.list<ServiceLike & KubeObject>(services),
    kube.list<KubeObject>(addressPools),
  ]);
  const vips = [...new Set(all.items.flatMap((service) => vipsOf(service)).map(formatAddress))];
  if (!vips.includes(address)) {
    throw new OperatorError(
      'FL_NO_VIP',
      `no Service of Fairlead has the address ${address} (kubectl get svc -A lists them)`,
    );
  }
  const parsed = pools.items.flatMap((pool) => poolInEffect(pool) ?? []);
  const origin = findPool(parsed, parseAddress(address));
  if (origin === undefined) {
    throw new OperatorError('FL_NO_VIP', `${address} is in no AddressPool, so nobody announces it`);
  }
  const { virtualRouter, pool, n } = origin;
  const together = vips.filter(
    (vip) => vip !== address && findPool(parsed, parseAddress(vip))?.virtualRouter === virtualRouter,
  );
  return { virtualRouter, lease: leaseName(pool.name, n), address, together };
}
