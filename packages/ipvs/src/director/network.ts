/** The wiring of a director: the veth pair, addresses, neighbours, routes and kernel settings at both of its ends. */
import { existsSync } from 'node:fs';
import { parseAddress } from '@fairlead/api';
import { hasCode, type Link, RT_SCOPE_UNIVERSE, type Rtnetlink, type VethOptions } from '@fairlead/netlink';
import { ForwardingError } from '../errors.js';
import type { Log } from '../log.js';
import { MAIN_TABLE, ROUTE_PROTOCOL } from '../routes/tables.js';
import { type DirectorLink, directorLink, IPV4_PREFIX_LENGTH, IPV6_PREFIX_LENGTH, type LinkEnd } from './link.js';
import { pairMtu } from './mtu.js';
import { inspectPair } from './pair.js';
import type { OwnNode } from './source-ranges.js';
import {
  directorSysctls,
  ensureSysctls,
  hostInterfaceIpv6Sysctls,
  hostInterfaceSysctls,
  readSysctl,
} from './sysctls.js';

/** In every network namespace. */
export const LOOPBACK_INDEX = 1;

export interface NetworkOptions {
  /** Name of the network namespace under /run/netns. */
  name: string;
  /** Of the end on the host; default fairlead0. */
  hostInterface?: string;
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** Of the pair; default: that of the host's interfaces, as they are now (see mtu.ts). */
  mtu?: number;
}

/** Before the namespace is made: throws FL_FOREIGN_INTERFACE if the host has an interface of our name already. */
export function checkInterfaceFree(options: NetworkOptions, host: Rtnetlink): void {
  const link = directorLink(options.hostInterface);
  inspectPair({ director: options.name, link, hostEnd: host.link(link.host.name), directorLinks: [] });
}

/** Makes what is missing; returns how many things that were. */
export function ensureNetwork(options: NetworkOptions, host: Rtnetlink, inside: Rtnetlink, log: Log): number {
  const { name, hostNetns } = options;
  const link = directorLink(options.hostInterface);
  const mtu = wantedMtu(options, host);
  let changes = 0;
  const changed = (what: string) => {
    log.info({ netns: name, interface: link.host.name }, what);
    changes++;
  };

  const pair = { director: name, link, hostEnd: host.link(link.host.name), directorLinks: inside.links() };
  if (inspectPair(pair) === 'absent') {
    checkAddressFree(host, link);
    const peer = { name: link.director.name, address: link.director.mac, netns: name };
    addPair(host, { name: link.host.name, address: link.host.mac, mtu, peer });
    changed('interface to the director made');
  }
  const hostEnd = host.link(link.host.name)!;
  const directorEnd = inside.link(link.director.name)!;

  // lo first: IPVS refuses every real server in a namespace whose lo is down.
  const up = (rtnetlink: Rtnetlink, end: Link) => {
    if (end.up) return;
    rtnetlink.setLink(end.index, { up: true });
    changed(`${end.name} switched on`);
  };
  up(inside, inside.link(LOOPBACK_INDEX)!);
  const ends = [
    { rtnetlink: host, end: hostEnd, own: link.host, other: link.director },
    { rtnetlink: inside, end: directorEnd, own: link.director, other: link.host },
  ];
  changes += ensureMtu(options, host, inside, log);
  for (const { rtnetlink, end } of ends) up(rtnetlink, end);
  changes += ensureSysctls(hostNetns, hostInterfaceSysctls(link.host.name), log);
  changes += ensureSysctls(name, directorSysctls, log);

  const families: ('ipv4' | 'ipv6')[] = ['ipv4'];
  if (hasIpv6(hostNetns, link.host.name)) {
    families.push('ipv6');
    changes += ensureSysctls(hostNetns, hostInterfaceIpv6Sysctls(link.host.name), log);
  }
  for (const family of families) {
    for (const { rtnetlink, end, own, other } of ends) {
      if (ensureAddress(rtnetlink, end.index, own, family)) changed(`address ${own[family]} given to ${own.name}`);
      if (ensureNeighbour(rtnetlink, end.index, other, family)) changed(`neighbour ${other[family]} made known`);
    }
    if (ensureDefaultRoute(inside, directorEnd.index, link.host, family)) changed(`${family} default route set`);
  }
  return changes;
}

function addPair(host: Rtnetlink, pair: VethOptions): void {
  try {
    host.addVeth(pair);
  } catch (error) {
    if (!hasCode(error, 'EOPNOTSUPP')) throw error;
    const message =
      'this kernel has no veth interfaces, by which a director is joined to its host: it takes the module veth';
    throw new ForwardingError('FL_KERNEL_FEATURE', message, { cause: error });
  }
}

/** Makes both ends as wide as they are to be now; returns how many were not. */
export function ensureMtu(options: NetworkOptions, host: Rtnetlink, inside: Rtnetlink, log: Log): number {
  const mtu = wantedMtu(options, host);
  const link = directorLink(options.hostInterface);
  const ends = [
    { rtnetlink: host, end: host.link(link.host.name) },
    { rtnetlink: inside, end: inside.link(link.director.name) },
  ];
  let changes = 0;
  for (const { rtnetlink, end } of ends) {
    if (!end || end.mtu === mtu) continue;
    rtnetlink.setLink(end.index, { mtu });
    log.info({ netns: options.name, interface: end.name, before: end.mtu, mtu }, 'MTU set');
    changes++;
  }
  return changes;
}

function wantedMtu(options: NetworkOptions, host: Rtnetlink): number {
  const { host: end } = directorLink(options.hostInterface);
  return options.mtu ?? pairMtu(host.links(), host.addresses(), end.name);
}

/** Who this node is to its own director. */
export function ownNode({ hostInterface }: NetworkOptions, host: Rtnetlink): OwnNode {
  const { host: end } = directorLink(hostInterface);
  const own = host.link(end.name)?.index;
  const addresses = host
    .addresses()
    .filter(({ index, scope }) => index !== own && index !== LOOPBACK_INDEX && scope === RT_SCOPE_UNIVERSE)
    .map(({ address }) => parseAddress(address));
  return { addresses, link: [parseAddress(end.ipv4), parseAddress(end.ipv6)] };
}

/** IPv6 may be off in the kernel, or on this host's interfaces: then there are no IPv6 VIPs here. */
function hasIpv6(hostNetns: string | undefined, hostInterface: string): boolean {
  return (
    existsSync('/proc/sys/net/ipv6') && readSysctl(hostNetns, `net/ipv6/conf/${hostInterface}/disable_ipv6`) === '0'
  );
}

function checkAddressFree(host: Rtnetlink, link: DirectorLink): void {
  const network = link.host.ipv4.replace(/\.\d+$/, '.');
  const last = (address: string) => Number(address.slice(network.length));
  const taken = host
    .addresses({ family: 'ipv4' })
    .find(({ address }) => address.startsWith(network) && last(address) < 4);
  if (!taken) return;
  throw new ForwardingError(
    'FL_LINK_ADDRESS_TAKEN',
    `cannot connect host and director by ${link.host.ipv4}/${IPV4_PREFIX_LENGTH}: interface ${taken.index} of this host has ` +
      `${taken.address}/${taken.prefixLength} from the same network; is there another director on this host?`,
  );
}

function ensureAddress(rtnetlink: Rtnetlink, index: number, end: LinkEnd, family: 'ipv4' | 'ipv6'): boolean {
  const address = end[family];
  if (rtnetlink.addresses({ index, family }).some((existing) => existing.address === address)) return false;
  const prefixLength = family === 'ipv4' ? IPV4_PREFIX_LENGTH : IPV6_PREFIX_LENGTH;
  rtnetlink.addAddress({ index, address, prefixLength, noDad: family === 'ipv6' });
  return true;
}

function ensureNeighbour(rtnetlink: Rtnetlink, index: number, end: LinkEnd, family: 'ipv4' | 'ipv6'): boolean {
  const known = rtnetlink.neighbours({ index, family }).find(({ address }) => address === end[family]);
  if (known?.state === 'permanent' && known.hardwareAddress === end.mac) return false;
  rtnetlink.replaceNeighbour({ index, address: end[family], hardwareAddress: end.mac, state: 'permanent' });
  return true;
}

function ensureDefaultRoute(inside: Rtnetlink, index: number, host: LinkEnd, family: 'ipv4' | 'ipv6'): boolean {
  const gateway = host[family];
  const isDefault = inside
    .routes({ family, table: MAIN_TABLE })
    .some(
      (route) =>
        route.prefixLength === 0 && route.type === 'unicast' && route.gateway === gateway && route.index === index,
    );
  if (isDefault) return false;
  const destination = family === 'ipv4' ? '0.0.0.0' : '::';
  inside.replaceRoute({ family, destination, prefixLength: 0, gateway, index, protocol: ROUTE_PROTOCOL });
  return true;
}
