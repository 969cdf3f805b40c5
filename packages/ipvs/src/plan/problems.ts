/** What can be wrong with a port of a Service, in words; what can be wrong with its settings is in settings.ts. */
import { isDeepStrictEqual } from 'node:util';
import type { PlanProblem, ServicePortInput } from './input.js';

export function noNodePort(service: string, { port, protocol }: ServicePortInput): PlanProblem {
  return {
    service,
    code: 'FL_NO_NODE_PORT',
    message:
      `Service ${service} has no NodePort for ${protocol} port ${port}, and NodePorts are what its VIPs are forwarded to: ` +
      'set spec.allocateLoadBalancerNodePorts to true, or forward to its Pods with the annotation fairlead.dev/forwarding: pod',
  };
}

export function endpointsNowhere(service: string, { port, protocol }: ServicePortInput, family: string): PlanProblem {
  return {
    service,
    code: 'FL_ENDPOINTS_NOWHERE',
    message:
      `Service ${service} is forwarded to the nodes of its Pods (externalTrafficPolicy: Local), but no endpoint of ${protocol} port ${port} ` +
      `(${family}) says on which node it is: write nodeName into its EndpointSlices, or set externalTrafficPolicy to Cluster`,
  };
}

export function portConflict(service: string, owner: string, name: string): PlanProblem {
  return {
    service,
    code: 'FL_PORT_CONFLICT',
    message: `Service ${service} wants ${name}, which Service ${owner} has already: change the port of one of them, or give it an address of its own`,
  };
}

export function allChecksFailed(
  service: string,
  { port, protocol }: ServicePortInput,
  family: string,
  count: number,
): PlanProblem {
  return {
    service,
    code: 'FL_ALL_CHECKS_FAILED',
    message:
      `Service ${service}: all ${count} real servers of ${protocol} port ${port} (${family}) fail their check, so all are kept: ` +
      'look at the Service, and at what its check asks for',
  };
}

/** The problems of all Services. */
export class ProblemTable {
  readonly #byService = new Map<string, readonly PlanProblem[]>();
  #list: readonly PlanProblem[] | undefined = [];

  set(service: string, problems: readonly PlanProblem[]): void {
    if (isDeepStrictEqual(this.#byService.get(service) ?? [], problems)) return;
    if (problems.length === 0) this.#byService.delete(service);
    else this.#byService.set(service, problems);
    this.#list = undefined;
  }

  /** By name of the Service; the same array until something changes. */
  list(): readonly PlanProblem[] {
    this.#list ??= [...this.#byService].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, problems]) => problems);
    return this.#list;
  }
}
