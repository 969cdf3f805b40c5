/**
 * Where one port of a Service is forwarded to, in canonical order. Three ways:
 *
 * - `nodes`: NodeIP:NodePort of every usable node. Whether the Service has endpoints does not matter: kube-proxy knows, and refuses
 *   connections when there are none.
 * - `local`: the same, of nodes that have endpoints, weighted by how many.
 * - `pods`: the endpoints themselves, on nodes that answer or on none that is known.
 *
 * Endpoints that are terminating but still serve are used only when there is nothing else.
 */
import type { RealServer } from '../forwarder.js';
import { sortRealServers } from '../order.js';
import type { Endpoints } from './endpoint-table.js';
import type { ServicePortInput } from './input.js';
import type { Family, NodeAddress, NodeTable } from './node-table.js';
import type { Mode } from './settings.js';

export interface Surroundings {
  nodes: NodeTable;
  /** Of one Service. */
  endpoints: (family: Family, port: ServicePortInput) => Endpoints;
}

/** undefined: the port has no NodePort, and would need one. */
export function realServersOf(
  mode: Mode,
  family: Family,
  port: ServicePortInput,
  { nodes, endpoints }: Surroundings,
): RealServer[] | undefined {
  if (mode === 'pods') return pods(endpoints(family, port), nodes);
  const { nodePort } = port;
  if (!nodePort) return undefined;
  if (mode === 'local') return local(endpoints(family, port), nodes.view().usable[family], nodePort);
  return nodes.view().addresses[family].map((address) => ({ address, port: nodePort, weight: 1 }));
}

function local(endpoints: Endpoints, usable: readonly NodeAddress[], port: number): RealServer[] {
  const ready = new Map<string, number>();
  const terminating = new Map<string, number>();
  for (const there of endpoints.values()) {
    for (const endpoint of there.values()) {
      if (endpoint.node === undefined) continue;
      const counts = endpoint.terminating ? terminating : ready;
      counts.set(endpoint.node, (counts.get(endpoint.node) ?? 0) + 1);
    }
  }
  const found = weighted(usable, ready, port);
  return found.length > 0 ? found : weighted(usable, terminating, port);
}

function weighted(usable: readonly NodeAddress[], counts: ReadonlyMap<string, number>, port: number): RealServer[] {
  const found: RealServer[] = [];
  if (counts.size === 0) return found;
  for (const { node, address } of usable) {
    const weight = counts.get(node);
    if (weight === undefined) continue;
    const last = found.at(-1);
    if (last?.address === address) last.weight += weight;
    else found.push({ address, port, weight });
  }
  return found;
}

function pods(endpoints: Endpoints, nodes: NodeTable): RealServer[] {
  const ready: RealServer[] = [];
  const terminating: RealServer[] = [];
  for (const [port, there] of endpoints) {
    for (const { address, node, terminating: isTerminating } of there.values()) {
      if (nodes.isUp(node)) (isTerminating ? terminating : ready).push({ address, port, weight: 1 });
    }
  }
  return sortRealServers(ready.length > 0 ? ready : terminating);
}
