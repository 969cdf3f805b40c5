/** What the wire thread has to be told of the cluster's nodes. */
import { isDeepStrictEqual } from 'node:util';
import { formatAddress, isAddress, parseAddress } from '@fairlead/api';
import type { NodeInput } from '@fairlead/ipvs';
import type { WireNode } from '../wire/messages.js';

export class WireNodes {
  #told: readonly WireNode[] = [];
  /** A node that has not changed is the same object as before. */
  readonly #known = new WeakMap<NodeInput, WireNode>();

  /** All of them, if any is another than at the last call; else undefined. */
  take(nodes: readonly NodeInput[]): WireNode[] | undefined {
    const now = nodes.map((node) => this.#of(node));
    if (isDeepStrictEqual(now, this.#told)) return undefined;
    this.#told = now;
    return now;
  }

  #of(node: NodeInput): WireNode {
    const known = this.#known.get(node);
    if (known) return known;
    // In canonical form, as those of packets are.
    const internalIPs = node.internalIPs.filter(isAddress).map((ip) => formatAddress(parseAddress(ip)));
    const made = { name: node.name, internalIPs };
    this.#known.set(node, made);
    return made;
  }
}
