/**
 * The kubelet stand-in: registers the Node, and runs the pods that are assigned to it. What the API server refuses or
 * does not hear is tried again, as a kubelet does.
 */
import type { Server } from 'node:http';
import {
  type Informer,
  isKubeError,
  type KubeApi,
  type KubeObject,
  keyOf,
  nodes,
  parseKey,
  pods,
  WorkQueue,
} from '@fairlead/kube';
import type { V1Node, V1Pod } from '@kubernetes/client-node';
import type { Cni, PodNetwork } from './cni.js';
import { serveEcho } from './echo.js';
import type { AgentConfig } from './protocol.js';
import { nodeObject, runningStatus, showsRunning } from './status.js';

const NODE = 'the Node'; // a key in the queue that no pod has

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
  /** All Nodes, and the pods of this one; started by whoever made them. */
  nodes: Informer<V1Node>;
  pods: Informer<V1Pod>;
  onError: (error: Error) => void;
}

export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #work: WorkQueue;
  readonly #running = new Map<string, RunningPod>(); // by key
  #onRegistered: () => void = () => {};

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#work = new WorkQueue({
      process: (key) => (key === NODE ? this.#postNode() : this.#syncPod(key)),
      concurrency: 8,
      backoff: { baseMs: 100, maxMs: 5_000 },
      onError: options.onError,
    });
    const changed = (pod: V1Pod) => this.#work.add(keyOf(pod));
    options.pods.on('add', changed).on('update', changed).on('delete', changed);
    options.nodes.on('update', (node) => {
      const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
      // Marked as lost, and yet here: what the kubelet's next heartbeat would put right.
      if (node.metadata?.name === options.config.name && ready?.status !== 'True') this.#work.add(NODE);
    });
  }

  /** Creates the Node, or takes over the one that an earlier life of this machine left; resolves when it is Ready. */
  register(): Promise<void> {
    this.#work.add(NODE);
    return new Promise((resolve) => {
      this.#onRegistered = resolve;
    });
  }

  async #postNode(): Promise<void> {
    const { client, config } = this.#options;
    const node = nodeObject(config, new Date());
    try {
      await client.create<KubeObject>(nodes, node);
    } catch (error) {
      if (!isKubeError(error, 'FL_KUBE_ALREADY_EXISTS')) throw error;
    }
    const { spec, status } = node;
    await client.patch(nodes, { name: config.name }, { spec }, { type: 'merge' });
    await client.patch(nodes, { name: config.name }, { status }, { type: 'merge', subresource: 'status' });
    this.#onRegistered();
  }

  /** Makes this machine, and then the pod's status, what the API says that the pod should be. */
  async #syncPod(key: string): Promise<void> {
    const { client, config, pods: known } = this.#options;
    const pod = known.get(key);
    const { deletionTimestamp, uid } = pod?.metadata ?? {};
    // An object of another uid is another pod, that was made when the first was gone.
    if (deletionTimestamp !== undefined || this.#running.get(key)?.uid !== uid) this.#stopPod(key);
    if (pod === undefined || pod.spec?.nodeName !== config.name) return;
    try {
      if (deletionTimestamp !== undefined) {
        // Nothing to wait for: the containers of these pods have no shutdown of their own.
        await client.delete(pods, parseKey(key), { gracePeriodSeconds: 0, preconditions: { uid: uid! } });
        return;
      }
      const { network, startedAt } = this.#running.get(key) ?? this.#startPod(key, pod);
      if (showsRunning(pod, network.address)) return;
      const status = runningStatus(pod, network.address, config.lanAddress, startedAt);
      await client.patch(pods, parseKey(key), { status }, { type: 'merge', subresource: 'status' });
    } catch (error) {
      if (!isKubeError(error, 'FL_KUBE_NOT_FOUND')) throw error; // its deletion is seen next
    }
  }

  #startPod(key: string, pod: V1Pod): RunningPod {
    const { cni, config, onError } = this.#options;
    const network = cni.addPod();
    const identity = { pod: pod.metadata!.name!, node: config.name };
    const servers = (pod.spec?.containers ?? [])
      .flatMap((container) => container.ports ?? [])
      .filter((port) => (port.protocol ?? 'TCP') === 'TCP')
      .map((port) => serveEcho(network.netns, port.containerPort, identity, onError));
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
    this.#options.cni.removePod(running.network);
  }
}
