/**
 * What is asked on behalf of Services, beyond whether nodes are alive: kube-proxy's health check NodePort of a Service with
 * `externalTrafficPolicy: Local` on every node that it is forwarded to, and each real server of a Service with the annotation
 * `fairlead.dev/health-check`. The planner says what there is to ask, and is told the answers.
 *
 * Work is in proportion to what changed among the Services that want to be checked; the others cost nothing.
 */

import { isDeepStrictEqual } from 'node:util';
import { annotations } from '@fairlead/api';
import {
  type Candidate,
  type Check,
  type Checks,
  endpoint,
  type HealthCheck,
  type NodeInput,
  type Planner,
  type PlanProblem,
  parseHealthCheck,
  probeOf,
  type ServiceObject,
} from '@fairlead/ipvs';

/** What one Service wants to be asked. */
export interface CheckWish {
  /** kube-proxy's, of a Service with `externalTrafficPolicy: Local`. */
  healthCheckNodePort?: number;
  /** The user's. */
  check?: HealthCheck;
}

/** undefined: nothing; `problem`: what is wrong with what it wants. */
export function checkWish(service: ServiceObject): CheckWish | { problem: string } | undefined {
  const text = service.metadata?.annotations?.[annotations.healthCheck];
  const parsed = text === undefined ? undefined : parseHealthCheck(text);
  if (parsed && !parsed.ok) return { problem: parsed.message };
  const { externalTrafficPolicy, healthCheckNodePort } = service.spec ?? {};
  const wish: CheckWish = {
    ...(externalTrafficPolicy === 'Local' && healthCheckNodePort ? { healthCheckNodePort } : {}),
    ...(parsed ? { check: parsed.check } : {}),
  };
  return Object.keys(wish).length > 0 ? wish : undefined;
}

/** @param nodeOf the node that has an address; undefined for a Pod's */
export function checksOf(
  wish: CheckWish,
  candidates: readonly Candidate[],
  nodeOf: (address: string) => string | undefined,
): Check[] {
  const checks = new Map<string, Check>();
  for (const { address, port, tcp } of candidates) {
    const name = nodeOf(address);
    const node = name === undefined ? {} : { node: name };
    if (wish.healthCheckNodePort !== undefined && name !== undefined) {
      const probe = { kind: 'http', address, port: wish.healthCheckNodePort, path: '/healthz', expect: '200' } as const;
      checks.set(address, { subject: address, probe, ...node });
    }
    if (wish.check && tcp) {
      const subject = endpoint(address, port);
      checks.set(subject, { subject, probe: probeOf(wish.check, { address, port }), ...node });
    }
  }
  return [...checks.values()];
}

export interface ServiceChecksOptions {
  checks: Pick<Checks, 'set' | 'on'>;
  planner: Pick<Planner, 'candidates' | 'setCheck'>;
  /** An answer has changed, and the planner was told of it. */
  onVerdict: (service: string, subject: string, healthy: boolean, reason: string) => void;
}

export class ServiceChecks {
  readonly #options: ServiceChecksOptions;
  readonly #wishes = new Map<string, CheckWish>();
  readonly #problems = new Map<string, PlanProblem>();
  /** Services whose checks may have to be others. */
  readonly #dirty = new Set<string>();
  #nodes: readonly NodeInput[] = [];
  #nodeOf = new Map<string, string>();

  constructor(options: ServiceChecksOptions) {
    this.#options = options;
    options.checks.on('change', ({ service, check, healthy, reason }) => {
      const { address, port } = check.probe;
      // A node's answer counts for all that the Service has there, a real server's for itself.
      const which = check.subject === address ? { address } : { address, port };
      options.planner.setCheck({ service, ...which, healthy });
      options.onVerdict(service, check.subject, healthy, reason);
    });
  }

  /** A Service with VIPs of ours, new or changed. */
  set(name: string, service: ServiceObject): void {
    const wish = checkWish(service);
    this.#problems.delete(name);
    if (wish === undefined || 'problem' in wish) {
      if (wish) this.#complain(name, wish.problem);
      if (this.#wishes.delete(name)) this.#dirty.add(name);
      return;
    }
    this.#wishes.set(name, wish);
    this.#dirty.add(name);
  }

  delete(name: string): void {
    this.#problems.delete(name);
    this.#dirty.delete(name);
    if (this.#wishes.delete(name)) this.#options.checks.set(name, []);
  }

  /** Endpoints of a Service changed. */
  endpointsChanged(name: string): void {
    if (this.#wishes.has(name)) this.#dirty.add(name);
  }

  /** Nodes may have changed, or come or gone: they tell of themselves often, and seldom anything new. */
  nodesChanged(nodes: readonly NodeInput[]): void {
    if (isDeepStrictEqual(nodes, this.#nodes)) return;
    this.#nodes = nodes;
    this.#nodeOf = new Map(nodes.flatMap(({ name, internalIPs }) => internalIPs.map((address) => [address, name])));
    this.healthChanged();
  }

  /** Other nodes can be forwarded to than before. */
  healthChanged(): void {
    for (const name of this.#wishes.keys()) this.#dirty.add(name);
  }

  /** Asks what there is to ask by now; to be called once the planner has been told everything. */
  settle(): void {
    for (const name of this.#dirty) {
      const wish = this.#wishes.get(name);
      const candidates = wish ? this.#options.planner.candidates(name) : [];
      const checks = wish ? checksOf(wish, candidates, (address) => this.#nodeOf.get(address)) : [];
      if (wish?.check && candidates.length > 0 && !candidates.some(({ tcp }) => tcp)) {
        this.#complain(
          name,
          `annotation ${annotations.healthCheck}: it has no TCP port, and only those can be checked`,
        );
      }
      this.#options.checks.set(name, checks);
    }
    this.#dirty.clear();
  }

  /** What is wrong with what Services want, by name of the Service. */
  get problems(): PlanProblem[] {
    return [...this.#problems.values()];
  }

  #complain(service: string, message: string): void {
    this.#problems.set(service, {
      service,
      code: 'FL_BAD_HEALTH_CHECK',
      message: `Service ${service}, ${message}`,
    });
  }
}
