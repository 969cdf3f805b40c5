/** A cluster with Fairlead in it, one pool and one Service, for as long as a group of trials takes. */
import { nodeAnnotations } from '@fairlead/api';
import { nodes } from '@fairlead/kube';
import type { LabNode } from '@fairlead/lab';
import { Cluster, PORT } from '../../e2e/cluster.js';
import type { GroupContext } from '../groups.js';
import type { Target } from './trials.js';

export interface Ground extends Target {
  cluster: Cluster;
}

export async function withCluster<T>(
  context: GroupContext,
  election: 'lease' | 'vrrp',
  run: (ground: Ground) => Promise<T>,
): Promise<T> {
  context.step(`building a data centre with Fairlead in it, election by ${election}`);
  const cluster = await Cluster.start('nftables');
  const stop = () => void cluster.stop();
  context.signal.addEventListener('abort', stop);
  try {
    await cluster.createPoolWith('public', { addresses: ['10.77.0.200-10.77.0.215'], election });
    // Local, so that no kube-proxy sends connections on to a dead node's Pod before Kubernetes has noticed: that outage is not the VIP's.
    await cluster.createService('web', 'public', PORT, { spec: { externalTrafficPolicy: 'Local' } });
    const address = await cluster.vipOf('web');
    // A VIP that is new has its address before it is announced.
    await cluster.served(address);
    return await run({ cluster, lab: cluster.lab, address, port: PORT });
  } finally {
    context.signal.removeEventListener('abort', stop);
    await cluster.stop();
  }
}

/** Resolves when a node whose speaker has ended stands for election again. */
export async function startAgain(cluster: Cluster, node: LabNode): Promise<void> {
  await cluster.speakers.get(node.name)!.exited;
  await cluster.startReady(node);
}

/** `value`: '' drains the node, null gives it back. */
export async function annotate(cluster: Cluster, node: LabNode, value: '' | null): Promise<void> {
  const patch = { metadata: { annotations: { [nodeAnnotations.drain]: value } } };
  await cluster.lab.kube.patch(nodes, { name: node.name }, patch, { type: 'merge' });
}
