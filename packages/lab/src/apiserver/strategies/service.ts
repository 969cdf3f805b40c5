/**
 * Services: defaults, the addresses and ports that the server hands out, and the checks of the real server
 * (kubernetes/pkg/registry/core/service and pkg/apis/core/validation).
 */
import { isIP } from 'node:net';
import { type FieldError, field } from '../errors.js';
import { keyOf } from '../store.js';
import { plainStrategy, type Strategy, type Subresource } from '../strategy.js';
import { isObject, type JsonObject, type KubeObject } from '../types.js';
import type { ClusterIpAllocator, NodePortAllocator } from './allocators.js';
import { validateService, validateServiceStatus } from './service-validation.js';

export type IpFamily = 'IPv4' | 'IPv6';

export interface ServiceAllocators {
  nodePorts: NodePortAllocator;
  /** In the cluster's order of preference; one or two families. */
  clusterIps: Map<IpFamily, ClusterIpAllocator>;
}

export const familyOf = (address: string): IpFamily => (address.includes(':') ? 'IPv6' : 'IPv4');

const needsClusterIp = (spec: JsonObject): boolean => spec.type !== 'ExternalName';
const isHeadless = (spec: JsonObject): boolean => spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
const isExternal = (spec: JsonObject): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer';
const needsHealthCheckPort = (spec: JsonObject): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
const wantsNodePorts = (spec: JsonObject): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

/** Static defaults (pkg/apis/core/v1/defaults.go, SetDefaults_Service). */
function setDefaults(service: KubeObject): void {
  const spec: JsonObject = service.spec;
  spec.sessionAffinity ??= 'None';
  spec.type ??= 'ClusterIP';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= 10800;
  }
  for (const port of Array.isArray(spec.ports) ? spec.ports : []) {
    if (!isObject(port)) continue;
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
    if (port.nodePort === 0) delete port.nodePort;
  }
  if (isExternal(spec)) spec.externalTrafficPolicy ||= 'Cluster';
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of service.status?.loadBalancer?.ingress ?? []) {
    if (ingress.ip) ingress.ipMode ??= 'VIP';
  }
}

/** clusterIP and clusterIPs[0] say the same; a writer may give either (normalizeClusterIPs). */
function pairClusterIps(spec: JsonObject, previous: JsonObject | undefined): void {
  if (!previous) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  const sameSingle = spec.clusterIP === previous.clusterIP;
  const sameList = JSON.stringify(spec.clusterIPs ?? []) === JSON.stringify(previous.clusterIPs ?? []);
  if (!sameSingle && sameList) {
    if (!spec.clusterIP) delete spec.clusterIPs;
    else spec.clusterIPs = [spec.clusterIP, ...(spec.clusterIPs ?? []).slice(1)];
  }
  if (sameSingle && !sameList && spec.clusterIPs?.length) spec.clusterIP = spec.clusterIPs[0];
}

/** A writer that leaves out what the server allocated keeps it (patchAllocatedValues). */
function keepAllocated(spec: JsonObject, previous: JsonObject): void {
  if (needsClusterIp(previous) && needsClusterIp(spec)) {
    if (!spec.clusterIP && !spec.clusterIPs?.length && previous.clusterIP) {
      spec.clusterIP = previous.clusterIP;
      spec.clusterIPs = previous.clusterIPs;
    }
  }
  if (isExternal(previous) && isExternal(spec)) {
    // By name, as in the real server: whatever else of a port the writer changes, its node port stays.
    const nodePortOf = new Map((previous.ports ?? []).map((port: JsonObject) => [port.name ?? '', port.nodePort]));
    for (const port of spec.ports ?? []) {
      const known = nodePortOf.get(port.name ?? '');
      if (!port.nodePort && known) port.nodePort = known;
    }
  }
  if (needsHealthCheckPort(previous) && needsHealthCheckPort(spec))
    spec.healthCheckNodePort ??= previous.healthCheckNodePort;
  spec.ipFamilyPolicy ??= previous.ipFamilyPolicy;
  if (
    spec.ipFamilies === undefined &&
    previous.ipFamilies &&
    JSON.stringify(spec.clusterIPs) === JSON.stringify(previous.clusterIPs)
  ) {
    spec.ipFamilies = previous.ipFamilies;
  }
}

/** Drops what belongs to the old type only, where the writer did not touch it (dropTypeDependentFields). */
function dropTypeDependent(spec: JsonObject, previous: JsonObject): void {
  const same = (name: string): boolean => JSON.stringify(spec[name]) === JSON.stringify(previous[name]);
  if (needsClusterIp(previous) && !needsClusterIp(spec)) {
    for (const name of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) if (same(name)) delete spec[name];
  }
  if (isExternal(previous) && !isExternal(spec)) {
    const before = new Set((previous.ports ?? []).map((port: JsonObject) => port.nodePort));
    for (const port of spec.ports ?? []) if (before.has(port.nodePort)) delete port.nodePort;
    if (same('externalTrafficPolicy')) delete spec.externalTrafficPolicy;
  }
  if (needsHealthCheckPort(previous) && !needsHealthCheckPort(spec) && same('healthCheckNodePort'))
    delete spec.healthCheckNodePort;
  if (previous.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    for (const name of ['allocateLoadBalancerNodePorts', 'loadBalancerClass']) if (same(name)) delete spec[name];
  }
  if (previous.type !== 'ExternalName' && spec.type === 'ExternalName' && same('internalTrafficPolicy'))
    delete spec.internalTrafficPolicy;
}

/** Without a cluster address and without a selector, a Service may have any families: nothing is allocated to it. */
const isFreeOfFamilies = (spec: JsonObject): boolean =>
  isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;

/** Families and policy as the server settles them (initIPFamilyFields); what cannot be is left for validation to find. */
function settleFamilies(spec: JsonObject, previous: JsonObject | undefined, available: readonly IpFamily[]): void {
  if (!needsClusterIp(spec)) return;
  const free = isFreeOfFamilies(spec);
  spec.ipFamilyPolicy ??= free ? 'RequireDualStack' : 'SingleStack';
  const same = (name: string): boolean => JSON.stringify(spec[name]) === JSON.stringify(previous?.[name]);
  if (spec.ipFamilyPolicy === 'SingleStack' && previous) {
    // From two families to one: the writer says so by the policy alone.
    if (same('clusterIPs')) spec.clusterIPs = spec.clusterIPs?.slice(0, 1);
    if (same('ipFamilies')) spec.ipFamilies = spec.ipFamilies?.slice(0, 1);
  }
  const families: IpFamily[] = [...(spec.ipFamilies ?? [])];
  for (const address of (spec.clusterIPs ?? []).slice(families.length)) {
    if (address !== 'None' && isIP(address)) families.push(familyOf(address));
  }
  if (families.length === 0) families.push(available[0]!);
  const other: IpFamily = families[0] === 'IPv4' ? 'IPv6' : 'IPv4';
  const mayAdd = available.length === 2 || free;
  if (spec.ipFamilyPolicy !== 'SingleStack' && families.length === 1 && mayAdd) families.push(other);
  spec.ipFamilies = families;
}

export function serviceStrategy(allocators: ServiceAllocators): Strategy {
  const { nodePorts, clusterIps } = allocators;
  const families = [...clusterIps.keys()];

  /** Fills in what is still missing; what cannot be had is reported by `validate`, which finds it missing. */
  function allocate(spec: JsonObject): void {
    if (needsClusterIp(spec) && !isHeadless(spec)) {
      const addresses: string[] = [...(spec.clusterIPs ?? [])];
      (spec.ipFamilies as IpFamily[]).forEach((family, i) => {
        const address = addresses[i] || clusterIps.get(family)?.free();
        if (address) addresses[i] = address;
      });
      if (addresses.length > 0) {
        spec.clusterIPs = addresses;
        spec.clusterIP = addresses[0];
      }
    } else if (isHeadless(spec)) {
      spec.clusterIP = 'None';
      spec.clusterIPs = ['None'];
    }
    const taken = new Set<number>(portsOf(spec));
    if (wantsNodePorts(spec)) {
      for (const port of spec.ports ?? []) {
        if (port.nodePort) continue;
        // TCP and UDP on one port share the node port's number, as the real server prefers it.
        const twin = spec.ports.find(
          (other: JsonObject) => other !== port && other.port === port.port && other.nodePort,
        );
        const number = twin && twin.protocol !== port.protocol ? twin.nodePort : nodePorts.free(taken);
        if (number === undefined) continue;
        port.nodePort = number;
        taken.add(number);
      }
    }
    if (needsHealthCheckPort(spec) && !spec.healthCheckNodePort) {
      const number = nodePorts.free(taken);
      if (number !== undefined) spec.healthCheckNodePort = number;
    }
  }

  return {
    ...plainStrategy,
    nameRule: 'label1035',
    createOnUpdate: true,

    prepare(next, previous, subresource: Subresource) {
      if (!isObject(next.spec)) next.spec = {};
      if (!previous) next.status = {};
      next.status = { loadBalancer: {}, ...next.status };
      setDefaults(next);
      if (subresource !== '') return;
      const { spec } = next;
      if (previous) {
        dropTypeDependent(spec, previous.spec);
        pairClusterIps(spec, previous.spec);
        keepAllocated(spec, previous.spec);
        if (previous.spec.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') next.status = { loadBalancer: {} };
      } else {
        pairClusterIps(spec, undefined);
      }
      settleFamilies(spec, previous?.spec, families);
      if (validateService(next, previous).length === 0) allocate(spec);
    },

    validate(next, previous, subresource): FieldError[] {
      if (subresource === 'status') return validateServiceStatus(next);
      if (subresource !== '') return [];
      const errors = validateService(next, previous);
      return errors.length > 0 ? errors : validateAllocation(next, allocators);
    },

    committed(next, previous) {
      const { metadata } = (next ?? previous)!;
      const owner = keyOf(metadata.namespace, metadata.name);
      if (previous) {
        nodePorts.release(portsOf(previous.spec), owner);
        for (const address of addressesOf(previous.spec)) clusterIps.get(familyOf(address))?.release(address, owner);
      }
      if (next) {
        nodePorts.assign(portsOf(next.spec), owner);
        for (const address of addressesOf(next.spec)) clusterIps.get(familyOf(address))?.assign(address, owner);
      }
    },
  };
}

/** Node ports and health check port of a Service. */
function portsOf(spec: JsonObject): number[] {
  const ports = (spec.ports ?? []).map((port: JsonObject) => port.nodePort).filter(Boolean) as number[];
  return spec.healthCheckNodePort ? [...ports, spec.healthCheckNodePort] : ports;
}

function addressesOf(spec: JsonObject): string[] {
  return (spec.clusterIPs ?? []).filter((address: string) => address !== 'None');
}

/** Numbers that are someone else's, out of range, or not to be had. */
function validateAllocation(service: KubeObject, { nodePorts, clusterIps }: ServiceAllocators): FieldError[] {
  const { spec, metadata } = service;
  const owner = keyOf(metadata.namespace, metadata.name);
  const errors: FieldError[] = [];
  if (needsClusterIp(spec) && !isFreeOfFamilies(spec)) errors.push(...unavailableFamilies(spec, clusterIps));
  const checkPort = (path: string, port: number | undefined): void => {
    if (port === undefined) return;
    const holder = nodePorts.ownerOf(port);
    if (!nodePorts.inRange(port)) {
      errors.push(
        field.invalid(
          path,
          port,
          `provided port is not in the valid range. The range of valid ports is ${nodePorts.first}-${nodePorts.last}`,
        ),
      );
    } else if (holder !== undefined && holder !== owner) {
      errors.push(field.invalid(path, port, 'provided port is already allocated'));
    }
  };
  (spec.ports ?? []).forEach((port: JsonObject, i: number) => {
    checkPort(`spec.ports[${i}].nodePort`, port.nodePort);
    if (wantsNodePorts(spec) && !port.nodePort) {
      errors.push(field.invalid(`spec.ports[${i}].nodePort`, 0, 'failed to allocate a nodePort: range is full'));
    }
  });
  checkPort('spec.healthCheckNodePort', spec.healthCheckNodePort);
  if (needsClusterIp(spec) && !isHeadless(spec) && !spec.clusterIP) {
    errors.push(field.invalid('spec.clusterIPs', [], 'failed to allocate a serviceIP: range is full'));
  }
  for (const address of addressesOf(spec)) {
    const allocator = clusterIps.get(familyOf(address));
    const holder = allocator?.ownerOf(address);
    const fail = (why: string): void => {
      errors.push(field.invalid('spec.clusterIPs', spec.clusterIPs, `failed to allocate IP ${address}: ${why}`));
    };
    if (holder === owner) continue;
    if (!allocator?.contains(address)) {
      fail(`the provided IP (${address}) is not in the valid range. The range of valid IPs is ${allocator?.cidr}`);
    } else if (holder !== undefined) fail('provided IP is already allocated');
  }
  return errors;
}

function unavailableFamilies(spec: JsonObject, clusterIps: ServiceAllocators['clusterIps']): FieldError[] {
  const errors: FieldError[] = [];
  const { ipFamilyPolicy, ipFamilies } = spec;
  if (ipFamilyPolicy === 'RequireDualStack' && clusterIps.size < 2) {
    errors.push(
      field.invalid('spec.ipFamilyPolicy', ipFamilyPolicy, 'this cluster is not configured for dual-stack services'),
    );
  }
  if (ipFamilyPolicy === 'SingleStack' && ipFamilies.length > 1) {
    errors.push(
      field.invalid(
        'spec.ipFamilyPolicy',
        ipFamilyPolicy,
        "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
      ),
    );
  }
  (ipFamilies as IpFamily[]).forEach((family, i) => {
    if (!clusterIps.has(family))
      errors.push(field.invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  });
  return errors;
}
