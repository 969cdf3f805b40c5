/** From Kubernetes objects to the planner's input. Pure; reads only what it names, so that any client's types fit. */
import {
  annotations,
  formatAddress,
  isAddress,
  nodeAnnotations,
  nodeLabels,
  type ServiceLike,
  unknownAnnotations,
  vipsOf,
} from '@fairlead/api';
import { familyOf, type Protocol } from './forwarder.js';
import { canonicalAddress } from './order.js';
import type {
  EndpointInput,
  EndpointPortInput,
  EndpointsInput,
  NodeInput,
  ServiceInput,
  ServicePortInput,
} from './plan/input.js';

/** The part of a core/v1 Service that is read here (a V1Service fits). */
export interface ServiceObject extends ServiceLike {
  metadata?: { namespace?: string; name?: string; annotations?: Record<string, string> };
  spec?: ServiceLike['spec'] & {
    ports?: { name?: string; port: number; nodePort?: number; protocol?: string }[];
    externalTrafficPolicy?: string;
    healthCheckNodePort?: number;
    allocateLoadBalancerNodePorts?: boolean;
    sessionAffinity?: string;
    sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } };
    loadBalancerSourceRanges?: string[];
  };
}

/** The part of a discovery.k8s.io/v1 EndpointSlice that is read here (a V1EndpointSlice fits). */
export interface EndpointSliceObject {
  metadata?: { namespace?: string; name?: string; labels?: Record<string, string> };
  addressType?: string;
  ports?: { name?: string; port?: number; protocol?: string }[];
  endpoints?: {
    addresses: string[];
    nodeName?: string;
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  }[];
}

/** The part of a core/v1 Node that is read here (a V1Node fits). */
export interface NodeObject {
  metadata?: {
    name?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    deletionTimestamp?: unknown;
  };
  status?: {
    addresses?: { type: string; address: string }[];
    conditions?: { type: string; status: string }[];
  };
}

/** Says which Service an EndpointSlice is of. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** Counts where `spec.loadBalancerSourceRanges` is empty, as for every cloud provider. */
export const SOURCE_RANGES_ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** What `sessionAffinity: ClientIP` means without a timeout, seconds: the API server's own default. */
const AFFINITY_SECONDS = 10_800;

/** undefined when the Service has no VIP of ours (see `vipsOf`). `only` leaves out VIPs, e.g. those of no known pool. */
export function serviceInput(
  service: ServiceObject,
  only: (vip: string) => boolean = () => true,
): ServiceInput | undefined {
  const vips = trimmed(vipsOf(service).map(formatAddress).filter(only));
  if (vips.length === 0) return undefined;
  const { spec = {}, metadata = {} } = service;
  const forwarding = metadata.annotations?.[annotations.forwarding];
  const scheduler = metadata.annotations?.[annotations.scheduler];
  const sourceRanges = sourceRangesOf(service);
  const unknown = unknownAnnotations(metadata.annotations);
  return {
    name: `${metadata.namespace ?? ''}/${metadata.name ?? ''}`,
    vips,
    ports: (spec.ports ?? []).map(({ name, port, protocol, nodePort }) => {
      const input: ServicePortInput = portInput(name, port, protocol);
      if (nodePort) input.nodePort = nodePort;
      return input;
    }),
    ...(spec.externalTrafficPolicy === 'Local' ? { local: true } : {}),
    ...(spec.allocateLoadBalancerNodePorts === false ? { withoutNodePorts: true } : {}),
    ...(forwarding === undefined ? {} : { forwarding }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(spec.sessionAffinity === 'ClientIP'
      ? { persistenceSeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS }
      : {}),
    ...(sourceRanges.length > 0 ? { sourceRanges } : {}),
    ...(unknown.length > 0 ? { unknownAnnotations: unknown } : {}),
  };
}

function sourceRangesOf({ spec, metadata }: ServiceObject): string[] {
  if (spec?.loadBalancerSourceRanges?.length) return spec.loadBalancerSourceRanges;
  const text = metadata?.annotations?.[SOURCE_RANGES_ANNOTATION]?.trim();
  return text ? text.split(',') : [];
}

/**
 * undefined when the slice is of no Service, or of host names. Of endpoints only the first address counts (all are of the same Pod), and
 * only those that serve are kept: absent conditions mean yes, of `terminating` no.
 */
export function endpointsInput(slice: EndpointSliceObject): EndpointsInput | undefined {
  const { metadata, addressType, ports = [], endpoints = [] } = slice;
  const service = metadata?.labels?.[SERVICE_NAME_LABEL];
  if (!service || (addressType !== 'IPv4' && addressType !== 'IPv6')) return undefined;
  const family = addressType === 'IPv4' ? 'ipv4' : 'ipv6';
  const namespace = metadata?.namespace ?? '';
  return {
    name: `${namespace}/${metadata?.name ?? ''}`,
    service: `${namespace}/${service}`,
    family,
    // A slice without port number is "all ports" to nobody but its author.
    ports: trimmed(ports.flatMap(({ name, port, protocol }) => (port ? [portInput(name, port, protocol)] : []))),
    endpoints: trimmed(
      endpoints.flatMap(({ addresses: [address], nodeName, conditions = {} }): EndpointInput[] => {
        if (address === undefined || !isAddress(address) || familyOf(address) !== family) return [];
        const ready = conditions.ready ?? true;
        const serving = conditions.serving ?? ready;
        if (!ready && !(serving && conditions.terminating)) return [];
        const canonical = canonicalAddress(address);
        const input: EndpointInput = nodeName ? { address: canonical, node: nodeName } : { address: canonical };
        if (!ready) input.terminating = true;
        return [input];
      }),
    ),
  };
}

/**
 * Not by spreading what there may be: of objects that are made so, each gets a hidden class of its own, which is five times as large as
 * they are, and tens of thousands of them are kept.
 */
function portInput(name: string | undefined, port: number, protocol: string | undefined): EndpointPortInput {
  return name ? { port, protocol: protocolOf(protocol), name } : { port, protocol: protocolOf(protocol) };
}

/** V8 makes arrays that grow with room for 16 more; those of `filter` and `flatMap` are such, and these are kept. */
function trimmed<T>(items: readonly T[]): T[] {
  return items.slice();
}

const protocols: Record<string, Protocol> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

/** One text for all: `toLowerCase` makes a new one each time. */
function protocolOf(text = 'TCP'): Protocol {
  return protocols[text] ?? (text.toLowerCase() as Protocol);
}

export function nodeInput(node: NodeObject): NodeInput {
  return {
    name: node.metadata?.name ?? '',
    internalIPs: (node.status?.addresses ?? [])
      .filter(({ type, address }) => type === 'InternalIP' && isAddress(address))
      .map(({ address }) => canonicalAddress(address)),
    ready: (node.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True'),
    excluded: nodeLabels.exclude in (node.metadata?.labels ?? {}) || node.metadata?.deletionTimestamp !== undefined,
    ...(nodeAnnotations.drain in (node.metadata?.annotations ?? {}) && { drained: true as const }),
  };
}
