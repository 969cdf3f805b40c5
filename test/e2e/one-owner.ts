/** That a VIP has one owner, by those who answer for it and by the kernels of the nodes. */

import type { LabNode } from '@fairlead/lab';
import { Rtnetlink } from '@fairlead/netlink';
import { expect } from 'chai';
import type { ArpObserver } from './arp-observer.js';
import { type Cluster, routedBy } from './cluster.js';

/** The node that has a hardware address on the LAN. */
export function nodeBehind(cluster: Cluster, mac: string): LabNode {
  const node = cluster.lab.nodes.find((candidate) => candidate.isOn && macOf(candidate) === mac);
  if (node === undefined) throw new Error(`no node has the hardware address ${mac}`);
  return node;
}

/** A node's hardware address on the LAN. */
export function macOf({ netns }: LabNode): string {
  const rtnetlink = new Rtnetlink({ netns });
  try {
    return rtnetlink.link('eth0')!.address;
  } finally {
    rtnetlink.close();
  }
}

/**
 * Resolves when one node has answered fifty times in a row, and routes, and no other. Where the machine did not run an owner for a quarter of a
 * second, another one takes over, and two are heard; two that both go on would be waited for in vain.
 */
export async function oneOwner(cluster: Cluster, vip: string, observer: ArpObserver): Promise<string> {
  let answering: string[];
  do {
    await cluster.served(vip);
    const from = performance.now();
    await observer.answered(50);
    answering = [...observer.answeredSince(from)];
  } while (answering.length > 1);
  const routing = cluster.lab.nodes.filter((node) => node.isOn && routedBy(node).length > 0);
  expect(routing.map(({ name }) => name)).to.deep.equal([nodeBehind(cluster, answering[0]!).name]);
  return answering[0]!;
}
