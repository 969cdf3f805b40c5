/**
 * What the orchestrator and a node agent say to each other, one JSON object a line: the agent reads its stdin, and
 * writes to its stdout (stderr is its log).
 */

import type { ProxyModeName } from './kube-proxy/mode.js';

/** The first line that the agent reads; until it comes the agent is only loaded, so that nodes start in parallel. */
export interface AgentConfig {
  /** The Node's name. */
  name: string;
  /** The namespace it runs in; pods get `<netns>-p<n>`. */
  netns: string;
  /** API server. */
  server: string;
  lanAddress: string;
  podCidr: string;
  clusterCidr: string;
  proxyMode: ProxyModeName;
}

/** What kube-proxy's rules shall hold; fields that are left out do not matter. */
export interface ProxyExpectation {
  /** `<namespace>/<name>` */
  service: string;
  /** How many endpoints traffic may go to. */
  endpoints?: number;
  /** How many of them are on this node. */
  localEndpoints?: number;
  /** Load-balancer addresses that are taken over (ipMode VIP), in any order. */
  loadBalancerVips?: string[];
  /** The Service has no rules any more; nothing else can be expected of it then. */
  absent?: boolean;
}

/** Every further line: say when the rules in the kernel hold this. */
export interface ExpectCommand {
  id: number;
  expect: ProxyExpectation;
}

export type AgentMessage = { ready: true } | { met: number };
