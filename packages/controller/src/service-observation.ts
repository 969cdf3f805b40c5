/** What a Service, as read from the API server, says to the ledger. Pure. */

import {
  annotations,
  conditions,
  finalizers,
  type IpAddress,
  isAddress,
  isOurs,
  type Labels,
  LOAD_BALANCER_CLASS,
  parseAddress,
  reasons,
} from '@fairlead/api';
import type { V1Service } from '@kubernetes/client-node';
import type { Holder } from './allocator.js';
import type { Wish } from './waiting-list.js';

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
  /** undefined: it is not (or no longer) ours, or about to go. */
  wish: Wish | undefined;
  /** Ours, but it asks for what cannot be given. What it has, it keeps. */
  refusal: Problem | undefined;
  /** Whether this controller has left something on it before, as far as can be told from the object alone. */
  touched: boolean;
  /** Has the finalizer by which all load balancers go. */
  guarded: boolean;
  /** The addresses in its status. */
  shown: IpAddress[];
  /** Has an ingress that another controller may have put there: ours only if a pool of ours has the address. */
  maybeForeign: boolean;
  /** Since when it has had its address or waited for one, ms since the epoch. */
  sinceMs: number;
  createdMs: number;
}

export interface ObserveOptions {
  defaultClass: boolean;
  /** Of the Service's namespace; undefined when they are not known. */
  namespaceLabels?: Labels | undefined;
}

export function observeService(service: V1Service, options: ObserveOptions): Observation {
  const condition = service.status?.conditions?.find((each) => each.type === conditions.allocated);
  const guarded = service.metadata?.finalizers?.includes(finalizers.loadBalancerCleanup) ?? false;
  const classless = service.spec?.loadBalancerClass !== LOAD_BALANCER_CLASS;
  const touched = condition !== undefined || (guarded && !classless);
  // A class-less Service that has an address of ours keeps it when we cease to be the default class.
  const ours =
    isOurs(service, { defaultClass: options.defaultClass || touched }) && !service.metadata?.deletionTimestamp;
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const createdMs = wireTime(service.metadata?.creationTimestamp) ?? 0;
  const key = `${service.metadata?.namespace}/${service.metadata?.name}`;
  return {
    key,
    holder: {
      key,
      namespace: service.metadata?.namespace ?? '',
      namespaceLabels: options.namespaceLabels,
      labels: service.metadata?.labels,
    },
    uid: service.metadata?.uid ?? '',
    wish: ours ? wishOf(service) : undefined,
    refusal: ours ? refusalOf(service) : undefined,
    touched,
    guarded,
    shown: ours || touched ? ingress.flatMap(({ ip }) => (ip && isAddress(ip) ? [parseAddress(ip)] : [])) : [],
    maybeForeign: ours && classless && !touched && ingress.length > 0,
    sinceMs: wireTime(condition?.lastTransitionTime) ?? createdMs,
    createdMs,
  };
}

/** Single-stack: the first of its IP families. An empty annotation is what templates leave for "none". */
function wishOf(service: V1Service): Wish {
  return {
    family: service.spec?.ipFamilies?.[0] === 'IPv6' ? 'ipv6' : 'ipv4',
    pool: service.metadata?.annotations?.[annotations.addressPool] || undefined,
  };
}

function refusalOf(service: V1Service): Problem | undefined {
  const { loadBalancerIP } = service.spec ?? {};
  if (!loadBalancerIP) return undefined;
  return {
    reason: reasons.invalidRequest,
    message:
      `spec.loadBalancerIP asks for ${loadBalancerIP}, and requests for a certain address are not supported; ` +
      `remove it, and name a pool with the annotation ${annotations.addressPool} if need be`,
  };
}

/** Wire objects carry times as text, whatever client-node's types say. */
function wireTime(time: unknown): number | undefined {
  const ms = time === undefined || time === null ? Number.NaN : new Date(time as string).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}
