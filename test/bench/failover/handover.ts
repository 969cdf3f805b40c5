/** Connects that fail while a VIP is handed over: its owner's node is drained, or its speaker is told to stop. */
import { nodeAnnotations } from '@fairlead/api';
import { steady, stopWhenSteady } from '@fairlead/cli';
import { nodes } from '@fairlead/kube';
import { type LabNode, startProbe } from '@fairlead/lab';
import { type Cluster, PORT } from '../../e2e/cluster.js';

const CONNECT_TIMEOUT_MS = 200;

export type Handover = 'drain' | 'sigterm';

export interface HandoverTrial {
  way: string;
  failures: number;
  outcomes: string[];
}

/** One hand-over; afterwards all nodes stand again. */
export async function handOver(cluster: Cluster, vip: string, how: Handover): Promise<HandoverTrial> {
  const owner = await cluster.owner();
  const probe = startProbe(cluster.lab.client, { address: vip, port: PORT, timeoutMs: CONNECT_TIMEOUT_MS });
  await steady(probe);
  if (how === 'drain') await annotate(cluster, owner, '');
  else cluster.speakers.get(owner.name)!.signal('SIGTERM');
  const next = await cluster.owner(owner);
  const { failures } = await stopWhenSteady(probe, { connectTimeoutMs: CONNECT_TIMEOUT_MS, forMs: 2_500 });
  if (how === 'drain') await annotate(cluster, owner, null);
  else {
    await cluster.speakers.get(owner.name)!.exited;
    await cluster
      .startSpeaker(owner)
      .waitFor('it was ready', (line) => (line.includes('"ready"') ? true : undefined), 60_000);
  }
  const outcomes = probe.attempts.filter(({ outcome }) => outcome !== 'connected').map(({ outcome }) => outcome);
  return { way: `${owner.name} → ${next.name}`, failures, outcomes };
}

async function annotate(cluster: Cluster, node: LabNode, value: string | null): Promise<void> {
  const patch = { metadata: { annotations: { [nodeAnnotations.drain]: value } } };
  await cluster.lab.kube.patch(nodes, { name: node.name }, patch, { type: 'merge' });
}
