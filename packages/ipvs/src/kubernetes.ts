/** From Kubernetes objects to the planner's input. Pure; reads only what it names, so that any client's types fit. */
import { formatAddress, isAddress, type ServiceLike, vipsOf } from '@fairlead/api';
import type { Protocol } from './forwarder.js';
import { canonicalAddress } from './order.js';
import type { NodeInput, ServiceInput } from './plan.js';

/** The part of a core/v1 Service that is read here (a V1Service fits). */
export interface ServiceObject extends ServiceLike {
  metadata?: { namespace?: string; name?: string };
  spec?: ServiceLike['spec'] & { ports?: { port: number; nodePort?: number; protocol?: string }[] };
}

/** The part of a core/v1 Node that is read here (a V1Node fits). */
export interface NodeObject {
  metadata?: { name?: string; labels?: Record<string, string>; deletionTimestamp?: unknown };
  status?: {
    addresses?: { type: string; address: string }[];
    conditions?: { type: string; status: string }[];
  };
}

/** Presence alone excludes a node, whatever the value (KEP-1143). */
export const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** undefined when the Service has no VIP of ours (see `vipsOf`). `only` leaves out VIPs, e.g. those of no known pool. */
export function serviceInput(
  service: ServiceObject,
  only: (vip: string) => boolean = () => true,
): ServiceInput | undefined {
  const vips = vipsOf(service).map(formatAddress).filter(only);
  if (vips.length === 0) return undefined;
  return {
    name: `${service.metadata?.namespace ?? ''}/${service.metadata?.name ?? ''}`,
    vips,
    ports: (service.spec?.ports ?? []).map(({ port, nodePort, protocol }) => ({
      port,
      ...(nodePort ? { nodePort } : {}),
      protocol: (protocol ?? 'TCP').toLowerCase() as Protocol,
    })),
  };
}

export function nodeInput(node: NodeObject): NodeInput {
  return {
    name: node.metadata?.name ?? '',
    internalIPs: (node.status?.addresses ?? [])
      .filter(({ type, address }) => type === 'InternalIP' && isAddress(address))
      .map(({ address }) => canonicalAddress(address)),
    ready: (node.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True'),
    excluded: EXCLUDE_LABEL in (node.metadata?.labels ?? {}) || node.metadata?.deletionTimestamp !== undefined,
  };
}
