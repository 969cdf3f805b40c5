/**
 * kube-proxy's iptables mode, rule for rule (Kubernetes pkg/proxy/iptables): text for `iptables-restore --noflush`. Pure.
 *
 *   nat    KUBE-SERVICES ─┬─ ClusterIP:port ────────▶ KUBE-SVC-… ─┐ random endpoint
 *                         ├─ VIP:port ─ KUBE-FW-… ─▶ KUBE-EXT-… ─┤ (or the client's own one,
 *                         └─ KUBE-NODEPORTS ────────▶ KUBE-EXT-… ─┘  with affinity) ─▶ KUBE-SEP-… DNAT
 *          KUBE-POSTROUTING: masquerade what KUBE-MARK-MASQ marked
 *   filter KUBE-FORWARD: invalid packets are dropped, marked and known ones accepted, whatever the policy of FORWARD;
 *          KUBE-SERVICES, KUBE-EXTERNAL-SERVICES: refuse what has no endpoints; KUBE-PROXY-FIREWALL: source ranges
 *
 * Left out: comments, and nfacct counters.
 */
import { createHash } from 'node:crypto';
import { MASQUERADE_MARK } from './ruleset.js';
import type { ProxyEndpoint, ProxyNode, ServicePort } from './service-ports.js';

const MARK = `${MASQUERADE_MARK}/${MASQUERADE_MARK}`;

/** Marking and masquerading: the same in ipvs mode. */
export const MASQUERADE_CHAINS: Chains = {
  'KUBE-MARK-MASQ': [`-j MARK --or-mark ${MASQUERADE_MARK}`],
  'KUBE-POSTROUTING': [
    `-m mark ! --mark ${MARK} -j RETURN`,
    `-j MARK --xor-mark ${MASQUERADE_MARK}`,
    '-j MASQUERADE --random-fully',
  ],
};

/** Jumps from the built-in chains: to be loaded once, into a kernel without rules. */
export const IPTABLES_JUMPS = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
COMMIT
*filter
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
-A INPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A INPUT -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A FORWARD -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
COMMIT
`;

/** Chain → its rules, as after `-A <chain> `. */
export type Chains = Record<string, string[]>;

export interface Tables {
  nat: Chains;
  filter: Chains;
}

export function buildTables(ports: readonly ServicePort[], node: ProxyNode): Tables {
  const tables: Tables = {
    nat: { ...MASQUERADE_CHAINS, 'KUBE-SERVICES': [], 'KUBE-NODEPORTS': [] },
    filter: {
      'KUBE-SERVICES': [],
      'KUBE-EXTERNAL-SERVICES': [],
      'KUBE-NODEPORTS': [],
      'KUBE-PROXY-FIREWALL': [],
      'KUBE-FORWARD': [
        '-m conntrack --ctstate INVALID -j DROP',
        `-m mark --mark ${MARK} -j ACCEPT`,
        '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      ],
    },
  };
  for (const port of ports) addServicePort(tables, port, node);
  // kube-proxy notes that this must be the last rule of the chain.
  tables.nat['KUBE-SERVICES']!.push(`-d ${node.address}/32 -j KUBE-NODEPORTS`);
  return tables;
}

/** The transaction that makes these chains hold these rules; `gone`: chains of an earlier one, to be deleted. */
export function renderTables(tables: Tables, gone: Record<keyof Tables, readonly string[]>): string {
  return (['nat', 'filter'] as const)
    .map((table) => {
      const chains = Object.entries(tables[table]);
      return [
        `*${table}`,
        ...[...chains.map(([name]) => name), ...gone[table]].map((name) => `:${name} - [0:0]`),
        ...chains.flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`)),
        ...gone[table].map((name) => `-X ${name}`),
        'COMMIT\n',
      ].join('\n');
    })
    .join('');
}

function addServicePort({ nat, filter }: Tables, port: ServicePort, node: ProxyNode): void {
  const chain = (kind: string) => `KUBE-${kind}-${hash(port.id)}`;
  const [cluster, local, external, firewall] = [chain('SVC'), chain('SVL'), chain('EXT'), chain('FW')];
  const hasEndpoints = port.clusterEndpoints.length > 0;
  const hasLocal = port.localEndpoints.length > 0;
  const hasInternal = hasEndpoints && (!port.internalLocal || hasLocal);
  const hasExternal = hasEndpoints && (!port.externalLocal || hasLocal);
  // Nothing anywhere is refused at once; a policy of Local without a local endpoint drops, so that clients go elsewhere.
  const unavailable = hasEndpoints ? '-j DROP' : '-j REJECT';
  const to = (dport: number, address?: string) =>
    `${address === undefined ? '' : `-d ${address}/32 `}-p ${port.protocol} -m ${port.protocol} --dport ${dport}`;

  const at = to(port.port, port.clusterIp);
  if (hasInternal) nat['KUBE-SERVICES']!.push(`${at} -j ${port.internalLocal ? local : cluster}`);
  else filter['KUBE-SERVICES']!.push(`${at} ${unavailable}`);

  const isLimited = port.sourceRanges.length > 0 && port.loadBalancerVips.length > 0;
  for (const address of [...port.externalIps, ...port.loadBalancerVips]) {
    const limited = isLimited && port.loadBalancerVips.includes(address);
    if (hasEndpoints) nat['KUBE-SERVICES']!.push(`${to(port.port, address)} -j ${limited ? firewall : external}`);
    if (!hasExternal) filter['KUBE-EXTERNAL-SERVICES']!.push(`${to(port.port, address)} ${unavailable}`);
    // What the chain of the source ranges did not translate still has the VIP for its destination.
    if (limited) filter['KUBE-PROXY-FIREWALL']!.push(`${to(port.port, address)} -j DROP`);
  }
  if (port.nodePort !== undefined) {
    if (hasEndpoints) nat['KUBE-NODEPORTS']!.push(`${to(port.nodePort)} -j ${external}`);
    if (!hasExternal) {
      filter['KUBE-EXTERNAL-SERVICES']!.push(`-m addrtype --dst-type LOCAL ${to(port.nodePort)} ${unavailable}`);
    }
  }
  if (port.healthCheckNodePort !== undefined) {
    filter['KUBE-NODEPORTS']!.push(`-p tcp -m tcp --dport ${port.healthCheckNodePort} -j ACCEPT`);
  }
  if (!hasEndpoints) return;

  // Off-cluster traffic to a ClusterIP may leave again by another node: its answer must come back through this one.
  const masqueradeOffCluster = `${at} ! -s ${node.clusterCidr} -j KUBE-MARK-MASQ`;
  const hasExternals = port.externalIps.length + port.loadBalancerVips.length > 0 || port.nodePort !== undefined;
  if (!port.internalLocal || hasExternals) {
    const head = port.internalLocal ? [] : [masqueradeOffCluster];
    nat[cluster] = [...head, ...chooseEndpoint(port, port.clusterEndpoints)];
  }
  if (hasLocal && (port.internalLocal || port.externalLocal)) {
    const head = port.internalLocal ? [masqueradeOffCluster] : [];
    nat[local] = [...head, ...chooseEndpoint(port, port.localEndpoints)];
  }
  if (hasExternals) nat[external] = externalRules(port, node, { cluster, local, hasExternal });
  if (isLimited) nat[firewall] = port.sourceRanges.map((range) => `-s ${range} -j ${external}`);
  for (const endpoint of [...port.clusterEndpoints, ...port.localEndpoints]) {
    const recent = port.affinitySeconds === undefined ? '' : `-m recent --name ${endpointChain(port, endpoint)} --set `;
    nat[endpointChain(port, endpoint)] = [
      `-s ${endpoint.address}/32 -j KUBE-MARK-MASQ`, // a pod that reaches itself
      `-p ${port.protocol} ${recent}-m ${port.protocol} -j DNAT --to-destination ${endpoint.address}:${endpoint.port}`,
    ];
  }
}

function externalRules(
  port: ServicePort,
  node: ProxyNode,
  { cluster, local, hasExternal }: { cluster: string; local: string; hasExternal: boolean },
): string[] {
  if (!port.externalLocal) return ['-j KUBE-MARK-MASQ', `-j ${cluster}`];
  // Pods and the node itself are not bound by the policy, as if they had gone out to a load balancer.
  const rules = [
    `-s ${node.clusterCidr} -j ${cluster}`,
    '-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
    `-m addrtype --src-type LOCAL -j ${cluster}`,
  ];
  return hasExternal ? [...rules, `-j ${local}`] : rules;
}

function chooseEndpoint(port: ServicePort, endpoints: ProxyEndpoint[]): string[] {
  const sticky = endpoints.map((endpoint) => {
    const chain = endpointChain(port, endpoint);
    return `-m recent --name ${chain} --rcheck --seconds ${port.affinitySeconds} --reap -j ${chain}`;
  });
  const choices = endpoints.map((endpoint, index) => {
    const left = endpoints.length - index;
    const chance = left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `;
    return `${chance}-j ${endpointChain(port, endpoint)}`;
  });
  return [...(port.affinitySeconds === undefined ? [] : sticky), ...choices];
}

function endpointChain(port: ServicePort, endpoint: ProxyEndpoint): string {
  return `KUBE-SEP-${hash(`${port.id} ${endpoint.address}:${endpoint.port}`)}`;
}

/** 16 letters and digits, as kube-proxy makes them: what iptables leaves of the 28 that a chain's name may have. */
function hash(text: string): string {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'; // base32, RFC 4648
  const digest = createHash('sha256').update(text).digest();
  return Array.from({ length: 16 }, (_, index) => ALPHABET[digest[index]! & 31]).join('');
}
