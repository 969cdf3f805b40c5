/** What a Service, as read from the API server, says to the ledger. Pure. */

import {
  conditions,
  finalizers,
  type IpAddress,
  isOurs,
  type Labels,
  LOAD_BALANCER_CLASS,
  parseRequest,
  type RequestResult,
  readAddress,
  type ServiceLike,
  sharingOf,
} from '@fairlead/api';
import { versionOf } from '@fairlead/kube';
import type { V1Condition, V1LoadBalancerIngress, V1Service } from '@kubernetes/client-node';
import type { Holder, Wish } from '../allocator/allocator.js';

/** Why a Service does not get what it asks for: a stable reason, and a text that says what is wrong and what to do. */
export interface Problem {
  reason: string;
  message: string;
}

export interface Observation {
  /** `namespace/name` */
  key: string;
  /** As one that has addresses. */
  holder: Holder;
  uid: string;
  /** resourceVersion */
  version: string;
  /** undefined: it is not (or no longer) ours, or about to go; else what it asks for, or why that cannot be told. */
  request: RequestResult | undefined;
  /** Whether this controller has left something on it before, as far as can be told from the object alone. */
  touched: boolean;
  /** Has the finalizer by which all load balancers go. */
  guarded: boolean;
  /** The addresses in its status. */
  shown: IpAddress[];
  /** Has an ingress that another controller may have put there: ours only if a pool of ours has the address. */
  maybeForeign: boolean;
  /** Since when it has had its address or waited for one, and since when it has been there: times as they are on the wire. */
  since: unknown;
  created: unknown;
}

export interface ObservationOptions {
  /** Whether Services without a class are ours. */
  defaultClass: boolean;
  /** Of the Service's namespace; undefined when they are not known. */
  namespaceLabels?: Labels | undefined;
}

/** The wish of a request that can be read. */
export function wishOf({ request }: Observation): Wish | undefined {
  return request?.ok ? request.request : undefined;
}

export function observeService(service: V1Service, options: ObservationOptions): Observation {
  const { metadata, spec, status } = service;
  const condition = ownCondition(service);
  const guarded = metadata?.finalizers?.includes(finalizers.loadBalancerCleanup) ?? false;
  const classless = spec?.loadBalancerClass !== LOAD_BALANCER_CLASS;
  const touched = condition !== undefined || (guarded && !classless);
  // A class-less Service that has an address of ours keeps it when we cease to be the default class.
  const ours =
    isOurs(service as ServiceLike, { defaultClass: options.defaultClass || touched }) && !metadata?.deletionTimestamp;
  const ingress = status?.loadBalancer?.ingress ?? [];
  const namespace = metadata?.namespace ?? '';
  const key = `${namespace}/${metadata?.name}`;
  return {
    key,
    holder: {
      key,
      namespace,
      namespaceLabels: options.namespaceLabels,
      labels: metadata?.labels,
      sharing: sharingOf(service),
    },
    uid: metadata?.uid ?? '',
    version: versionOf(service),
    request: ours ? parseRequest(service) : undefined,
    touched,
    guarded,
    shown: ours || touched ? addressesIn(ingress) : [],
    maybeForeign: ours && classless && !touched && ingress.length > 0,
    since: sinceOf(service),
    created: metadata?.creationTimestamp,
  };
}

function addressesIn(ingress: readonly V1LoadBalancerIngress[]): IpAddress[] {
  const addresses: IpAddress[] = [];
  for (const { ip } of ingress) {
    const address = ip ? readAddress(ip) : undefined;
    if (address) addresses.push(address);
  }
  return addresses;
}

/** What this controller has said about the Service. */
export function ownCondition({ status }: V1Service): V1Condition | undefined {
  return status?.conditions?.find((each) => each.type === conditions.allocated);
}

/** Observation.since */
export function sinceOf(service: V1Service): unknown {
  return ownCondition(service)?.lastTransitionTime ?? service.metadata?.creationTimestamp;
}

/** ms since the epoch. Wire objects carry times as text, whatever client-node's types say. */
export function timeOf(wireTime: unknown): number {
  const ms = new Date(wireTime as string).getTime();
  return Number.isNaN(ms) ? 0 : ms;
}
