/** The plan of everything at once: a planner that was told all, for those who have no use for changes. */
import type { DesiredState } from '../forwarder.js';
import type { CheckInput, EndpointsInput, NodeInput, PlanProblem, ServiceInput } from './input.js';
import { Planner, type PlannerOptions } from './planner.js';

export interface PlanInput extends PlannerOptions {
  services: Iterable<ServiceInput>;
  nodes: Iterable<NodeInput>;
  endpoints?: Iterable<EndpointsInput>;
  /** What the probes of this speaker say; by default, that all nodes are healthy. */
  health?: (node: string) => boolean;
  checks?: Iterable<CheckInput>;
}

export interface Plan extends DesiredState {
  /** Not one candidate node is usable, so all are kept. */
  panic: boolean;
  problems: readonly PlanProblem[];
}

export function plan({
  services,
  nodes,
  endpoints = [],
  health = () => true,
  checks = [],
  ...options
}: PlanInput): Plan {
  const planner = new Planner(options);
  for (const node of nodes) {
    planner.setNode(node);
    planner.setNodeHealth(node.name, health(node.name));
  }
  for (const service of services) planner.setService(service);
  for (const slice of endpoints) planner.setEndpoints(slice);
  for (const check of checks) planner.setCheck(check);
  return { ...planner.desired(), panic: planner.panic, problems: planner.problems };
}
