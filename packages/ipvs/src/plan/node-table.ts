/**
 * The nodes, and which of them can be forwarded to.
 *
 * When every candidate (or such a share as is set) looks unusable at once, the cause is more likely the observer (its own link, the API server, a bad rollout of the
 * probed endpoint) than all nodes: then all of them are kept, because refusing every connection cannot be better than trying.
 * Excluded nodes are somebody's explicit wish: never kept.
 */
import { isDeepStrictEqual } from 'node:util';
import { compareAddresses, parseAddress } from '@fairlead/api';
import { familyOf } from '../forwarder.js';
import { canonicalAddress } from '../order.js';
import type { NodeInput } from './input.js';

export type Family = 'ipv4' | 'ipv6';

export interface NodeAddress {
  node: string;
  address: string;
}

/** What holds until a node changes. */
export interface NodeView {
  panic: boolean;
  /** The primary addresses of all usable nodes, ascending, then by name. */
  usable: Record<Family, readonly NodeAddress[]>;
  /** The same without names, and each once: a node that was renamed is one real server. */
  addresses: Record<Family, readonly string[]>;
}

export class NodeTable {
  readonly #nodes = new Map<string, NodeInput>();
  readonly #unhealthy = new Set<string>();
  readonly #suspects = new Set<string>();
  readonly #panicShare: number;
  #view: NodeView | undefined;

  constructor({ panicShare = 1 }: { panicShare?: number } = {}) {
    this.#panicShare = panicShare;
  }

  /** Each returns whether anything changed. */
  set(node: NodeInput): boolean {
    if (isDeepStrictEqual(this.#nodes.get(node.name), node)) return false;
    this.#nodes.set(node.name, node);
    return this.#changed();
  }

  delete(name: string): boolean {
    const deleted = [this.#nodes, this.#unhealthy, this.#suspects].filter((known) => known.delete(name));
    return deleted.length > 0 && this.#changed();
  }

  setHealth(name: string, healthy: boolean): boolean {
    return toggle(this.#unhealthy, name, !healthy) && this.#changed();
  }

  setSuspect(name: string, suspect: boolean): boolean {
    return toggle(this.#suspects, name, suspect) && this.#changed();
  }

  view(): NodeView {
    this.#view ??= this.#look();
    return this.#view;
  }

  /** Whether a Pod on that node can be reached, as far as anybody knows; a node that nobody knows speaks against nothing. */
  isUp(name: string | undefined): boolean {
    if (name === undefined || this.view().panic) return true;
    return !this.#unhealthy.has(name) && !this.#suspects.has(name);
  }

  /** Whether the probes say that it does not answer; not to be believed while they say so of all. */
  isDead(name: string | undefined): boolean {
    return name !== undefined && this.#unhealthy.has(name) && !this.view().panic;
  }

  /** The addresses of dead nodes. */
  deadAddresses(): string[] {
    if (this.view().panic) return [];
    return [...this.#unhealthy].flatMap((name) => this.#nodes.get(name)?.internalIPs.map(canonicalAddress) ?? []);
  }

  #changed(): true {
    this.#view = undefined;
    return true;
  }

  #look(): NodeView {
    const candidates = [...this.#nodes.values()].filter((node) => !node.excluded);
    const healthy = candidates.filter(
      ({ name, ready }) => ready && !this.#unhealthy.has(name) && !this.#suspects.has(name),
    );
    const unusable = candidates.length - healthy.length;
    const panic = unusable > 0 && unusable >= this.#panicShare * candidates.length;
    const nodes = panic ? candidates : healthy;
    const usable = { ipv4: primaryAddresses(nodes, 'ipv4'), ipv6: primaryAddresses(nodes, 'ipv6') };
    return { panic, usable, addresses: { ipv4: distinct(usable.ipv4), ipv6: distinct(usable.ipv6) } };
  }
}

function toggle(set: Set<string>, name: string, present: boolean): boolean {
  if (set.has(name) === present) return false;
  if (present) set.add(name);
  else set.delete(name);
  return true;
}

function primaryAddresses(nodes: readonly NodeInput[], family: Family): NodeAddress[] {
  return nodes
    .flatMap(({ name, internalIPs }) => {
      const primary = internalIPs.find((address) => familyOf(address) === family);
      return primary === undefined
        ? []
        : [{ node: name, parsed: parseAddress(primary), address: canonicalAddress(primary) }];
    })
    .sort((a, b) => compareAddresses(a.parsed, b.parsed) || (a.node < b.node ? -1 : 1))
    .map(({ node, address }) => ({ node, address }));
}

function distinct(addresses: readonly NodeAddress[]): string[] {
  return [...new Set(addresses.map(({ address }) => address))];
}
