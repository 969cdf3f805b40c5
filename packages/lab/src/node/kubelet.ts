/** The kubelet stand-in: registers the Node, and runs the pods that are assigned to it. */
import type { Server } from 'node:http';
import { type Informer, isKubeError, type KubeApi, keyOf, nodes, pods } from '@fairlead/kube';
import type { V1Node, V1Pod } from '@kubernetes/client-node';
import type { Cni, PodNetwork } from './cni.js';
import { serveEcho } from './echo.js';
import type { AgentConfig } from './protocol.js';
import { nodeObject, runningStatus, showsRunning } from './status.js';

interface RunningPod {
  uid: string;
  network: PodNetwork;
  servers: Server[];
  startedAt: Date;
}

export interface KubeletOptions {
  config: AgentConfig;
  client: KubeApi;
  cni: Cni;
  onError: (error: Error) => void;
}

export class Kubelet {
  readonly #config: AgentConfig;
  readonly #client: KubeApi;
  readonly #cni: Cni;
  readonly #onError: (error: Error) => void;
  readonly #running = new Map<string, RunningPod>(); // by key

  constructor({ config, client, cni, onError }: KubeletOptions) {
    this.#config = config;
    this.#client = client;
    this.#cni = cni;
    this.#onError = onError;
  }

  /** Creates the Node, or takes over the one that an earlier life of this machine left. */
  async register(): Promise<void> {
    const node = nodeObject(this.#config, new Date());
    try {
      await this.#client.create(nodes, node);
    } catch (error) {
      if (!isKubeError(error, 'FL_KUBE_ALREADY_EXISTS')) throw error;
    }
    await this.#postReady();
  }

  /** Follows the pods of this node and, of the Nodes, its own. */
  follow(podInformer: Informer<V1Pod>, nodeInformer: Informer<V1Node>): void {
    podInformer.on('add', (pod) => this.#podSeen(pod));
    podInformer.on('update', (pod) => this.#podSeen(pod));
    podInformer.on('delete', (pod) => this.#stopPod(keyOf(pod)));
    nodeInformer.on('update', (node) => {
      const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
      // Marked as lost, and yet here: what the kubelet's next heartbeat would put right.
      if (node.metadata?.name === this.#config.name && ready?.status !== 'True') this.#do(this.#postReady());
    });
  }

  async #postReady(): Promise<void> {
    const { status, spec } = nodeObject(this.#config, new Date());
    const key = { name: this.#config.name };
    await this.#client.patch(nodes, key, { spec }, { type: 'merge' });
    await this.#client.patch(nodes, key, { status }, { type: 'merge', subresource: 'status' });
  }

  #podSeen(pod: V1Pod): void {
    if (pod.spec?.nodeName !== this.#config.name) return;
    const key = keyOf(pod);
    if (pod.metadata?.deletionTimestamp !== undefined) {
      // Nothing to wait for: the containers of these pods have no shutdown of their own.
      this.#stopPod(key);
      this.#do(this.#confirmDeletion(pod));
      return;
    }
    if (this.#running.get(key)?.uid !== pod.metadata?.uid) this.#stopPod(key); // deleted and created anew meanwhile
    try {
      const running = this.#running.get(key) ?? this.#startPod(key, pod);
      if (!showsRunning(pod, running.network.address)) this.#do(this.#postStatus(pod, running));
    } catch (error) {
      this.#onError(error as Error);
    }
  }

  #startPod(key: string, pod: V1Pod): RunningPod {
    const network = this.#cni.addPod();
    const identity = { pod: pod.metadata!.name!, node: this.#config.name };
    const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
    const servers = ports
      .filter((port) => (port.protocol ?? 'TCP') === 'TCP')
      .map((port) => serveEcho(network.netns, port.containerPort, identity, this.#onError));
    const running = { uid: pod.metadata!.uid!, network, servers, startedAt: new Date() };
    this.#running.set(key, running);
    return running;
  }

  #stopPod(key: string): void {
    const running = this.#running.get(key);
    if (running === undefined) return;
    this.#running.delete(key);
    for (const server of running.servers) {
      server.close();
      server.closeAllConnections();
    }
    this.#cni.removePod(running.network);
  }

  async #postStatus(pod: V1Pod, { network, startedAt }: RunningPod): Promise<void> {
    const status = runningStatus(pod, network.address, this.#config.lanAddress, startedAt);
    const key = { namespace: pod.metadata!.namespace!, name: pod.metadata!.name! };
    await this.#client.patch(pods, key, { status }, { type: 'merge', subresource: 'status' });
  }

  async #confirmDeletion(pod: V1Pod): Promise<void> {
    const { namespace, name, uid } = pod.metadata!;
    await this.#client.delete(
      pods,
      { namespace: namespace!, name: name! },
      { gracePeriodSeconds: 0, preconditions: { uid: uid! } },
    );
  }

  /** The object may be gone by the time that its status is written; then its deletion is seen next. */
  #do(work: Promise<void>): void {
    work.catch((error: Error) => {
      if (!isKubeError(error, 'FL_KUBE_NOT_FOUND')) this.#onError(error);
    });
  }
}
