/** Where a pod without a node goes; pure. */
import type { V1Node, V1Pod } from '@kubernetes/client-node';

/** Whether the node's kubelet reports it ready. */
export function isNodeReady(node: V1Node): boolean {
  return node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

/** Whether the scheduler should find a node for this pod. */
export function isUnassigned(pod: V1Pod): boolean {
  return !pod.spec?.nodeName && pod.metadata?.deletionTimestamp === undefined && pod.status?.phase !== 'Failed';
}

/**
 * The ready node that matches the pod's `nodeSelector` and runs the fewest of `pods` (the first by name among equals);
 * undefined when there is none. Round-robin for one pod after the other, and even when they differ in life time.
 */
export function chooseNode(pod: V1Pod, nodes: readonly V1Node[], pods: readonly V1Pod[]): string | undefined {
  const selector = Object.entries(pod.spec?.nodeSelector ?? {});
  const load = (name: string) => pods.filter((p) => p.spec?.nodeName === name).length;
  return nodes
    .filter((node) => isNodeReady(node) && node.spec?.unschedulable !== true)
    .filter((node) => selector.every(([key, value]) => node.metadata?.labels?.[key] === value))
    .map((node) => node.metadata!.name!)
    .sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1))[0];
}
