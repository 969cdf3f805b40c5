/**
 * What the planner is told: the part of Services, EndpointSlices and Nodes that decides where packets go, and what probes say.
 * `kubernetes.ts` makes it of Kubernetes objects. Treat it as immutable: the planner keeps it.
 */
import type { Protocol } from '../forwarder.js';

export interface ServicePortInput {
  /** By which its endpoints are found; absent: '', as in a Service with one port. */
  name?: string;
  port: number;
  /** undefined or 0: the Service has no NodePort for it (`allocateLoadBalancerNodePorts: false`). */
  nodePort?: number;
  protocol: Protocol;
}

export interface ServiceInput {
  /** `namespace/name` */
  name: string;
  /** Of known pools only. */
  vips: string[];
  ports: ServicePortInput[];
  /** `externalTrafficPolicy: Local`: only nodes with endpoints of their own. */
  local?: boolean;
  /** `allocateLoadBalancerNodePorts: false`: forwarded to Pods, unless `forwarding` says otherwise. */
  withoutNodePorts?: boolean;
  /** As annotated, `node` or `pod`. */
  forwarding?: string;
  /** As annotated, see `parseScheduler`; absent: the cluster's default. */
  scheduler?: string;
  /** `sessionAffinity: ClientIP`: for how long, seconds. */
  persistenceSeconds?: number;
  /** As written by the user; absent or empty: everyone may connect. */
  sourceRanges?: string[];
  /** Annotations that look like Fairlead's, and are not. */
  unknownAnnotations?: string[];
}

/** One EndpointSlice. */
export interface EndpointsInput {
  /** `namespace/name` */
  name: string;
  /** `namespace/name` of its Service. */
  service: string;
  family: 'ipv4' | 'ipv6';
  /** Of every endpoint in it. */
  ports: EndpointPortInput[];
  /** Those that answer; what is neither ready nor serving is left out. */
  endpoints: EndpointInput[];
}

export interface EndpointPortInput {
  /** Of the Service's port; absent: ''. */
  name?: string;
  port: number;
  protocol: Protocol;
}

export interface EndpointInput {
  /** In canonical text form. */
  address: string;
  /** Absent: not on a node of the cluster, or unknown. */
  node?: string;
  /** It is being deleted, and still serves. Absent: no, it is ready. */
  terminating?: boolean;
}

export interface NodeInput {
  name: string;
  /** In the Node's order: the first of a family is that family's primary one, where kube-proxy serves NodePorts. */
  internalIPs: string[];
  /** Condition Ready is True. */
  ready: boolean;
  /** Label `node.kubernetes.io/exclude-from-external-load-balancers`, or being deleted. */
  excluded: boolean;
  /** Present when it shall own no VIP; it is forwarded to all the same. */
  drained?: true;
}

/** What a check of one real server of one Service says. */
export interface CheckInput {
  /** `namespace/name` */
  service: string;
  /** Of the real server, in canonical text form. */
  address: string;
  /** Of the real server; absent: all that the Service has at that address. */
  port?: number;
  healthy: boolean;
}

/** Something in the input that cannot be done as it is wished. The rest is planned all the same. */
export interface PlanProblem {
  /** `namespace/name` */
  service: string;
  code: PlanProblemCode;
  /** What is wrong, where, and what to do. */
  message: string;
}

export type PlanProblemCode =
  /** A port without NodePort in a Service that is forwarded to nodes. */
  | 'FL_NO_NODE_PORT'
  /** A Service that is forwarded to the nodes of its endpoints, and no endpoint names its node. */
  | 'FL_ENDPOINTS_NOWHERE'
  /** Another Service has this port of this VIP. */
  | 'FL_PORT_CONFLICT'
  /** An annotation that is not a scheduler: the default is used. */
  | 'FL_BAD_SCHEDULER'
  /** An annotation that is neither `node` nor `pod`: it does not count. */
  | 'FL_BAD_FORWARDING'
  /** An annotation under our name that is none of ours. */
  | 'FL_UNKNOWN_ANNOTATION'
  /** A source range that is none: it lets nobody in. */
  | 'FL_BAD_SOURCE_RANGE'
  /** Source ranges that let nobody reach VIPs of a family. */
  | 'FL_NO_SOURCE_RANGE'
  /** A health check that is none, or that nothing of the Service can answer: it is not checked. */
  | 'FL_BAD_HEALTH_CHECK'
  /** Every real server of a port fails its check: all are kept. */
  | 'FL_ALL_CHECKS_FAILED'
  /** The kernel refuses something of it: a scheduler whose module is missing, an address that can be no real server. */
  | 'FL_KERNEL_REFUSED';
