/** An API server in this process with Fairlead's CRD, and controllers that work against it: the ground of these suites. */

import { type AddressPool, annotations, conditions, LOAD_BALANCER_CLASS } from '@fairlead/api';
import { installManifests, until } from '@fairlead/cli';
import { type Controller, type ControllerOptions, startController } from '@fairlead/controller';
import { addressPools, events, Informer, KubeClient, type KubeObject, services } from '@fairlead/kube';
import type { CoreV1Event, V1Service } from '@kubernetes/client-node';
import { pino } from 'pino';
import { namespace, newApiServer, type TestServer } from './api-server.js';

/** Writes that these suites count: what a controller does to Services and pools. */
const WRITES = ['patch', 'update'].flatMap((verb) =>
  ['services', 'services/status', 'addresspools.fairlead.dev', 'addresspools.fairlead.dev/status'].map(
    (resource) => `${verb} ${resource}`,
  ),
);

export class World {
  readonly server: TestServer;
  readonly kube: KubeClient;
  readonly services: Informer<V1Service>;
  readonly pools: Informer<AddressPool>;
  readonly events: Informer<CoreV1Event>;
  readonly url: string;
  readonly #controllers = new Set<Controller>();
  readonly #clients = new Set<KubeClient>();

  static async start(): Promise<World> {
    const server = await newApiServer({ serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] });
    const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
    const world = new World(server, url);
    await installManifests(world.kube);
    for (const informer of [world.services, world.pools, world.events]) informer.start();
    await Promise.all([world.services.synced, world.pools.synced, world.events.synced]);
    return world;
  }

  private constructor(server: TestServer, url: string) {
    this.server = server;
    this.url = url;
    this.kube = new KubeClient({ server: url });
    const informer = <T extends KubeObject>(resource: typeof services, only?: { namespace: string }) => {
      const made = new Informer<T>({ client: this.kube, resource, ...only, backoff: { baseMs: 5, maxMs: 50 } });
      return made.on('error', () => {}); // faults are ordered here; what matters is what is seen in the end
    };
    this.services = informer<V1Service>(services, { namespace });
    this.pools = informer<AddressPool>(addressPools);
    this.events = informer<CoreV1Event>(events);
  }

  async stop(): Promise<void> {
    this.server.faults.clear();
    await Promise.all([...this.#controllers].map((controller) => controller.stop()));
    await Promise.all([this.services.stop(), this.pools.stop(), this.events.stop()]);
    await Promise.all([this.kube, ...this.#clients].map((client) => client.close()));
    await this.server.close();
  }

  /** A controller with a client of its own, as in a process of its own. */
  async startController(identity = 'c1', options: Partial<ControllerOptions> = {}): Promise<Controller> {
    const kube = new KubeClient({ server: this.url, userAgent: identity });
    this.#clients.add(kube);
    const controller = await startController({
      kube,
      identity,
      log: pino({ level: process.env.FAIRLEAD_TEST_LOG ?? 'silent' }),
      ...options,
    });
    this.#controllers.add(controller);
    return controller;
  }

  async createPool(name: string, addresses: string[], spec: object = {}): Promise<void> {
    await this.kube.create(addressPools, poolObject(name, addresses, spec));
  }

  /** Changes a pool's spec; resolves when the change is seen here, so that `accepted` looks at nothing older. */
  async editPool(name: string, spec: object): Promise<void> {
    const { metadata } = await this.kube.patch<AddressPool>(addressPools, { name }, { spec }, { type: 'merge' });
    await until(this.pools, `generation ${metadata.generation} of ${name}`, (pool) =>
      pool.metadata.name === name && pool.metadata.generation! >= metadata.generation! ? true : undefined,
    );
  }

  async createService(name: string, more: { pool?: string; spec?: object } = {}): Promise<void> {
    await this.kube.create(services, serviceObject(name, more));
  }

  /** The Service as soon as it shows an address; its text is the result. */
  address(name: string): Promise<string> {
    return until(this.services, `an address for ${name}`, (service) =>
      service.metadata?.name === name ? service.status?.loadBalancer?.ingress?.[0]?.ip : undefined,
    );
  }

  /** Resolves when the Service's condition is as wanted; with its message. */
  condition(name: string, status: string, reason: string): Promise<string> {
    return until(this.services, `${status} ${reason} for ${name}`, (service) => {
      if (service.metadata?.name !== name) return undefined;
      const found = service.status?.conditions?.find((condition) => condition.type === conditions.allocated);
      return found?.status === status && found.reason === reason ? found.message : undefined;
    });
  }

  /** Resolves when the pool's condition is as wanted for its present generation; with its message. */
  accepted(name: string, status: string, reason: string): Promise<string> {
    return until(this.pools, `${status} ${reason} for pool ${name}`, ({ metadata, status: now }) => {
      if (metadata.name !== name) return undefined;
      const found = now?.conditions?.find((condition) => condition.type === conditions.accepted);
      const matches = found?.status === status && found.reason === reason;
      return matches && found.observedGeneration === metadata.generation ? found.message : undefined;
    });
  }

  /** Resolves when there is such an Event; with its message. */
  event(name: string, type: string, reason: string): Promise<string> {
    return until(this.events, `Event ${reason} on ${name}`, (event) =>
      event.involvedObject.name === name && event.type === type && event.reason === reason ? event.message : undefined,
    );
  }

  /** Resolves when the pool's counters are as wanted. */
  used(name: string, allocated: number): Promise<true> {
    return until(this.pools, `${allocated} addresses in use in ${name}`, (pool) =>
      pool.metadata.name === name && pool.status?.allocated === allocated ? true : undefined,
    );
  }

  /** Resolves when the object is gone. */
  async gone(resource: typeof services, name: string, namespace?: string): Promise<void> {
    const informer: Informer<KubeObject> = resource === services ? this.services : this.pools;
    const key = namespace ? `${namespace}/${name}` : name;
    if (!informer.get(key)) return;
    await new Promise<void>((resolve) => {
      informer.on('delete', (object) => object.metadata?.name === name && resolve());
    });
  }

  /** name → addresses, of all Services that show one. */
  addresses(): Record<string, string> {
    const entries = this.services.list().flatMap(({ metadata, status }) => {
      const ips = (status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip).join(' ');
      return ips ? [[metadata!.name!, ips] as const] : [];
    });
    return Object.fromEntries(entries.sort());
  }

  /** Writes to Services and pools so far, by anybody. */
  writes(): number {
    return WRITES.reduce((sum, write) => sum + (this.server.counts.get(write) ?? 0), 0);
  }
}

export function poolObject(name: string, addresses: string[], spec: object = {}): KubeObject {
  return {
    apiVersion: 'fairlead.dev/v1alpha1',
    kind: 'AddressPool',
    metadata: { name },
    spec: { addresses, ...spec },
  } as KubeObject;
}

export function serviceObject(name: string, { pool, spec }: { pool?: string; spec?: object } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, ...(pool && { annotations: { [annotations.addressPool]: pool } }) },
    spec: {
      type: 'LoadBalancer',
      loadBalancerClass: LOAD_BALANCER_CLASS,
      ports: [{ port: 80, protocol: 'TCP' }],
      ...spec,
    },
  } as KubeObject;
}
