/** From a VIP to the pool and the virtual router that it belongs to. */

import type { IpAddress } from '../addresses/address.js';
import { contains } from '../addresses/range.js';
import { virtualRouterName, virtualRouterOf } from '../virtual-routers/virtual-router.js';
import type { ParsedPool } from './parse-pool.js';

export interface VipOrigin {
  pool: ParsedPool;
  /** Index of the virtual router within the pool. */
  n: number;
  /** `<pool>.<n>` */
  virtualRouter: string;
}

/**
 * The pool that has the VIP, or undefined. Where two pools have it (the controller accepts only one of them, but a
 * speaker may look before the controller has) the older one counts, then the one first by name: all speakers agree.
 */
export function findPool(pools: Iterable<ParsedPool>, vip: IpAddress): VipOrigin | undefined {
  let found: ParsedPool | undefined;
  for (const pool of pools) {
    if (pool.ranges.some((range) => contains(range, vip)) && (!found || compareByAge(pool, found) < 0)) found = pool;
  }
  if (!found) return undefined;
  const n = virtualRouterOf(vip, found.virtualRouters);
  return { pool: found, n, virtualRouter: virtualRouterName(found.name, n) };
}

/** Oldest first, then by name. RFC 3339 times in UTC compare as text. */
export function compareByAge(
  a: Pick<ParsedPool, 'name' | 'createdAt'>,
  b: Pick<ParsedPool, 'name' | 'createdAt'>,
): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
