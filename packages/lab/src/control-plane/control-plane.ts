/**
 * The parts of kube-controller-manager and kube-scheduler that a lab needs, in the orchestrator's process: pods find a
 * node, Services get their EndpointSlices, and a node that is not heard of becomes NotReady after a grace period.
 */
import {
  endpointSlices,
  Informer,
  isKubeError,
  type KubeApi,
  keyOf,
  nodes,
  parseKey,
  pods,
  services,
  WorkQueue,
} from '@fairlead/kube';
import type { V1EndpointSlice, V1Node, V1Pod, V1Service } from '@kubernetes/client-node';
import { desiredSlices, isPodReady, MANAGED_BY, MANAGED_BY_LABEL, SERVICE_NAME_LABEL } from './desired-slices.js';
import { chooseNode, isNodeReady, isUnassigned } from './scheduling.js';

/** What Kubernetes does by default before release 1.32 (`--node-monitor-grace-period`; 50 s since then). */
export const DEFAULT_NODE_MONITOR_GRACE_MS = 40_000;

export interface ControlPlaneOptions {
  client: KubeApi;
  nodeMonitorGraceMs?: number;
  onError: (error: Error) => void;
}

export class ControlPlane {
  readonly #client: KubeApi;
  readonly #graceMs: number;
  readonly #onError: (error: Error) => void;
  readonly #nodes: Informer<V1Node>;
  readonly #pods: Informer<V1Pod>;
  readonly #services: Informer<V1Service>;
  readonly #slices: Informer<V1EndpointSlice>;
  readonly #serviceWork: WorkQueue;
  readonly #podWork: WorkQueue;
  readonly #graceTimers = new Map<string, NodeJS.Timeout>();
  /** Pods that were given a node which the informer does not show yet. */
  readonly #assigned = new Map<string, string>();

  constructor({ client, nodeMonitorGraceMs = DEFAULT_NODE_MONITOR_GRACE_MS, onError }: ControlPlaneOptions) {
    this.#client = client;
    this.#graceMs = nodeMonitorGraceMs;
    this.#onError = onError;
    this.#nodes = new Informer({ client, resource: nodes });
    this.#pods = new Informer({ client, resource: pods });
    this.#services = new Informer({ client, resource: services });
    this.#slices = new Informer({ client, resource: endpointSlices });
    this.#serviceWork = new WorkQueue({ process: (key) => this.#reconcileSlices(key), onError });
    this.#podWork = new WorkQueue({ process: (key) => this.#schedule(key), onError });
  }

  /** Resolves when it knows the cluster's state and works on it. */
  async start(): Promise<void> {
    const informers = [this.#nodes, this.#pods, this.#services, this.#slices] as Informer<object>[];
    for (const informer of informers) {
      informer.on('error', this.#onError);
      informer.start();
    }
    await Promise.all(informers.map((informer) => informer.synced));
    // Only now: what is decided on half of the state would have to be undone.
    const serviceSeen = (service: V1Service) => this.#serviceWork.add(keyOf(service));
    const podSeen = (pod: V1Pod) => this.#podSeen(pod);
    const nodeSeen = (node: V1Node) => {
      if (isNodeReady(node)) for (const pod of this.#pods.list()) podSeen(pod);
    };
    this.#services.on('add', serviceSeen).on('update', serviceSeen).on('delete', serviceSeen);
    this.#pods.on('add', podSeen).on('update', podSeen);
    this.#pods.on('delete', (pod) => {
      this.#assigned.delete(keyOf(pod));
      this.#selectingServices(pod);
    });
    this.#nodes.on('add', nodeSeen).on('update', nodeSeen);
    for (const service of this.#services.list()) serviceSeen(service);
    for (const pod of this.#pods.list()) podSeen(pod);
  }

  /** Nothing is written after this resolves. */
  async stop(): Promise<void> {
    for (const timer of this.#graceTimers.values()) clearTimeout(timer);
    this.#graceTimers.clear();
    await Promise.all([this.#serviceWork.stop(), this.#podWork.stop()]);
    await Promise.all([this.#nodes, this.#pods, this.#services, this.#slices].map((informer) => informer.stop()));
  }

  /** The node's kubelet can no longer report: after the grace period it counts as lost. */
  contactLost(node: string): void {
    if (this.#graceTimers.has(node)) return;
    const timer = setTimeout(() => {
      this.#graceTimers.delete(node);
      this.#markLost(node).catch(this.#onError);
    }, this.#graceMs);
    this.#graceTimers.set(node, timer);
  }

  /** The kubelet reports again; it says itself that the node is Ready. */
  contactRegained(node: string): void {
    clearTimeout(this.#graceTimers.get(node));
    this.#graceTimers.delete(node);
  }

  /** What the node lifecycle controller does: Ready becomes Unknown, and the node's pods unready. */
  async #markLost(name: string): Promise<void> {
    const now = new Date();
    const unknown = (type: string, message: string) => ({
      type,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message,
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    });
    const conditions = [unknown('Ready', 'Kubelet stopped posting node status.')];
    await this.#client.patch(nodes, { name }, { status: { conditions } }, { type: 'merge', subresource: 'status' });
    for (const pod of this.#pods.list()) {
      if (pod.spec?.nodeName !== name || !isPodReady(pod)) continue;
      const conditions = pod.status!.conditions!.map((condition) =>
        condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime: now } : condition,
      );
      const { namespace, name: podName } = pod.metadata!;
      await ignoringGone(
        this.#client.patch(
          pods,
          { namespace: namespace!, name: podName! },
          { status: { conditions } },
          { type: 'merge', subresource: 'status' },
        ),
      );
    }
  }

  #podSeen(pod: V1Pod): void {
    if (isUnassigned(pod)) this.#podWork.add(keyOf(pod));
    else this.#assigned.delete(keyOf(pod));
    this.#selectingServices(pod);
  }

  /** Looks again at the slices of the Services that select this pod. */
  #selectingServices(pod: V1Pod): void {
    const labels = pod.metadata?.labels ?? {};
    for (const service of this.#services.list()) {
      if (service.metadata?.namespace !== pod.metadata?.namespace) continue;
      const selector = Object.entries(service.spec?.selector ?? {});
      if (selector.some(([key, value]) => labels[key] === value)) this.#serviceWork.add(keyOf(service));
    }
  }

  async #schedule(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (pod === undefined || !isUnassigned(pod) || this.#assigned.has(key)) return;
    const known = this.#pods.list().map((other) => {
      const nodeName = this.#assigned.get(keyOf(other));
      return nodeName === undefined ? other : { ...other, spec: { ...other.spec!, nodeName } };
    });
    const nodeName = chooseNode(pod, this.#nodes.list(), known);
    if (nodeName === undefined) return; // until a node becomes ready
    this.#assigned.set(key, nodeName);
    try {
      await ignoringGone(this.#client.patch(pods, parseKey(key), { spec: { nodeName } }, { type: 'merge' }));
    } catch (error) {
      this.#assigned.delete(key);
      throw error;
    }
  }

  async #reconcileSlices(key: string): Promise<void> {
    const { namespace, name } = parseKey(key);
    const service = this.#services.get(key);
    const pods = this.#pods.list();
    const desired = service === undefined ? [] : desiredSlices(service, pods);
    const actual = this.#slices
      .list()
      .filter(
        ({ metadata }) =>
          metadata?.namespace === namespace &&
          metadata?.labels?.[SERVICE_NAME_LABEL] === name &&
          metadata?.labels?.[MANAGED_BY_LABEL] === MANAGED_BY,
      );
    for (const slice of desired) {
      const current = actual.find((other) => other.metadata?.name === slice.metadata?.name);
      if (current === undefined) await this.#createSlice(slice);
      else if (!sameContent(current, slice)) await ignoringGone(this.#client.update(endpointSlices, slice));
    }
    for (const { metadata } of actual) {
      if (desired.some((slice) => slice.metadata?.name === metadata?.name)) continue;
      await ignoringGone(this.#client.delete(endpointSlices, { namespace: namespace!, name: metadata!.name! }));
    }
  }

  async #createSlice(slice: V1EndpointSlice): Promise<void> {
    try {
      await this.#client.create(endpointSlices, slice);
    } catch (error) {
      // Written a moment ago, and not yet in the copy.
      if (!isKubeError(error, 'FL_KUBE_ALREADY_EXISTS')) throw error;
      await ignoringGone(this.#client.update(endpointSlices, slice));
    }
  }
}

function sameContent(a: V1EndpointSlice, b: V1EndpointSlice): boolean {
  const content = ({ endpoints, ports, metadata }: V1EndpointSlice) =>
    JSON.stringify([endpoints ?? [], ports ?? [], metadata?.labels]);
  return content(a) === content(b);
}

/** Objects may vanish between being seen and being written; there is nothing left to do for them then. */
async function ignoringGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isKubeError(error, 'FL_KUBE_NOT_FOUND')) throw error;
  }
}
