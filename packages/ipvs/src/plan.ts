/**
 * From what the cluster says to what this node's director should do: which VIPs exist, and where each of their ports
 * is forwarded. Pure, and the same on every node, so that all directors agree before any of them owns a VIP.
 *
 * A real server is NodeIP:NodePort of every node that is Ready, not excluded and probed healthy, this node included:
 * the director has a network namespace of its own, so its packets to the node's own NodePort enter the host like
 * anyone's and pass kube-proxy's PREROUTING.
 */

import type { DesiredState } from './forwarder.js';
import { familyOf, type Protocol, type VirtualServer, virtualServerName } from './forwarder.js';
import { canonicalAddress, sortAddresses, sortByKeys } from './order.js';

export interface ServicePortInput {
  port: number;
  /** undefined or 0: the Service has no NodePort for it (`allocateLoadBalancerNodePorts: false`). */
  nodePort?: number;
  protocol: Protocol;
}

export interface ServiceInput {
  /** `namespace/name` */
  name: string;
  vips: string[];
  ports: ServicePortInput[];
}

export interface NodeInput {
  name: string;
  /** In the Node's order: the first of a family is that family's primary one, where kube-proxy serves NodePorts. */
  internalIPs: string[];
  /** Condition Ready is True. */
  ready: boolean;
  /** Label `node.kubernetes.io/exclude-from-external-load-balancers`, or being deleted. */
  excluded: boolean;
}

export interface PlanInput {
  services: Iterable<ServiceInput>;
  nodes: Iterable<NodeInput>;
  /** What the probes of this speaker say. */
  health: (node: string) => boolean;
  /** For every virtual server; default `rr`. */
  scheduler?: string;
}

/** Something in the input that cannot be forwarded. The rest is planned all the same. */
export interface PlanProblem {
  service: string;
  code: 'FL_NO_NODE_PORT' | 'FL_PORT_CONFLICT';
  /** What is wrong, and what to do. */
  message: string;
}

export interface Plan extends DesiredState {
  /** Not one candidate node is usable, so all are kept: see `usableNodes`. */
  panic: boolean;
  problems: PlanProblem[];
}

export function plan(input: PlanInput): Plan {
  const { nodes, panic } = usableNodes(input.nodes, input.health);
  const addresses = { ipv4: primaryAddresses(nodes, 'ipv4'), ipv6: primaryAddresses(nodes, 'ipv6') };
  const scheduler = input.scheduler ?? 'rr';
  const vips = new Set<string>();
  const planned = new Map<string, { owner: string; server: VirtualServer }>();
  const problems: PlanProblem[] = [];

  // By name, so that the winner of a conflict does not depend on the order in which a watch delivered the Services.
  for (const service of [...input.services].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    for (const vip of service.vips.map(canonicalAddress)) {
      vips.add(vip);
      for (const { port, nodePort, protocol } of service.ports) {
        if (!nodePort) {
          problems.push(noNodePort(service.name, port, protocol));
          continue;
        }
        const key = { address: vip, port, protocol };
        const other = planned.get(virtualServerName(key));
        if (other) {
          problems.push(conflict(service.name, other.owner, virtualServerName(key)));
          continue;
        }
        const realServers = addresses[familyOf(vip)].map((address) => ({ address, port: nodePort, weight: 1 }));
        planned.set(virtualServerName(key), { owner: service.name, server: { ...key, scheduler, realServers } });
      }
    }
  }
  return {
    vips: sortAddresses(vips),
    virtualServers: sortByKeys([...planned.values()].map(({ server }) => server)),
    panic,
    problems,
  };
}

/**
 * The nodes to forward to. When every candidate looks unusable at once, the cause is more likely the observer (its own
 * link, the API server, a bad rollout of the probed endpoint) than all nodes: then all of them are kept, because
 * refusing every connection cannot be better than trying. Excluded nodes are somebody's explicit wish: never kept.
 */
function usableNodes(
  nodes: Iterable<NodeInput>,
  health: (node: string) => boolean,
): { nodes: NodeInput[]; panic: boolean } {
  const candidates = [...nodes].filter((node) => !node.excluded);
  const usable = candidates.filter((node) => node.ready && health(node.name));
  const panic = usable.length === 0 && candidates.length > 0;
  return { nodes: panic ? candidates : usable, panic };
}

/** Ascending, and a set: two Node objects with one address (a node that was renamed) are one real server. */
function primaryAddresses(nodes: readonly NodeInput[], family: 'ipv4' | 'ipv6'): string[] {
  const primaries = nodes
    .map((node) => node.internalIPs.find((address) => familyOf(address) === family))
    .filter((address) => address !== undefined)
    .map(canonicalAddress);
  return sortAddresses(primaries);
}

function noNodePort(service: string, port: number, protocol: Protocol): PlanProblem {
  return {
    service,
    code: 'FL_NO_NODE_PORT',
    message:
      `Service ${service} has no NodePort for ${protocol} port ${port}, and NodePorts are what VIPs are forwarded to: ` +
      'set spec.allocateLoadBalancerNodePorts to true',
  };
}

function conflict(service: string, owner: string, name: string): PlanProblem {
  return {
    service,
    code: 'FL_PORT_CONFLICT',
    message: `Service ${service} wants ${name}, which Service ${owner} has already: change the port of one of them, or give it an address of its own`,
  };
}
