/**
 * kube-proxy's ipvs mode (Kubernetes pkg/proxy/ipvs): what it wants of IPVS in the node's own namespace, of kube-ipvs0,
 * of ipset and of iptables. Pure.
 *
 * Every address that is served is a local one, on an interface that is never up, so that the kernel delivers packets to IPVS;
 * iptables only marks what has to be masqueraded, by sets whose elements change with Services, while its rules do not.
 */
import type { IpvsDestinationOptions, IpvsServiceOptions } from '@fairlead/netlink';
import { MASQUERADE_CHAINS, renderTables, type Tables } from './iptables.js';
import { MASQUERADE_MARK } from './ruleset.js';
import type { ProxyEndpoint, ProxyNode, ServicePort } from './service-ports.js';

export const DUMMY_INTERFACE = 'kube-ipvs0';
const PERSISTENT = 1; // IP_VS_SVC_F_PERSISTENT, linux/ip_vs.h

export interface VirtualServer {
  service: IpvsServiceOptions;
  destinations: IpvsDestinationOptions[];
}

/** What IPVS shall hold. */
export function virtualServers(ports: readonly ServicePort[], node: ProxyNode): VirtualServer[] {
  return ports.flatMap((port) => {
    const at = (address: string, number: number, endpoints: ProxyEndpoint[]): VirtualServer => ({
      service: {
        family: 'ipv4',
        protocol: port.protocol,
        address,
        port: number,
        scheduler: 'rr',
        flags: port.affinitySeconds === undefined ? 0 : PERSISTENT,
        persistenceTimeoutSeconds: port.affinitySeconds ?? 0,
      },
      destinations: endpoints.map((endpoint) => ({
        address: endpoint.address,
        port: endpoint.port,
        weight: 1,
        forwarding: 'masquerade',
      })),
    });
    const external = port.externalLocal ? port.localEndpoints : port.clusterEndpoints;
    return [
      at(port.clusterIp, port.port, port.internalLocal ? port.localEndpoints : port.clusterEndpoints),
      ...[...port.externalIps, ...port.loadBalancerVips].map((address) => at(address, port.port, external)),
      ...(port.nodePort === undefined ? [] : [at(node.address, port.nodePort, external)]),
    ];
  });
}

/** What kube-ipvs0 shall have: everything that is served but the node's own address. */
export function servedAddresses(ports: readonly ServicePort[]): string[] {
  return [...new Set(ports.flatMap((port) => [port.clusterIp, ...port.externalIps, ...port.loadBalancerVips]))];
}

const SET_TYPES = {
  'KUBE-LOOP-BACK': 'hash:ip,port,ip',
  'KUBE-CLUSTER-IP': 'hash:ip,port',
  'KUBE-LOAD-BALANCER': 'hash:ip,port',
  'KUBE-LOAD-BALANCER-LOCAL': 'hash:ip,port',
  'KUBE-NODE-PORT-TCP': 'bitmap:port range 0-65535',
  'KUBE-NODE-PORT-LOCAL-TCP': 'bitmap:port range 0-65535',
  'KUBE-NODE-PORT-UDP': 'bitmap:port range 0-65535',
  'KUBE-NODE-PORT-LOCAL-UDP': 'bitmap:port range 0-65535',
  'KUBE-HEALTH-CHECK-NODE-PORT': 'bitmap:port range 0-65535',
} as const;

type SetName = keyof typeof SET_TYPES;

/** Text for `ipset restore`: each set is filled aside and exchanged, so that it is never seen half. */
export function renderSets(ports: readonly ServicePort[]): string {
  const elements = new Map<SetName, Set<string>>(
    Object.keys(SET_TYPES).map((name) => [name as SetName, new Set<string>()]),
  );
  const add = (name: SetName, element: string) => elements.get(name)!.add(element);
  for (const port of ports) {
    const at = (address: string, number: number) => `${address},${port.protocol}:${number}`;
    add('KUBE-CLUSTER-IP', at(port.clusterIp, port.port));
    for (const address of [...port.externalIps, ...port.loadBalancerVips]) {
      add(port.externalLocal ? 'KUBE-LOAD-BALANCER-LOCAL' : 'KUBE-LOAD-BALANCER', at(address, port.port));
    }
    if (port.nodePort !== undefined && port.protocol !== 'sctp') {
      const kind = port.protocol === 'tcp' ? 'TCP' : 'UDP';
      add(`KUBE-NODE-PORT-${kind}`, String(port.nodePort));
      if (port.externalLocal) add(`KUBE-NODE-PORT-LOCAL-${kind}`, String(port.nodePort));
    }
    if (port.healthCheckNodePort !== undefined) add('KUBE-HEALTH-CHECK-NODE-PORT', String(port.healthCheckNodePort));
    for (const { address, port: number, local } of port.clusterEndpoints) {
      if (local) add('KUBE-LOOP-BACK', `${at(address, number)},${address}`);
    }
  }
  return [...elements]
    .flatMap(([name, list]) => [
      `create ${name} ${SET_TYPES[name]} -exist`,
      `create ${name}-NEW ${SET_TYPES[name]}`,
      ...[...list].map((element) => `add ${name}-NEW ${element} -exist`),
      `swap ${name}-NEW ${name}`,
      `destroy ${name}-NEW`,
      '',
    ])
    .join('\n');
}

const set = (name: SetName, directions: string) => `-m set --match-set ${name} ${directions}`;

/** Jumps and rules: to be loaded once, when the sets are there. */
export function ipvsRules(node: ProxyNode): string {
  const { 'KUBE-MARK-MASQ': markMasq, 'KUBE-POSTROUTING': postrouting } = MASQUERADE_CHAINS;
  const tables: Tables = {
    nat: {
      'KUBE-MARK-MASQ': markMasq!,
      'KUBE-POSTROUTING': [`${set('KUBE-LOOP-BACK', 'dst,dst,src')} -j MASQUERADE`, ...postrouting!],
      'KUBE-LOAD-BALANCER': [`${set('KUBE-LOAD-BALANCER-LOCAL', 'dst,dst')} -j RETURN`, '-j KUBE-MARK-MASQ'],
      'KUBE-NODE-PORT': (['tcp', 'udp'] as const).flatMap((protocol) => {
        const kind = protocol === 'tcp' ? 'TCP' : 'UDP';
        return [
          `-p ${protocol} ${set(`KUBE-NODE-PORT-LOCAL-${kind}`, 'dst')} -j RETURN`,
          `-p ${protocol} ${set(`KUBE-NODE-PORT-${kind}`, 'dst')} -j KUBE-MARK-MASQ`,
        ];
      }),
      'KUBE-SERVICES': [
        '-s 127.0.0.0/8 -j RETURN',
        `${set('KUBE-LOAD-BALANCER', 'dst,dst')} -j KUBE-LOAD-BALANCER`,
        `${set('KUBE-LOAD-BALANCER-LOCAL', 'dst,dst')} -j KUBE-LOAD-BALANCER`,
        `! -s ${node.clusterCidr} ${set('KUBE-CLUSTER-IP', 'dst,dst')} -j KUBE-MARK-MASQ`,
        '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
        `${set('KUBE-CLUSTER-IP', 'dst,dst')} -j ACCEPT`,
      ],
      PREROUTING: ['-j KUBE-SERVICES'],
      OUTPUT: ['-j KUBE-SERVICES'],
      POSTROUTING: ['-j KUBE-POSTROUTING'],
    },
    filter: {
      'KUBE-FORWARD': [
        `-m mark --mark ${MASQUERADE_MARK}/${MASQUERADE_MARK} -j ACCEPT`,
        '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      ],
      'KUBE-NODE-PORT': [`${set('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j ACCEPT`],
      'KUBE-IPVS-FILTER': [
        ...(['KUBE-LOAD-BALANCER', 'KUBE-LOAD-BALANCER-LOCAL', 'KUBE-CLUSTER-IP'] as const).map(
          (name) => `${set(name, 'dst,dst')} -j RETURN`,
        ),
      ],
      INPUT: ['-j KUBE-IPVS-FILTER', '-j KUBE-NODE-PORT'],
      FORWARD: ['-j KUBE-FORWARD'],
    },
  };
  return renderTables(tables, { nat: [], filter: [] }).replaceAll(
    /^:(PREROUTING|OUTPUT|POSTROUTING|INPUT|FORWARD) - .*\n/gm,
    '',
  );
}
