/** `fairlead drain` and `undrain`: a node hands over the VIPs that it owns, and takes none until it may again. It still forwards. */

import { nodeAnnotations } from '@fairlead/api';
import { type KubeApi, nodes } from '@fairlead/kube';
import { holderOf, leasesOf, type NodeView, nodeNamed, routerOf, unfitBecause } from './cluster-view.js';
import { OperatorError } from './operator-error.js';
import { followLeases } from './watch-leases.js';

export interface DrainOptions {
  node: string;
  timeoutMs: number;
  /** Also when no other node looks fit to take over. */
  force: boolean;
  /** Told as it happens. */
  step: (text: string) => void;
}

export interface Drained {
  node: string;
  drained: true;
  /** What was handed over, and to whom. */
  moved: { virtualRouter: string; owner: string }[];
}

type Client = Pick<KubeApi, 'get' | 'list' | 'watch' | 'patch'>;

/** Resolves when the node owns nothing any more. @throws OperatorError */
export async function drain(kube: Client, { node, timeoutMs, force, step }: DrainOptions): Promise<Drained> {
  await nodeNamed(kube, node);
  const owned = (await leasesOf(kube)).filter((lease) => holderOf(lease) === node).map(routerOf);
  if (!force && owned.length > 0) await mustHaveAnother(kube, node);
  await mark(kube, node, new Date().toISOString());
  step(`${node} is to hand over ${owned.length} virtual router${owned.length === 1 ? '' : 's'}`);

  const moved = new Map<string, string>();
  let left: string[] = owned;
  const inTime = await followLeases(kube, timeoutMs, (all) => {
    for (const lease of all) {
      const name = routerOf(lease);
      const owner = holderOf(lease);
      if (!owned.includes(name) || owner === undefined || owner === node || moved.get(name) === owner) continue;
      moved.set(name, owner);
      step(`${name}: ${node} → ${owner}`);
    }
    const there = new Set(all.map(routerOf));
    left = owned.filter((name) => there.has(name) && !moved.has(name));
    return left.length === 0 && !all.some((lease) => holderOf(lease) === node);
  });
  if (!inTime) {
    throw new OperatorError(
      'FL_NOT_IN_TIME',
      `${node} still owns ${left.join(', ')} after ${timeoutMs / 1000} s: its speaker or that of another node may be down or not fit ` +
        `(their logs say "standing for election" or why not). The node stays marked; fairlead undrain ${node} ends that`,
    );
  }
  return { node, drained: true, moved: [...moved].map(([virtualRouter, owner]) => ({ virtualRouter, owner })) };
}

/** The node may own VIPs again. It does not take any back by that. @throws OperatorError FL_NO_NODE */
export async function undrain(kube: Client, node: string): Promise<{ node: string; drained: false }> {
  await nodeNamed(kube, node);
  await mark(kube, node, null);
  return { node, drained: false };
}

async function mark(kube: Client, name: string, value: string | null): Promise<void> {
  const patch = { metadata: { annotations: { [nodeAnnotations.drain]: value } } };
  await kube.patch(nodes, { name }, patch, { type: 'merge' });
}

async function mustHaveAnother(kube: Client, node: string): Promise<void> {
  const { items } = await kube.list<NodeView>(nodes);
  const others = items.filter(({ metadata }) => metadata?.name !== node);
  if (others.some((other) => unfitBecause(other) === undefined)) return;
  const why = others.map((other) => `${other.metadata?.name}: ${unfitBecause(other)}`).join('; ');
  throw new OperatorError(
    'FL_NOBODY_ELSE',
    `no other node can take over from ${node} (${why || 'it is the only one'}); --force marks it all the same, ` +
      'and it hands over as soon as one can',
  );
}
