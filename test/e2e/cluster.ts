/** Fairlead in the embedded data centre, with one pool and one Service: the ground that the end-to-end suites stand on. */

import { annotations, LOAD_BALANCER_CLASS, labels } from '@fairlead/api';
import { type ForwarderChoice, installManifests, startController, startSpeaker, steady, until } from '@fairlead/cli';
import { addressPools, Informer, type KubeObject, leases, services } from '@fairlead/kube';
import {
  deployEcho,
  Lab,
  type LabHost,
  type LabNode,
  type LabOptions,
  type LabProcess,
  startProbe,
} from '@fairlead/lab';

export const PORT = 80;

export interface LeaseObject extends KubeObject {
  spec?: { holderIdentity?: string; renewTime?: string; leaseTransitions?: number };
}
export interface ServiceObject extends KubeObject {
  status?: {
    loadBalancer?: { ingress?: { ip?: string; ipMode?: string }[] };
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
}

export class Cluster {
  readonly lab: Lab;
  /** Names of the Pods behind every Service. */
  readonly pods: readonly string[];
  readonly controller: LabProcess;
  readonly speakers = new Map<string, LabProcess>();
  readonly leases: Informer<LeaseObject>;
  readonly services: Informer<ServiceObject>;
  readonly #forwarder: ForwarderChoice;
  readonly #speakerOptions: readonly string[];

  /** Three nodes with a Pod each; controller and speakers run. */
  static async start(
    forwarder: ForwarderChoice,
    options: LabOptions = {},
    speakerOptions: readonly string[] = [],
  ): Promise<Cluster> {
    const lab = await Lab.start({ nodes: 3, nodeMonitorGraceMs: 2_000, ...options });
    try {
      await installManifests(lab.kube);
      const pods = await deployEcho(lab, { name: 'web', namespace: 'default', perNode: 1, port: PORT });
      const cluster = new Cluster(lab, forwarder, pods, speakerOptions);
      await Promise.all([cluster.leases.synced, cluster.services.synced]);
      return cluster;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  private constructor(
    lab: Lab,
    forwarder: ForwarderChoice,
    pods: readonly string[],
    speakerOptions: readonly string[],
  ) {
    this.lab = lab;
    this.pods = pods;
    this.#forwarder = forwarder;
    this.#speakerOptions = speakerOptions;
    this.controller = startController(lab);
    for (const node of lab.nodes) this.startSpeaker(node);
    this.leases = new Informer({ client: lab.kube, resource: leases, labelSelector: labels.virtualRouter });
    this.services = new Informer({ client: lab.kube, resource: services });
    this.leases.start();
    this.services.start();
  }

  startSpeaker(node: LabNode): LabProcess {
    const speaker = startSpeaker(this.lab, node, { forwarder: this.#forwarder, extra: this.#speakerOptions });
    this.speakers.set(node.name, speaker);
    return speaker;
  }

  createPool(name: string, ...addresses: string[]): Promise<void> {
    return this.createPoolWith(name, { addresses });
  }

  async createPoolWith(name: string, spec: object): Promise<void> {
    const pool: KubeObject = { apiVersion: 'fairlead.dev/v1alpha1', kind: 'AddressPool', metadata: { name } };
    await this.lab.kube.create(addressPools, { ...pool, spec } as KubeObject);
  }

  /** @param wishes what its spec and annotations say beyond that, or instead */
  async createService(
    name: string,
    pool: string,
    port = PORT,
    wishes: { spec?: object; annotations?: Record<string, string> } = {},
  ): Promise<void> {
    await this.lab.kube.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', annotations: { [annotations.addressPool]: pool, ...wishes.annotations } },
      spec: {
        type: 'LoadBalancer',
        loadBalancerClass: LOAD_BALANCER_CLASS,
        selector: { app: 'web' },
        ports: [{ port, targetPort: PORT, protocol: 'TCP' }],
        ...wishes.spec,
      },
    });
  }

  vipOf(name: string): Promise<string> {
    return until(this.services, `Service ${name} getting an address`, (service) =>
      service.metadata?.name === name ? service.status?.loadBalancer?.ingress?.[0]?.ip : undefined,
    );
  }

  /** The node that holds the Lease of the only virtual router in use; with `not`, waits until it is another one. */
  async owner(not?: LabNode): Promise<LabNode> {
    const holder = await until(this.leases, 'a takeover', ({ spec }) =>
      spec?.holderIdentity && spec.holderIdentity !== not?.name ? spec.holderIdentity : undefined,
    );
    return this.lab.nodes.find((node) => node.name === holder)!;
  }

  /** Makes this node the owner, by stopping the speakers of all others; they run again afterwards. */
  async moveTo(node: LabNode): Promise<void> {
    const others = this.lab.nodes.filter((other) => other !== node);
    await Promise.all(others.map((other) => this.stopSpeaker(other)));
    await until(
      this.leases,
      `a takeover by ${node.name}`,
      ({ spec }) => spec?.holderIdentity === node.name || undefined,
    );
    for (const other of others) this.startSpeaker(other);
  }

  /** Lets it hand over what it owns. */
  async stopSpeaker(node: LabNode): Promise<void> {
    const speaker = this.speakers.get(node.name)!;
    speaker.signal('SIGTERM');
    await speaker.exited;
  }

  /** Resolves when the client has been served for a second without a failure. */
  async served(vip: string, client: LabHost = this.lab.client): Promise<void> {
    const probe = startProbe(client, { address: vip, port: PORT });
    try {
      await steady(probe);
    } finally {
      await probe.stop();
    }
  }

  async stop(): Promise<void> {
    this.leases.stop();
    this.services.stop();
    await this.lab.stop();
  }
}
