/**
 * What kube-proxy makes of Services and EndpointSlices before it writes a rule: one `ServicePort` for each port of each
 * Service, with the endpoints that this node may choose for it.
 *
 * The rules are those of Kubernetes' pkg/proxy (serviceport.go, topology.go): unready endpoints are left out, endpoints
 * that terminate but still serve are used only when nothing else is there, and a load-balancer address counts only
 * when its `ipMode` is `VIP` or unset.
 */
import { isIPv4 } from 'node:net';
import type { V1EndpointSlice, V1Service, V1ServicePort } from '@kubernetes/client-node';

/** The node whose kube-proxy this is. */
export interface ProxyNode {
  name: string;
  /** Primary address: the only one on which NodePorts are served (`--nodeport-addresses=primary`). */
  address: string;
  /** Addresses of all pods of the cluster (`--cluster-cidr`): traffic from elsewhere to a ClusterIP is masqueraded. */
  clusterCidr: string;
}

export interface ProxyEndpoint {
  address: string;
  port: number;
  /** Whether it runs on this node. */
  local: boolean;
}

/** One port of one Service, as this node's kube-proxy sees it. */
export interface ServicePort {
  /** `<namespace>/<name>` of the Service. */
  service: string;
  /** `<namespace>/<name>/<protocol>/<port name>`: unique, and part of every chain's name. */
  id: string;
  protocol: 'tcp' | 'udp' | 'sctp';
  clusterIp: string;
  port: number;
  nodePort: number | undefined;
  externalIps: string[];
  /** Load-balancer addresses that kube-proxy takes over: `ipMode` VIP or unset. */
  loadBalancerVips: string[];
  /** CIDRs that may reach `loadBalancerVips`; empty: everyone. */
  sourceRanges: string[];
  /** Session affinity by client address: how long it lasts; undefined when there is none. */
  affinitySeconds: number | undefined;
  internalLocal: boolean;
  externalLocal: boolean;
  healthCheckNodePort: number | undefined;
  /** Usable endpoints on any node. */
  clusterEndpoints: ProxyEndpoint[];
  /** Usable endpoints on this node. */
  localEndpoints: ProxyEndpoint[];
  /** Ready endpoints on this node: what the health check node port reports. */
  localReady: number;
}

interface Candidate extends ProxyEndpoint {
  ready: boolean;
  servingTerminating: boolean;
}

const DEFAULT_AFFINITY_SECONDS = 10_800; // core/v1 DefaultClientIPServiceAffinitySeconds: 3 hours

/** Every ServicePort of the IPv4 Services, sorted by id. */
export function servicePorts(
  services: readonly V1Service[],
  slices: readonly V1EndpointSlice[],
  node: ProxyNode,
): ServicePort[] {
  const slicesOf = new Map<string, V1EndpointSlice[]>();
  for (const slice of slices) {
    const service = slice.metadata?.labels?.['kubernetes.io/service-name'];
    if (slice.addressType !== 'IPv4' || service === undefined) continue;
    const key = `${slice.metadata?.namespace}/${service}`;
    slicesOf.set(key, [...(slicesOf.get(key) ?? []), slice]);
  }
  return services
    .filter((service) => isIPv4(service.spec?.clusterIP ?? '') && service.spec?.type !== 'ExternalName')
    .flatMap((service) => {
      const name = `${service.metadata?.namespace}/${service.metadata?.name}`;
      return (service.spec?.ports ?? []).map((port) => servicePort(service, port, slicesOf.get(name) ?? [], node));
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function servicePort(service: V1Service, port: V1ServicePort, slices: V1EndpointSlice[], node: ProxyNode): ServicePort {
  const spec = service.spec!;
  const name = `${service.metadata?.namespace}/${service.metadata?.name}`;
  const protocol = (port.protocol ?? 'TCP').toLowerCase() as ServicePort['protocol'];
  const all = candidates(slices, port, node.name);
  const local = all.filter((endpoint) => endpoint.local);
  const ranges = spec.loadBalancerSourceRanges ?? [];
  return {
    service: name,
    id: `${name}/${protocol}/${port.name ?? ''}`,
    protocol,
    clusterIp: spec.clusterIP!,
    port: port.port,
    nodePort: port.nodePort || undefined,
    externalIps: (spec.externalIPs ?? []).filter(isIPv4),
    loadBalancerVips: spec.type === 'LoadBalancer' ? vipModeAddresses(service) : [],
    sourceRanges: ranges.some((range) => range.endsWith('/0')) ? [] : ranges.filter(isIpv4Cidr),
    affinitySeconds:
      spec.sessionAffinity === 'ClientIP'
        ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS)
        : undefined,
    internalLocal: spec.internalTrafficPolicy === 'Local',
    externalLocal: spec.externalTrafficPolicy === 'Local',
    healthCheckNodePort:
      spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
        ? spec.healthCheckNodePort || undefined
        : undefined,
    clusterEndpoints: usable(all),
    localEndpoints: usable(local),
    localReady: local.filter((endpoint) => endpoint.ready).length,
  };
}

function vipModeAddresses(service: V1Service): string[] {
  return (service.status?.loadBalancer?.ingress ?? [])
    .filter((ingress) => (ingress.ipMode ?? 'VIP') === 'VIP' && isIPv4(ingress.ip ?? ''))
    .map((ingress) => ingress.ip!);
}

function isIpv4Cidr(range: string): boolean {
  const [address = '', bits = ''] = range.split('/');
  return isIPv4(address) && /^([0-9]|[12][0-9]|3[0-2])$/.test(bits);
}

/** The endpoints of one port, once each: the same address may stand in two slices for a moment. */
function candidates(slices: V1EndpointSlice[], port: V1ServicePort, nodeName: string): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    const target = slice.ports?.find(
      (p) => (p.name ?? '') === (port.name ?? '') && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (target?.port === undefined) continue;
    for (const { addresses, conditions, nodeName: on } of slice.endpoints ?? []) {
      const address = addresses[0];
      if (address === undefined || !isIPv4(address)) continue;
      // An unset `ready` means true and an unset `serving` means the same as `ready` (discovery/v1 EndpointConditions).
      const ready = conditions?.ready ?? true;
      const serving = conditions?.serving ?? ready;
      found.set(`${address}:${target.port}`, {
        address,
        port: target.port,
        local: on === nodeName,
        ready,
        servingTerminating: serving && (conditions?.terminating ?? false),
      });
    }
  }
  return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** Ready endpoints; when there is none, those that terminate but still serve. */
function usable(all: Candidate[]): ProxyEndpoint[] {
  const ready = all.filter((endpoint) => endpoint.ready);
  const chosen = ready.length > 0 ? ready : all.filter((endpoint) => endpoint.servingTerminating);
  return chosen.map(({ address, port, local }) => ({ address, port, local }));
}
