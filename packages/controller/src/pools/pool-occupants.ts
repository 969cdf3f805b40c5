/**
 * What else in the cluster and on the LAN has addresses: nodes, the Pod and Service networks, and stations that the speakers
 * have heard. A pool must not want whole networks of the cluster, and single addresses are not given out. Pure.
 */

import {
  type AddressRange,
  type AddressSpace,
  formatAddress,
  formatRange,
  type IpAddress,
  isAddress,
  parseRangeOrAddress,
} from '@fairlead/api';
import type { Withheld } from '../allocator/allocator.js';
import { RangeIndex } from '../allocator/range-index.js';

export interface Occupant {
  kind: 'node' | 'pods' | 'services' | 'lan';
  range: AddressRange;
  /** Who, for a sentence: `node "n1"`, `the Pod network 10.244.1.0/24 of node "n1"`. */
  name: string;
}

/** The part of a core/v1 Node that is read here. */
export interface OccupantNode {
  metadata?: { name?: string };
  spec?: { podCIDR?: string; podCIDRs?: string[] };
  status?: { addresses?: { type: string; address: string }[] };
}

/** networking.k8s.io ServiceCIDR, Kubernetes 1.33 and later. */
export interface OccupantServiceCidr {
  metadata?: { name?: string };
  spec?: { cidrs?: string[] };
}

/** An address that a station on the LAN has answered for, as speakers report it. */
export interface Station {
  address: IpAddress;
  /** Hardware address as text. */
  mac: string;
  /** The node that has heard it. */
  seenBy: string;
}

export interface OccupantSources {
  nodes?: Iterable<OccupantNode>;
  serviceCidrs?: Iterable<OccupantServiceCidr>;
  /** Cluster addresses of the Service default/kubernetes: always there, and always of the Service network. */
  kubernetesIps?: readonly string[];
  /** Networks given on the command line, where the API does not tell. */
  podCidrs?: readonly string[];
  serviceNetworks?: readonly string[];
  stations?: Iterable<Station>;
}

export function occupantsOf(sources: OccupantSources): Occupant[] {
  const occupants: Occupant[] = [];
  const add = (kind: Occupant['kind'], text: string, name: (text: string) => string) => {
    const range = readable(text);
    if (range) occupants.push({ kind, range, name: name(formatRange(range)) });
  };
  for (const { metadata, spec, status } of sources.nodes ?? []) {
    const node = `node "${metadata?.name}"`;
    for (const { address } of status?.addresses ?? []) {
      // Host names are among them.
      if (isAddress(address)) add('node', address, () => node);
    }
    const podCidrs = spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []);
    for (const text of podCidrs) add('pods', text, (range) => `the Pod network ${range} of ${node}`);
  }
  for (const text of sources.podCidrs ?? []) add('pods', text, (range) => `the Pod network ${range} (--pod-cidr)`);
  for (const { metadata, spec } of sources.serviceCidrs ?? []) {
    for (const text of spec?.cidrs ?? []) {
      add('services', text, (range) => `the Service network ${range} (ServiceCIDR "${metadata?.name}")`);
    }
  }
  for (const text of sources.serviceNetworks ?? []) {
    add('services', text, (range) => `the Service network ${range} (--service-cidr)`);
  }
  for (const text of sources.kubernetesIps ?? []) {
    if (isAddress(text)) add('services', text, () => 'the Service network, of which Service "default/kubernetes" is');
  }
  for (const { address, mac, seenBy } of sources.stations ?? []) {
    const name = `a station on the LAN (${mac}, heard by node "${seenBy}")`;
    occupants.push({ kind: 'lan', range: { first: address, last: address }, name });
  }
  return occupants;
}

/** Who has what, sorted once for each list of occupants; owners are places in the list. */
const indexes = new WeakMap<readonly Occupant[], RangeIndex<number>>();

/** Which occupants have addresses of these ranges, in their order. */
function overlapping(
  ranges: readonly AddressRange[],
  occupants: readonly Occupant[],
): { occupant: Occupant; mine: AddressRange; shared: AddressRange }[] {
  let index = indexes.get(occupants);
  if (!index) {
    index = new RangeIndex(occupants.map(({ range }, owner) => ({ range, owner })));
    indexes.set(occupants, index);
  }
  const found = ranges.flatMap((mine) =>
    [...index.overlaps(mine)].map(({ owner, shared }) => ({ owner, mine, shared })),
  );
  found.sort((a, b) => a.owner - b.owner);
  return found.map(({ owner, mine, shared }) => ({ occupant: occupants[owner]!, mine, shared }));
}

/** The first network of the cluster that these ranges overlap, and what they share. */
export function networkWithin(ranges: readonly AddressRange[], occupants: readonly Occupant[]) {
  return overlapping(ranges, occupants).find(({ occupant: { kind } }) => kind === 'pods' || kind === 'services');
}

/** What must not be given out of these pools, with the reason for messages. */
export function withheldFrom(spaces: readonly AddressSpace[], occupants: readonly Occupant[]): Withheld[] {
  const ranges = spaces.flatMap((space) => space.ranges);
  return overlapping(ranges, occupants).map(({ occupant: { name }, shared }) => ({
    range: shared,
    why: `${name} has ${shortRange(shared)}`,
  }));
}

/** A single address without its prefix length. */
export function shortRange(range: AddressRange): string {
  return range.first.value === range.last.value ? formatAddress(range.first) : formatRange(range);
}

function readable(text: string): AddressRange | undefined {
  try {
    return parseRangeOrAddress(text);
  } catch {
    return undefined;
  }
}
