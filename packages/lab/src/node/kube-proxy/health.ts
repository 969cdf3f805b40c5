/**
 * kube-proxy's health, as a load balancer sees it (Kubernetes pkg/proxy/healthcheck): `:10256/healthz` says whether
 * this node should get traffic, `/livez` whether kube-proxy works, and each Service with `externalTrafficPolicy: Local`
 * has a port of its own that says whether this node has an endpoint for it.
 */
import { createServer, type Server } from 'node:http';
import type { V1Node } from '@kubernetes/client-node';
import type { ServicePort } from './service-ports.js';

export const HEALTH_PORT = 10_256;
const HEALTH_TIMEOUT_MS = 60_000; // kube-proxy: twice its sync period of 30 s
const TO_BE_DELETED_TAINT = 'ToBeDeletedByClusterAutoscaler';

export interface HealthAnswer {
  status: 200 | 503;
  body: string;
}

/** Healthy while no change has waited longer than 60 s for its rules; pure, the clock is given (epoch ms). */
export class ProxyHealth {
  readonly #now: () => number;
  #lastUpdated = 0;
  #oldestQueued: number | undefined;
  #nodeEligible = true;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A change came that the rules do not show yet. */
  queued(): void {
    this.#oldestQueued ??= this.#now();
  }

  /** The rules show every change. */
  updated(): void {
    this.#oldestQueued = undefined;
    this.#lastUpdated = this.#now();
  }

  /** A node that is going away shall get no new traffic. */
  nodeSeen(node: V1Node): void {
    const leaving = node.spec?.taints?.some((taint) => taint.key === TO_BE_DELETED_TAINT) ?? false;
    this.#nodeEligible = node.metadata?.deletionTimestamp === undefined && !leaving;
  }

  get healthy(): boolean {
    return this.#oldestQueued === undefined || this.#now() - this.#oldestQueued < HEALTH_TIMEOUT_MS;
  }

  healthz(): HealthAnswer {
    const ok = this.healthy && this.#nodeEligible;
    return { status: ok ? 200 : 503, body: this.#body(ok, { nodeEligible: this.#nodeEligible }) };
  }

  livez(): HealthAnswer {
    return { status: this.healthy ? 200 : 503, body: this.#body(this.healthy, {}) };
  }

  #body(ok: boolean, more: object): string {
    const now = this.#now();
    // While all is well kube-proxy reports the current time as that of the last update.
    const lastUpdated = new Date(ok ? now : this.#lastUpdated).toISOString();
    return JSON.stringify({ lastUpdated, currentTime: new Date(now).toISOString(), ...more });
  }
}

/** Serves `health` on every address of the node. */
export function serveProxyHealth(health: ProxyHealth, port = HEALTH_PORT): Promise<Server> {
  const server = createServer((request, response) => {
    const answer =
      request.url === '/healthz' ? health.healthz() : request.url === '/livez' ? health.livez() : undefined;
    response.writeHead(answer?.status ?? 404, { 'content-type': 'application/json' });
    response.end(answer?.body);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '0.0.0.0', () => resolve(server));
  });
}

/** What each health check node port shall say: port → Service and its ready endpoints on this node. */
export function healthCheckPorts(ports: readonly ServicePort[]): Map<number, { service: string; endpoints: number }> {
  const wanted = new Map<number, { service: string; endpoints: number }>();
  for (const { healthCheckNodePort, service, localReady } of ports) {
    if (healthCheckNodePort === undefined) continue;
    // A Service with several ports has one health check port; its endpoints are the same pods.
    const endpoints = Math.max(localReady, wanted.get(healthCheckNodePort)?.endpoints ?? 0);
    wanted.set(healthCheckNodePort, { service, endpoints });
  }
  return wanted;
}

/** The health check node ports of this node: opened, closed and answered as the Services say. */
export class HealthCheckServers {
  readonly #address: string;
  readonly #health: ProxyHealth;
  readonly #onError: (error: Error) => void;
  readonly #servers = new Map<number, Server>();
  #wanted = new Map<number, { service: string; endpoints: number }>();

  constructor(address: string, health: ProxyHealth, onError: (error: Error) => void) {
    this.#address = address;
    this.#health = health;
    this.#onError = onError;
  }

  sync(wanted: Map<number, { service: string; endpoints: number }>): void {
    this.#wanted = wanted;
    for (const [port, server] of this.#servers) {
      if (wanted.has(port)) continue;
      server.close();
      server.closeAllConnections();
      this.#servers.delete(port);
    }
    for (const [port, { service }] of wanted) {
      if (this.#servers.has(port)) continue;
      const server = createServer((_, response) => {
        const answer = this.#answer(port);
        response.writeHead(answer.status, { 'content-type': 'application/json' });
        response.end(answer.body);
      });
      server.on('error', (error) => {
        this.#servers.delete(port);
        this.#onError(new Error(`health check port ${port} of ${service}: ${error.message}`, { cause: error }));
      });
      server.listen(port, this.#address);
      this.#servers.set(port, server);
    }
  }

  #answer(port: number): HealthAnswer {
    const { service = '/', endpoints = 0 } = this.#wanted.get(port) ?? {};
    const [namespace, name] = service.split('/');
    const serviceProxyHealthy = this.#health.healthy;
    const body = { service: { namespace, name }, localEndpoints: endpoints, serviceProxyHealthy };
    return { status: endpoints > 0 && serviceProxyHealthy ? 200 : 503, body: JSON.stringify(body) };
  }
}
