/** Counting connections: by the kernel of the owner, and by the answers. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Forwarder, VirtualServerStats } from '@fairlead/ipvs';

/** IPVS sums up its counters every 2 s (net/netfilter/ipvs/ip_vs_est.c), and says nothing when it has; nftables counts at once. */
const IPVS_ESTIMATION_MS = 2_000;
const POLL_MS = 200;

/** The counters, once they have not changed for longer than the kernel takes to sum them up. */
export async function settledStats(forwarder: Forwarder): Promise<VirtualServerStats[]> {
  let stats = forwarder.stats();
  if (forwarder.kind === 'nftables') return stats;
  let unchangedSince = performance.now();
  while (performance.now() - unchangedSince <= IPVS_ESTIMATION_MS + POLL_MS) {
    await sleep(POLL_MS);
    const next = forwarder.stats();
    if (!isDeepStrictEqual(next, stats)) unchangedSince = performance.now();
    stats = next;
  }
  return stats;
}

/** Connections so far by real server, `address port`. */
export function connections(servers: readonly VirtualServerStats[]): Map<string, number> {
  return new Map(
    servers.flatMap(({ realServers }) =>
      realServers.map(({ address, port, connections }) => [`${address} ${port}`, Number(connections)] as const),
    ),
  );
}

/** Adds `more` to `counts`, name by name. */
export function add(counts: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count;
}
