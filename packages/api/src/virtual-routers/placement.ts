/**
 * The order in which nodes take over each virtual router, so that no node is best for more than its share and a quarter while others
 * have less: rendezvous hashing with bounded loads. Pure, and the same on every node.
 *
 * It goes by what does not change from one Service to the next, pools and nodes: empty virtual routers count like any others, and
 * no VIP that comes or goes changes who is best for another. A pool is placed after those that are older than it, which it does not
 * disturb. The second places are bounded likewise, for each node that may go; who is third and further is left to the hash. Nodes that are
 * excluded from load balancers take no share: they come last.
 */

import type { Labels } from '../label-selector.js';
import { compareByAge } from '../pools/find-pool.js';
import type { ParsedPool } from '../pools/parse-pool.js';
import { type NodeChoice, rankChosenNodes } from './chosen-nodes.js';
import { virtualRouterName } from './virtual-router.js';

/** What a node may have above its share, as a factor. */
const ALLOWANCE = 1.25;

export type PlacedPool = Pick<ParsedPool, 'name' | 'createdAt' | 'virtualRouters'> & NodeChoice;

interface Candidates {
  name: string;
  /** In groups of equal preference, best first. */
  groups: readonly (readonly string[])[];
  /** Behind them: nodes that do not stand. */
  last: readonly string[];
}

/** `<pool>.<n>` → its nodes, best first, for every virtual router of the pools. `excluded`: those of `nodes` that do not stand. */
export function rankVirtualRouters(
  pools: readonly PlacedPool[],
  nodes: readonly string[],
  labelsOf: (node: string) => Labels | undefined,
  excluded: ReadonlySet<string> = new Set(),
): Map<string, string[]> {
  const standing = nodes.filter((node) => !excluded.has(node));
  const others = nodes.filter((node) => excluded.has(node));
  const first = new Map<string, string>();
  const loads = new Map<string, number>();
  const all: Candidates[] = [];
  for (const pool of [...pools].sort(compareByAge)) {
    const placed = all.length;
    for (let n = 0; n < pool.virtualRouters; n++) {
      const name = virtualRouterName(pool.name, n);
      const groups = rankChosenNodes(name, pool, standing, labelsOf);
      all.push({ name, groups, last: rankChosenNodes(name, pool, others, labelsOf).flat() });
    }
    place(all.slice(placed), loads, capacity(all.length, standing.length), first);
  }
  const second = new Map<string, string>();
  for (const gone of loads.keys()) {
    const rest = new Map([...loads].filter(([node]) => node !== gone));
    const orphans = all.filter(({ name }) => first.get(name) === gone).map((router) => without(router, gone));
    place(orphans, rest, capacity(all.length, standing.length - 1), second);
  }
  return new Map(
    all.map(({ name, groups, last }) => {
      const best = [first.get(name), second.get(name)].filter((node) => node !== undefined);
      return [name, [...best, ...groups.flat().filter((node) => !best.includes(node)), ...last]];
    }),
  );
}

/** How many virtual routers one of `nodes` may be best for, when there are `routers`. */
function capacity(routers: number, nodes: number): number {
  return Math.ceil((ALLOWANCE * routers) / Math.max(1, nodes));
}

/**
 * Notes for each the first of its most preferred nodes that has room, and counts it in `loads`. Where none has (the pool has chosen
 * few nodes), the one with the least.
 */
function place(
  routers: readonly Candidates[],
  loads: Map<string, number>,
  limit: number,
  result: Map<string, string>,
): void {
  const load = (node: string) => loads.get(node) ?? 0;
  for (const { name, groups } of routers) {
    const candidates = groups[0];
    if (candidates === undefined) continue;
    const node =
      candidates.find((candidate) => load(candidate) < limit) ??
      candidates.reduce((least, candidate) => (load(candidate) < load(least) ? candidate : least));
    result.set(name, node);
    loads.set(node, load(node) + 1);
  }
}

function without({ groups, ...router }: Candidates, gone: string): Candidates {
  const rest = groups.map((group) => group.filter((node) => node !== gone)).filter((group) => group.length > 0);
  return { ...router, groups: rest };
}
