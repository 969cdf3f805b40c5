/**
 * kube-proxy's nftables mode, rule for rule (Kubernetes pkg/proxy/nftables): what a load-balancer provider finds on
 * every node of a real cluster, so that what would not work there does not work here either.
 *
 *   packet ─▶ firewall-check ─▶ services ─┬─ ClusterIP:port          ─▶ service-…  ─┐ random endpoint
 *             (VIP and source   (DNAT)    ├─ VIP:port, externalIP     ─▶ external-… ─┤ (or the client's own one,
 *              ranges)                    └─ node's address:nodePort ─▶ external-… ─┘  with affinity) ─▶ endpoint-… DNAT
 *
 * What differs from kube-proxy: the whole table is written at each change instead of the difference, `ct state
 * invalid drop` stands in the forward chain (kube-proxy has it in iptables mode), and stale UDP conntrack entries are
 * not flushed.
 */
import { BlockList } from 'node:net';
import type { ProxyEndpoint, ProxyNode, ServicePort } from './service-ports.js';

export const TABLE = 'kube-proxy';
/** The bit that kube-proxy sets on what must be masqueraded (`--iptables-masquerade-bit=14`). */
export const MASQUERADE_MARK = '0x4000';

/** Verdict maps that are rebuilt at each change, with their nft type. */
export const MAPS = {
  'service-ips': 'ipv4_addr . inet_proto . inet_service : verdict',
  'service-nodeports': 'inet_proto . inet_service : verdict',
  'no-endpoint-services': 'ipv4_addr . inet_proto . inet_service : verdict',
  'no-endpoint-nodeports': 'inet_proto . inet_service : verdict',
  'firewall-ips': 'ipv4_addr . inet_proto . inet_service : verdict',
} as const;
export const ADDRESS_SETS = ['cluster-ips', 'nodeport-ips'] as const;

/** A whole kube-proxy table, before it becomes text. */
export interface Ruleset {
  /** Elements of each verdict map: key → verdict. */
  maps: Record<keyof typeof MAPS, Map<string, string>>;
  sets: Record<(typeof ADDRESS_SETS)[number], Set<string>>;
  /** Affinity set → how long an entry lasts, in seconds. */
  affinitySets: Map<string, number>;
  /** Rules of each chain that belongs to a Service. */
  chains: Map<string, string[]>;
}

/** The table for these ports on this node. */
export function buildRuleset(ports: readonly ServicePort[], node: ProxyNode): Ruleset {
  const ruleset: Ruleset = {
    maps: {
      'service-ips': new Map(),
      'service-nodeports': new Map(),
      'no-endpoint-services': new Map(),
      'no-endpoint-nodeports': new Map(),
      'firewall-ips': new Map(),
    },
    sets: { 'cluster-ips': new Set(), 'nodeport-ips': new Set([node.address]) },
    affinitySets: new Map(),
    chains: new Map(),
  };
  for (const port of ports) addServicePort(ruleset, port, node);
  return ruleset;
}

function addServicePort(ruleset: Ruleset, port: ServicePort, node: ProxyNode): void {
  const { maps, chains } = ruleset;
  const clusterChain = `service-${port.id}`;
  const localChain = `local-${port.id}`;
  const externalChain = `external-${port.id}`;
  const hasEndpoints = port.clusterEndpoints.length > 0;
  const hasLocal = port.localEndpoints.length > 0;
  const hasInternal = hasEndpoints && (!port.internalLocal || hasLocal);
  const hasExternal = hasEndpoints && (!port.externalLocal || hasLocal);
  // Nothing anywhere is refused at once; a policy of Local without a local endpoint drops, so that clients go elsewhere.
  const unavailable = hasEndpoints ? 'drop' : 'goto reject-chain';
  const at = (address: string) => `${address} . ${port.protocol} . ${port.port}`;

  ruleset.sets['cluster-ips'].add(port.clusterIp);
  if (hasInternal)
    maps['service-ips'].set(at(port.clusterIp), `goto ${port.internalLocal ? localChain : clusterChain}`);
  else maps['no-endpoint-services'].set(at(port.clusterIp), unavailable);

  for (const address of [...port.externalIps, ...port.loadBalancerVips]) {
    if (hasEndpoints) maps['service-ips'].set(at(address), `goto ${externalChain}`);
    if (!hasExternal) maps['no-endpoint-services'].set(at(address), unavailable);
  }
  if (port.nodePort !== undefined) {
    const key = `${port.protocol} . ${port.nodePort}`;
    if (hasEndpoints) maps['service-nodeports'].set(key, `goto ${externalChain}`);
    if (!hasExternal) maps['no-endpoint-nodeports'].set(key, unavailable);
  }
  if (port.sourceRanges.length > 0 && port.loadBalancerVips.length > 0) {
    const firewallChain = `firewall-${port.id}`;
    // The node's own connections to a VIP that is local to it (bound by the provider) come from the VIP itself.
    const own = port.sourceRanges.some((range) => inCidr(node.address, range)) ? port.loadBalancerVips : [];
    chains.set(firewallChain, [`ip saddr != { ${[...port.sourceRanges, ...own].join(', ')} } drop`]);
    for (const vip of port.loadBalancerVips) maps['firewall-ips'].set(at(vip), `goto ${firewallChain}`);
  }

  if (!hasEndpoints) return;
  const external = port.externalIps.length + port.loadBalancerVips.length > 0 || port.nodePort !== undefined;
  const usesCluster = !port.internalLocal || external;
  const usesLocal = hasLocal && (port.internalLocal || (port.externalLocal && external));
  // Off-cluster traffic to a ClusterIP may leave again by another node: its answer must come back through this one.
  const masqueradeOffCluster = `ip daddr ${port.clusterIp} ${port.protocol} dport ${port.port} ip saddr != ${node.clusterCidr} jump mark-for-masquerade`;
  if (usesCluster) {
    const head = port.internalLocal ? [] : [masqueradeOffCluster];
    chains.set(clusterChain, [...head, ...chooseEndpoint(port, port.clusterEndpoints)]);
  }
  if (usesLocal) {
    const head = port.internalLocal ? [masqueradeOffCluster] : [];
    chains.set(localChain, [...head, ...chooseEndpoint(port, port.localEndpoints)]);
  }
  if (external) {
    chains.set(externalChain, externalRules(port, node, { clusterChain, localChain, hasExternal }));
  }
  const reachable = new Map<string, ProxyEndpoint>();
  for (const endpoint of usesCluster ? port.clusterEndpoints : [])
    reachable.set(endpointChain(port, endpoint), endpoint);
  for (const endpoint of usesLocal ? port.localEndpoints : []) reachable.set(endpointChain(port, endpoint), endpoint);
  for (const [chain, endpoint] of reachable) {
    const rules = [`ip saddr ${endpoint.address} jump mark-for-masquerade`]; // a pod that reaches itself
    if (port.affinitySeconds !== undefined) {
      ruleset.affinitySets.set(affinitySet(port, endpoint), port.affinitySeconds);
      rules.push(`update @${affinitySet(port, endpoint)} { ip saddr }`);
    }
    chains.set(chain, [...rules, `meta l4proto ${port.protocol} dnat to ${endpoint.address}:${endpoint.port}`]);
  }
}

function externalRules(
  port: ServicePort,
  node: ProxyNode,
  { clusterChain, localChain, hasExternal }: { clusterChain: string; localChain: string; hasExternal: boolean },
): string[] {
  // With the policy Cluster the endpoint may be on another node, so the answer must come back this way: masquerade.
  if (!port.externalLocal) return ['jump mark-for-masquerade', `goto ${clusterChain}`];
  // With Local, pods and the node itself are not bound by the policy, as if they had gone out to a load balancer.
  const rules = [
    `ip saddr ${node.clusterCidr} goto ${clusterChain}`,
    'fib saddr type local jump mark-for-masquerade',
    `fib saddr type local goto ${clusterChain}`,
  ];
  return hasExternal ? [...rules, `goto ${localChain}`] : rules;
}

function chooseEndpoint(port: ServicePort, endpoints: ProxyEndpoint[]): string[] {
  const sticky =
    port.affinitySeconds === undefined
      ? []
      : endpoints.map((endpoint) => `ip saddr @${affinitySet(port, endpoint)} goto ${endpointChain(port, endpoint)}`);
  const choices = endpoints.map((endpoint, index) => `${index} : goto ${endpointChain(port, endpoint)}`);
  return [...sticky, `numgen random mod ${endpoints.length} vmap { ${choices.join(', ')} }`];
}

function inCidr(address: string, cidr: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  const list = new BlockList();
  list.addSubnet(network, Number(bits));
  return list.check(address);
}

function endpointChain(port: ServicePort, endpoint: ProxyEndpoint): string {
  return `endpoint-${port.id}__${endpoint.address}/${endpoint.port}`;
}

/** The timeout is part of the name, since kernels before 6.5 do not change the timeout of a set that exists. */
function affinitySet(port: ServicePort, endpoint: ProxyEndpoint): string {
  return `affinity-${port.id}__${endpoint.address}/${endpoint.port}/${port.affinitySeconds}`;
}
