/**
 * What the controller knows of the cluster besides Services and pools: who else has addresses (nodes, Pod and Service
 * networks, stations on the LAN), and the labels of namespaces. It never keeps the controller from working: what cannot be
 * read is unknown, said so in the log, and taken in when it comes.
 */

import { type Labels, labels, readAddress, SYSTEM_NAMESPACE } from '@fairlead/api';
import {
  configMaps,
  Informer,
  type InformerOptions,
  isKubeError,
  type KubeClient,
  type KubeObject,
  namespaces,
  nodes,
  type Resource,
  serviceCidrs,
} from '@fairlead/kube';
import {
  type Occupant,
  type OccupantNode,
  type OccupantServiceCidr,
  occupantsOf,
  type Station,
} from './pools/pool-occupants.js';
import { sameJson } from './writing/merge-patch.js';

export interface ClusterFactsOptions {
  kube: KubeClient;
  /** Networks given on the command line. */
  podCidrs?: readonly string[];
  serviceCidrs?: readonly string[];
  onError: (error: Error, what: string) => void;
}

export interface ClusterFactsListener {
  onOccupants(): void;
  onNamespace(name: string): void;
}

/** Only what is read here is kept: nodes are large, and change with every heartbeat. */
type NodeFact = KubeObject & OccupantNode;
type ServiceCidrFact = KubeObject & OccupantServiceCidr;

/** What a speaker has heard of stations that answer for VIPs: each value of data is an address and a hardware address. */
type StationsMap = KubeObject & { data?: Record<string, string> };

/** The node's name follows. */
const STATIONS_PREFIX = 'fairlead-stations-';

export class ClusterFacts {
  readonly #options: ClusterFactsOptions;
  readonly #nodes: Informer<NodeFact>;
  readonly #namespaces: Informer<KubeObject>;
  #serviceCidrs: Informer<ServiceCidrFact> | undefined;
  #kubernetesIps: readonly string[] = [];
  readonly #stations: Informer<StationsMap>;
  #occupants: readonly Occupant[] = [];
  #print = '';
  #listener: ClusterFactsListener | undefined;
  #stopped = false;
  #asksForServiceCidrs = false;

  constructor(options: ClusterFactsOptions) {
    this.#options = options;
    this.#nodes = this.#watching(this.#informer<NodeFact>(nodes, { transform: reduceNode }));
    this.#stations = this.#informer<StationsMap>(configMaps, {
      namespace: SYSTEM_NAMESPACE,
      labelSelector: labels.stations,
    });
    for (const event of ['add', 'update', 'delete'] as const) {
      this.#stations.on(event, () => this.#stations.hasSynced && this.#refresh());
    }
    this.#namespaces = this.#informer<KubeObject>(namespaces, { transform: reduceNamespace });
    const relabelled = ({ metadata }: KubeObject) => this.#listener?.onNamespace(metadata?.name ?? '');
    this.#namespaces.on('add', relabelled).on('delete', relabelled);
    this.#namespaces.on('update', (object, old) => {
      if (!sameJson(object.metadata?.labels, old.metadata?.labels)) relabelled(object);
    });
  }

  /** Resolves when everything has been read, or refused for now. */
  async start(): Promise<void> {
    const lists = [this.#nodes, this.#namespaces, this.#stations] as Informer<KubeObject>[];
    await Promise.all([...lists.map((informer) => this.#begin(informer)), this.#startServiceCidrs()]);
  }

  /** What has not been read yet. */
  get missing(): string[] {
    const { plural } = configMaps;
    return [
      ...(this.#nodes.hasSynced ? [] : [nodes.plural]),
      ...(this.#namespaces.hasSynced ? [] : [namespaces.plural]),
      ...(this.#stations.hasSynced ? [] : [`${plural} of ${SYSTEM_NAMESPACE}`]),
      ...(this.#serviceCidrs?.hasSynced === false || this.#asksForServiceCidrs ? [serviceCidrs.plural] : []),
    ];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#nodes.stop(), this.#namespaces.stop(), this.#stations.stop(), this.#serviceCidrs?.stop()]);
  }

  listen(listener: ClusterFactsListener): void {
    this.#listener = listener;
  }

  /** Cluster addresses of the Service default/kubernetes. */
  setKubernetesIps(ips: readonly string[]): void {
    this.#kubernetesIps = ips;
    this.#refresh();
  }

  get occupants(): readonly Occupant[] {
    return this.#occupants;
  }

  /** Undefined while the namespace is not known. */
  namespaceLabels(name: string): Labels | undefined {
    const namespace = this.#namespaces.get(name);
    return namespace && (namespace.metadata?.labels ?? {});
  }

  /** Kubernetes before 1.33 has no such objects. */
  async #startServiceCidrs(): Promise<void> {
    this.#asksForServiceCidrs = true;
    try {
      await this.#options.kube.list(serviceCidrs, { limit: 1 });
    } catch (error) {
      if (isKubeError(error, 'FL_KUBE_NOT_FOUND')) return;
      this.#options.onError(error as Error, serviceCidrs.plural);
    } finally {
      this.#asksForServiceCidrs = false;
    }
    if (this.#stopped) return;
    this.#serviceCidrs = this.#watching(this.#informer<ServiceCidrFact>(serviceCidrs));
    await this.#begin(this.#serviceCidrs as Informer<KubeObject>);
  }

  /** Resolves when there is an answer: the list, or a refusal. Who was refused asks again, and is heard when it is not. */
  #begin(informer: Informer<KubeObject>): Promise<void> {
    const begun = new Promise<void>((resolve, reject) => {
      informer.on('error', (error) => isRefusal(error) && resolve());
      informer.synced.then(() => {
        this.#refresh();
        resolve();
      }, reject);
    });
    informer.start();
    return begun;
  }

  #informer<T extends KubeObject>(resource: Resource, options: Partial<InformerOptions<T>> = {}): Informer<T> {
    const informer = new Informer<T>({ client: this.#options.kube, resource, ...options });
    return informer.on('error', (error) => this.#options.onError(error, resource.plural));
  }

  #watching<T extends KubeObject>(informer: Informer<T>): Informer<T> {
    for (const event of ['add', 'delete'] as const) informer.on(event, () => informer.hasSynced && this.#refresh());
    return informer.on('update', (object, old) => {
      // Heartbeats of nodes change nothing that is kept but the version.
      const same = (part: 'spec' | 'status') => sameJson((object as NodeFact)[part], (old as NodeFact)[part]);
      if (!same('spec') || !same('status')) this.#refresh();
    });
  }

  #refresh(): void {
    const { podCidrs = [], serviceCidrs: serviceNetworks = [] } = this.#options;
    const occupants = occupantsOf({
      nodes: this.#nodes.list(),
      serviceCidrs: this.#serviceCidrs?.list() ?? [],
      kubernetesIps: this.#kubernetesIps,
      podCidrs,
      serviceNetworks,
      stations: this.#stations.list().flatMap(stationsOf),
    });
    const print = JSON.stringify(occupants, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    if (print === this.#print) return;
    this.#print = print;
    this.#occupants = occupants;
    this.#listener?.onOccupants();
  }
}

/** An answer that waiting will not change. */
function isRefusal(error: Error): boolean {
  return isKubeError(error, 'FL_KUBE_FORBIDDEN') || isKubeError(error, 'FL_KUBE_NOT_FOUND');
}

/** What is not readable is nobody's. */
function stationsOf({ metadata, data = {} }: StationsMap): Station[] {
  const seenBy = (metadata?.name ?? '').replace(STATIONS_PREFIX, '');
  return Object.values(data).flatMap((text) => {
    const [written = '', mac] = text.split(' ');
    const address = readAddress(written);
    return address && mac ? [{ address, mac, seenBy }] : [];
  });
}

function reduceNode({ apiVersion, kind, metadata, spec, status }: NodeFact): NodeFact {
  const { podCIDR, podCIDRs } = spec ?? {};
  return {
    ...(apiVersion && { apiVersion }),
    ...(kind && { kind }),
    metadata: reduceMetadata(metadata),
    spec: { ...(podCIDR && { podCIDR }), ...(podCIDRs && { podCIDRs }) },
    status: { addresses: status?.addresses ?? [] },
  } as NodeFact;
}

function reduceNamespace({ metadata }: KubeObject): KubeObject {
  return { metadata: { ...reduceMetadata(metadata), labels: metadata?.labels } } as KubeObject;
}

function reduceMetadata(metadata: KubeObject['metadata']) {
  return { name: metadata?.name, uid: metadata?.uid, resourceVersion: metadata?.resourceVersion };
}
