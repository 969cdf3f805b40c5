/** Fairlead in the embedded data centre, with one pool and one Service: the ground that the end-to-end suites stand on. */

import { once } from 'node:events';
import { mkdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { annotations, LOAD_BALANCER_CLASS, labels } from '@fairlead/api';
import {
  type ForwarderChoice,
  installManifests,
  startController,
  startSpeaker,
  stateFolder,
  steady,
  until,
} from '@fairlead/cli';
import { OwnerRules } from '@fairlead/ipvs';
import { addressPools, Informer, type KubeObject, leases, services } from '@fairlead/kube';
import {
  deployEcho,
  type ExecResult,
  Lab,
  type LabHost,
  type LabNode,
  type LabOptions,
  type LabProcess,
  type ProcessExit,
  startProbe,
} from '@fairlead/lab';
import { RuleMonitor } from '@fairlead/netlink';
import { type Found, readSnapshot } from '@fairlead/speaker';

export const PORT = 80;

/** Longer than any step takes on a busy machine, or in an emulated guest; nothing waits for it when all is well. */
const PATIENCE_MS = 300_000;
const CLI = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url));

export interface LeaseObject extends KubeObject {
  spec?: { holderIdentity?: string; renewTime?: string; leaseTransitions?: number };
}
export interface ServiceObject extends KubeObject {
  status?: {
    loadBalancer?: { ingress?: { ip?: string; ipMode?: string }[] };
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
}

/** What a speaker keeps of Nodes, whose only condition it is whether they are Ready, and of EndpointSlices, without endpoints that do not answer. */
interface SnapshotObject {
  status?: { conditions?: { status: string }[] };
  input?: { service: string; endpoints: object[] };
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

  /** Starts its speaker, and resolves when that is ready: its kernel is in line, and it stands for election if the node is fit. */
  async startReady(node: LabNode): Promise<LabProcess> {
    const speaker = this.startSpeaker(node);
    await this.said(node, '"ready"');
    return speaker;
  }

  /** Resolves when what a node's speaker has written down of the cluster, for when it starts without an API server, is so. */
  async wroteDown(node: LabNode, isSo: (found: Found) => boolean | undefined): Promise<void> {
    const folder = join(stateFolder(this.lab), node.name);
    mkdirSync(folder, { recursive: true }); // it has written nothing yet
    const watcher = watch(folder, { persistent: false });
    try {
      for (;;) {
        const changed = once(watcher, 'change');
        const found = await readSnapshot(folder, () => {});
        if (found !== undefined && isSo(found)) return;
        await changed;
      }
    } finally {
      watcher.close();
    }
  }

  /** Resolves when a node's speaker says one of these from now on. */
  said(node: LabNode, ...texts: string[]): Promise<void> {
    return said(this.speakers.get(node.name)!, ...texts);
  }

  /** The command, from the management network. */
  fairlead(...args: string[]): Promise<ExecResult> {
    return this.lab.management.exec([process.execPath, CLI, ...args, '--server', this.lab.server]);
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

  /** Makes this node the owner, by stopping the speakers of all others; they are ready again afterwards, and route nothing any more. */
  async moveTo(node: LabNode): Promise<void> {
    const others = this.lab.nodes.filter((other) => other !== node);
    await Promise.all(others.map((other) => this.stopSpeaker(other)));
    await until(
      this.leases,
      `a takeover by ${node.name}`,
      ({ spec }) => spec?.holderIdentity === node.name || undefined,
    );
    await Promise.all(others.map((other) => this.startReady(other)));
    await Promise.all(others.map(unrouted));
  }

  /** Lets it hand over what it owns. */
  stopSpeaker(node: LabNode): Promise<ProcessExit> {
    const speaker = this.speakers.get(node.name)!;
    speaker.signal('SIGTERM');
    return speaker.exited;
  }

  /** Kills all speakers at once, once each has left a snapshot to start from: of a cluster that is well, with every VIP. */
  async killSpeakers(): Promise<void> {
    const vips = this.services
      .list()
      .flatMap(({ status }) => status?.loadBalancer?.ingress?.map(({ ip }) => ip!) ?? []);
    await Promise.all(
      this.lab.nodes.map((node) => this.wroteDown(node, (found) => isWell(found, vips, this.pods.length))),
    );
    const speakers = [...this.speakers.values()];
    for (const speaker of speakers) speaker.signal('SIGKILL');
    await Promise.all(speakers.map(({ exited }) => exited));
  }

  /** Resolves when a client on the LAN has been served without a failure for a second, or for as long as is wished. */
  async served(vip: string, options: { client?: LabHost; forMs?: number } = {}): Promise<void> {
    const { client = this.lab.client, forMs } = options;
    const probe = startProbe(client, { address: vip, port: PORT });
    try {
      await steady(probe, forMs);
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

/** Tables of the virtual routers whose VIPs a node's host routes into its director. */
export function routedBy({ netns }: LabNode): number[] {
  const rules = new OwnerRules({ hostNetns: netns });
  try {
    return rules.list();
  } finally {
    rules.close();
  }
}

/** Whether a snapshot has the VIPs, all Nodes Ready, and of no Service an endpoint too few. */
function isWell({ contents }: Found, vips: readonly string[], pods: number): boolean {
  const kinds = contents as Readonly<Record<string, readonly SnapshotObject[]>>;
  const isReady = kinds.nodes?.every(({ status }) => status?.conditions?.every((c) => c.status === 'True')) ?? false;
  const isWhole = Object.values(kinds)
    .flat()
    .every(({ input }) => input === undefined || input.endpoints.length === pods);
  return isReady && isWhole && vips.every((vip) => JSON.stringify(contents).includes(`"${vip}"`));
}

/** Resolves when a node's host routes no VIPs into its director (any more). */
async function unrouted(node: LabNode): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = () => {
      if (routedBy(node).length > 0) return;
      monitor.close();
      resolve();
    };
    const monitor = new RuleMonitor({ netns: node.netns, onRemoved: look });
    look();
  });
}

/** Resolves when a process says one of these from now on. */
export async function said(process: LabProcess, ...texts: string[]): Promise<void> {
  const includesOne = (line: string) => (texts.some((text) => line.includes(text)) ? true : undefined);
  await process.waitFor(`it said ${texts.join(' or ')}`, includesOne, PATIENCE_MS);
}
