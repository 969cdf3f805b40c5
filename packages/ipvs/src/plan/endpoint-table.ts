/** The EndpointSlices of every Service, and the endpoints in them that serve a port. */
import { isDeepStrictEqual } from 'node:util';
import type { EndpointInput, EndpointsInput, ServicePortInput } from './input.js';

/** Port → address → endpoint. */
export type Endpoints = ReadonlyMap<number, ReadonlyMap<string, EndpointInput>>;

const NONE: readonly EndpointsInput[] = [];

export class EndpointTable {
  /** Service → its slices: one of each name, and few. */
  readonly #services = new Map<string, readonly EndpointsInput[]>();
  /** Slice → Service. A slice does not change its Service, but may be deleted and made anew for another. */
  readonly #slices = new Map<string, string>();

  /** The Services that are concerned; [] when nothing changed. */
  set(slice: EndpointsInput): string[] {
    const { name, service } = slice;
    const before = this.#slices.get(name);
    if (before !== undefined && isDeepStrictEqual(this.#named(name, before), slice)) return [];
    const concerned = before === undefined || before === service ? [] : this.delete(name);
    this.#slices.set(name, service);
    this.#services.set(service, [...this.#others(name, service), slice]);
    return [...concerned, service];
  }

  /** As `set`. */
  delete(name: string): string[] {
    const service = this.#slices.get(name);
    if (service === undefined) return [];
    this.#slices.delete(name);
    const others = this.#others(name, service);
    if (others.length === 0) this.#services.delete(service);
    else this.#services.set(service, others);
    return [service];
  }

  /** Names of the nodes that a Service has endpoints on. */
  nodesOf(service: string): Set<string> {
    const nodes = new Set<string>();
    for (const { endpoints } of this.#slicesOf(service)) {
      for (const { node } of endpoints) if (node !== undefined) nodes.add(node);
    }
    return nodes;
  }

  /** Addresses of a Service's endpoints on these nodes. */
  addressesOn(service: string, nodes: ReadonlySet<string>): string[] {
    return this.#slicesOf(service).flatMap(({ endpoints }) =>
      endpoints.filter(({ node }) => node !== undefined && nodes.has(node)).map(({ address }) => address),
    );
  }

  /**
   * The endpoints of one port, by the port that they have for it and then by address, in no particular order. While slices are
   * rebalanced one endpoint may be in two of them, the older of which does not know yet that it is ready, or where it is.
   */
  endpointsOf(service: string, family: 'ipv4' | 'ipv6', port: ServicePortInput): Endpoints {
    const found = new Map<number, Map<string, EndpointInput>>();
    for (const slice of this.#slicesOf(service)) {
      if (slice.family !== family) continue;
      for (const target of slice.ports) {
        if ((target.name ?? '') !== (port.name ?? '') || target.protocol !== port.protocol) continue;
        const there = found.get(target.port) ?? new Map<string, EndpointInput>();
        found.set(target.port, there);
        for (const endpoint of slice.endpoints) {
          const other = there.get(endpoint.address);
          if (!other || speaksLouder(endpoint, other)) there.set(endpoint.address, endpoint);
        }
      }
    }
    return found;
  }

  #slicesOf(service: string): readonly EndpointsInput[] {
    return this.#services.get(service) ?? NONE;
  }

  #named(slice: string, service: string): EndpointsInput | undefined {
    return this.#slicesOf(service).find(({ name }) => name === slice);
  }

  /** The Service's but that one. */
  #others(slice: string, service: string): readonly EndpointsInput[] {
    return this.#slicesOf(service).filter(({ name }) => name !== slice);
  }
}

/** There are some, and none has a node: what made their slices left `nodeName` out. */
export function areNowhere(endpoints: Endpoints): boolean {
  const all = [...endpoints.values()].flatMap((there) => [...there.values()]);
  return all.length > 0 && all.every(({ node }) => node === undefined);
}

/** Ready before terminating, then one with a node; anything more only has to be the same whatever the order of slices. */
function speaksLouder(a: EndpointInput, b: EndpointInput): boolean {
  if (Boolean(a.terminating) !== Boolean(b.terminating)) return !a.terminating;
  return (a.node ?? '') > (b.node ?? '');
}
