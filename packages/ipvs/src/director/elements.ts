/**
 * What of the firewall depends on Services: elements of sets, and the difference between two states of them. Pure.
 *
 * | sets | hold | say |
 * |---|---|---|
 * | `vips4`, `snat4` | VIP | whose packets are ours, and what their source becomes |
 * | `services4` | VIP . protocol . port | open to everyone |
 * | `restricted4` | VIP . protocol . port | open to some: only there so that refusals can be counted apart |
 * | `sources4` | VIP . protocol . port . clients | those some |
 *
 * and the same with 6. An element is written as nft does, `10.77.0.200 . tcp . 80`, with protocols by name.
 */
import { familyOf, type VirtualServer, type VirtualServerKey } from '../forwarder.js';
import { allowedSources, type OwnNode } from './source-ranges.js';

export const kinds = ['vips', 'snat', 'services', 'restricted', 'sources'] as const;
export type ElementKind = (typeof kinds)[number];

/** The elements in the kernel, by kind, both families together. */
export type Elements = Record<ElementKind, ReadonlySet<string>>;

export interface ElementChange {
  verb: 'add' | 'delete';
  kind: ElementKind;
  family: 'ipv4' | 'ipv6';
  elements: readonly string[];
}

/** What the firewall shall let through. */
export interface Access {
  vips: ReadonlySet<string>;
  /** By `VIP . protocol . port`: its clients. */
  services: Map<string, 'open' | readonly string[]>;
}

/** As much of a virtual server as the firewall needs. */
export type Guarded = VirtualServerKey & Pick<VirtualServer, 'sourceRanges'>;

export function accessOf(vips: Iterable<string>, servers: Iterable<Guarded>, node: OwnNode): Access {
  const services: Access['services'] = new Map();
  for (const server of servers) {
    services.set(serviceElement(server), allowedSources(server.address, server.sourceRanges, node));
  }
  return { vips: new Set(vips), services };
}

export function elementsOf({ vips, services }: Access): Elements {
  const elements = { services: new Set<string>(), restricted: new Set<string>(), sources: new Set<string>() };
  for (const [service, clients] of services) {
    if (clients === 'open') {
      elements.services.add(service);
      continue;
    }
    elements.restricted.add(service);
    for (const range of clients) elements.sources.add(`${service} . ${range}`);
  }
  return { vips, snat: vips, ...elements };
}

/**
 * From `actual` to `desired`: deletions first, because a range may only be added when those it overlaps are gone. All in
 * one transaction, nobody notices the order.
 */
export function elementChanges(desired: Elements, actual: Elements): ElementChange[] {
  const changes: ElementChange[] = [];
  for (const [verb, wanted, there] of [
    ['delete', actual, desired],
    ['add', desired, actual],
  ] as const) {
    for (const kind of kinds) {
      const missing = [...wanted[kind]].filter((element) => !there[kind].has(element));
      for (const family of ['ipv4', 'ipv6'] as const) {
        const elements = missing.filter((element) => familyOf(element) === family);
        if (elements.length > 0) changes.push({ verb, kind, family, elements });
      }
    }
  }
  return changes;
}

/** A VIP's two elements count as one. */
export function operations(changes: readonly ElementChange[]): number {
  const counted = ({ kind, verb, family }: ElementChange) =>
    kind !== 'snat' ||
    !changes.some((other) => other.kind === 'vips' && other.verb === verb && other.family === family);
  return changes.filter(counted).reduce((sum, { elements }) => sum + elements.length, 0);
}

export function serviceElement({ address, protocol, port }: VirtualServerKey): string {
  return `${address} . ${protocol} . ${port}`;
}

/** `vips` → `vips4`: there is a set for each family. */
export function setName({ kind, family }: Pick<ElementChange, 'kind' | 'family'>): string {
  return `${kind}${family === 'ipv4' ? 4 : 6}`;
}
