/** A cluster with Fairlead in it, one pool and one Service, for as long as a group of trials takes. */
import { until } from '@fairlead/cli';
import { addressPools } from '@fairlead/kube';
import type { LabNode } from '@fairlead/lab';
import { Cluster, PORT } from '../../e2e/cluster.js';
import type { GroupContext } from '../groups.js';
import type { Target } from './trials.js';

const POOL = 'public';
/** Pools are without `preempt`, but for as long as a VIP is to fail back. */
const PREEMPT_DELAY = '100ms';

export interface Ground extends Target {
  cluster: Cluster;
  election: 'lease' | 'vrrp';
}

export async function withCluster<T>(
  context: GroupContext,
  election: 'lease' | 'vrrp',
  run: (ground: Ground) => Promise<T>,
): Promise<T> {
  context.step(`building a data centre with Fairlead in it, election by ${election}`);
  const cluster = await Cluster.start('nftables', {}, ['--preempt-delay', PREEMPT_DELAY]);
  const stop = () => void cluster.stop();
  context.signal.addEventListener('abort', stop);
  try {
    await cluster.createPoolWith(POOL, { addresses: ['10.77.0.200-10.77.0.215'], election });
    // Local, so that no kube-proxy sends connections on to a dead node's Pod before Kubernetes has noticed: that outage is not the VIP's.
    await cluster.createService('web', POOL, PORT, { spec: { externalTrafficPolicy: 'Local' } });
    const address = await cluster.vipOf('web');
    // A VIP that is new has its address before it is announced.
    await cluster.served(address);
    return await run({ cluster, election, lab: cluster.lab, address, port: PORT });
  } finally {
    context.signal.removeEventListener('abort', stop);
    await cluster.stop();
  }
}

/** Ends the owner's speaker; resolves when another node owns. */
export async function endSpeaker({ cluster }: Ground, owner: LabNode, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  cluster.speakers.get(owner.name)!.signal(signal);
  await cluster.owner(owner);
}

/** Resolves when a node whose speaker has ended stands for election again. */
export async function startAgain(cluster: Cluster, node: LabNode): Promise<void> {
  await cluster.speakers.get(node.name)!.exited;
  await cluster.startReady(node);
}

/** Gives a command as a user does. */
async function command(cluster: Cluster, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await cluster.fairlead(...args);
  if (code !== 0) throw new Error(`fairlead ${args.join(' ')} ended with ${code}: ${stderr || stdout}`);
}

/** Drains the owner until another one owns. */
export async function drainForAWhile({ cluster }: Ground, owner: LabNode): Promise<void> {
  await command(cluster, 'drain', owner.name);
  await command(cluster, 'undrain', owner.name);
}

/** To the first of the other nodes. */
export async function moveAway({ cluster, address }: Ground, owner: LabNode): Promise<void> {
  const next = cluster.lab.nodes.find((node) => node !== owner)!;
  await command(cluster, 'move', address, next.name);
}

/** The owner's speaker stops and starts again, and its pool, with `preempt`, fails back to it as the node that it prefers. */
export async function failBack(ground: Ground, owner: LabNode): Promise<void> {
  const { cluster } = ground;
  const selector = { matchLabels: { 'kubernetes.io/hostname': owner.name } };
  await patchPool(cluster, { preempt: true, preferredNodes: [{ weight: 100, selector }] });
  await endSpeaker(ground, owner, 'SIGTERM');
  await startAgain(cluster, owner);
  await until(
    cluster.leases,
    `failing back to ${owner.name}`,
    ({ spec }) => spec?.holderIdentity === owner.name || undefined,
  );
  await patchPool(cluster, { preempt: null, preferredNodes: null });
}

async function patchPool(cluster: Cluster, spec: object): Promise<void> {
  await cluster.lab.kube.patch(addressPools, { name: POOL }, { spec }, { type: 'merge' });
}
