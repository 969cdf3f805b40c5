/** What the commands for operators read of a cluster: nodes, and who owns which virtual router. Pure but for the reading. */

import { LEASE_SELECTOR, labels, nodeAnnotations, nodeLabels, SYSTEM_NAMESPACE } from '@fairlead/api';
import { isKubeError, type KubeApi, type KubeObject, leases, nodes } from '@fairlead/kube';
import { OperatorError } from './operator-error.js';

export interface LeaseView extends KubeObject {
  spec?: {
    holderIdentity?: string | null;
    leaseDurationSeconds?: number | null;
    acquireTime?: string | null;
    renewTime?: string | null;
  };
}

export interface NodeView extends KubeObject {
  metadata?: KubeObject['metadata'] & { deletionTimestamp?: string };
  status?: { conditions?: { type: string; status: string }[] };
}

/** @throws OperatorError FL_NO_NODE */
export async function nodeNamed(kube: Pick<KubeApi, 'get' | 'list'>, name: string): Promise<NodeView> {
  try {
    return await kube.get<NodeView>(nodes, { name });
  } catch (error) {
    if (!isKubeError(error, 'FL_KUBE_NOT_FOUND')) throw error;
    throw new OperatorError('FL_NO_NODE', `there is no Node "${name}" in the cluster (kubectl get nodes lists them)`);
  }
}

/** Why a node cannot own VIPs, as far as its Node tells; undefined: it may. */
export function unfitBecause(node: NodeView): string | undefined {
  const { annotations = {}, labels: own = {}, deletionTimestamp, name } = node.metadata ?? {};
  if (deletionTimestamp !== undefined) return 'it is being deleted';
  if (nodeLabels.exclude in own) return `it has the label ${nodeLabels.exclude}`;
  if (nodeAnnotations.drain in annotations) return `it is drained (fairlead undrain ${name} ends that)`;
  const ready = node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  return ready ? undefined : 'it is not Ready';
}

export function routerOf(lease: LeaseView): string {
  return lease.metadata?.labels?.[labels.virtualRouter] ?? '';
}

export function holderOf(lease: LeaseView | undefined): string | undefined {
  return lease?.spec?.holderIdentity || undefined;
}

export async function leasesOf(kube: Pick<KubeApi, 'list'>): Promise<LeaseView[]> {
  const { items } = await kube.list<LeaseView>(leases, {
    namespace: SYSTEM_NAMESPACE,
    labelSelector: LEASE_SELECTOR,
  });
  return items.sort((a, b) => (routerOf(a) < routerOf(b) ? -1 : 1));
}
