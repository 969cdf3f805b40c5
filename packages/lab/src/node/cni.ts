/**
 * The pod network, as flannel's host-gw backend with the `ptp` plugin makes it: every pod in a namespace of its own
 * at the end of a veth pair, with its address as /32; the node routes it there, and the other nodes' pods by those
 * nodes' LAN addresses.
 *
 *   pod 10.244.i.x ── eth0 ═ veth<x> ── node (10.244.i.1) ── eth0 ── 10.244.j.0/24 via node j
 */

import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns } from '@fairlead/raw-socket';
import type { V1Node } from '@kubernetes/client-node';
import { MASQUERADE_MARK } from './kube-proxy/ruleset.js';

export interface PodNetwork {
  netns: string;
  address: string;
  /** Last byte of the address; also names the namespace and the node's end of the veth pair. */
  number: number;
}

/** The masquerading that flannel's `--ip-masq` does on a node (pkg/trafficmngr), as one nft transaction. */
export function masqueradeRules(podCidr: string, clusterCidr: string): string {
  return `add table ip cni-masquerade
flush table ip cni-masquerade
table ip cni-masquerade {
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    meta mark & ${MASQUERADE_MARK} == ${MASQUERADE_MARK} return
    ip saddr ${podCidr} ip daddr ${clusterCidr} return
    ip saddr ${clusterCidr} ip daddr ${podCidr} return
    ip saddr != ${clusterCidr} ip daddr ${podCidr} return
    ip saddr ${clusterCidr} ip daddr != 224.0.0.0/4 masquerade fully-random
    ip saddr != ${clusterCidr} ip daddr ${clusterCidr} masquerade fully-random
  }
}
`;
}

/** `10.244.3.0/24` → `10.244.3.` */
function network(podCidr: string): string {
  return podCidr.slice(0, podCidr.lastIndexOf('.') + 1);
}

/** Makes and removes pod networks; all calls are synchronous. */
export class Cni {
  readonly #nodeNetns: string;
  readonly #network: string;
  readonly #links = new Rtnetlink(); // the agent runs in the node's namespace
  readonly #used = new Set<number>();
  #last = 1; // .0 is the network, .1 the node

  constructor(nodeNetns: string, podCidr: string) {
    this.#nodeNetns = nodeNetns;
    this.#network = network(podCidr);
  }

  addPod(): PodNetwork {
    const number = this.#allocate();
    const pod = { netns: `${this.#nodeNetns}-p${number}`, address: this.#network + number, number };
    const gateway = `${this.#network}1`;
    createNetns(pod.netns);
    const inside = new Rtnetlink({ netns: pod.netns });
    try {
      this.#links.addVeth({ name: `veth${number}`, peer: { name: 'eth0', netns: pod.netns } });
      inside.setLink(inside.link('lo')!.index, { up: true });
      const eth0 = inside.link('eth0')!.index;
      inside.addAddress({ index: eth0, address: pod.address, prefixLength: 32 });
      inside.setLink(eth0, { up: true });
      inside.replaceRoute({ family: 'ipv4', destination: gateway, prefixLength: 32, index: eth0 });
      inside.replaceRoute({ family: 'ipv4', destination: '0.0.0.0', prefixLength: 0, gateway, index: eth0 });
      const veth = this.#links.link(`veth${number}`)!.index;
      this.#links.addAddress({ index: veth, address: gateway, prefixLength: 32 });
      this.#links.setLink(veth, { up: true });
      this.#links.replaceRoute({ family: 'ipv4', destination: pod.address, prefixLength: 32, index: veth });
    } finally {
      inside.close();
    }
    return pod;
  }

  removePod(pod: PodNetwork): void {
    // The link goes first: a namespace lives on until its last socket is closed, and its link with it.
    const veth = this.#links.link(`veth${pod.number}`);
    if (veth !== undefined) this.#links.deleteLink(veth.index);
    deleteNetns(pod.netns);
    this.#used.delete(pod.number);
  }

  /** Routes the pods of another node by its LAN address. */
  routePods(node: V1Node): void {
    const gateway = node.status?.addresses?.find((address) => address.type === 'InternalIP')?.address;
    const [destination, bits] = (node.spec?.podCIDR ?? '').split('/');
    if (gateway === undefined || !destination || bits === undefined) return;
    this.#links.replaceRoute({ family: 'ipv4', destination, prefixLength: Number(bits), gateway });
  }

  /** The next number after the last one, as the host-local plugin does: an address is not reused at once. */
  #allocate(): number {
    for (let tries = 0; tries < 253; tries += 1) {
      this.#last = this.#last >= 254 ? 2 : this.#last + 1;
      if (this.#used.has(this.#last)) continue;
      this.#used.add(this.#last);
      return this.#last;
    }
    throw new Error(`all 253 pod addresses of ${this.#network}0/24 are in use`);
  }
}
