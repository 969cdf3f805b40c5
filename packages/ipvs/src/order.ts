/**
 * The one order in which virtual servers and real servers are listed, planned and inserted: numeric by address, not
 * alphabetic. It matters beyond looks: the `mh` scheduler builds its table in list order, so two directors map a
 * client to the same real server only if they insert in the same order. Pure.
 */
import { compareAddresses, formatAddress, type IpAddress, parseAddress } from '@fairlead/api';
import type { VirtualServerKey } from './forwarder.js';

/** Text of an address in its one canonical form; throws AddressError. */
export function canonicalAddress(text: string): string {
  return formatAddress(parseAddress(text));
}

export function sortAddresses(addresses: Iterable<string>): string[] {
  return sortByKey([...new Set(addresses)], (address) => parseAddress(address));
}

/** By address, then port. */
export function sortRealServers<T extends { address: string; port: number }>(realServers: readonly T[]): T[] {
  if (realServers.length < 2) return [...realServers];
  return sortByKey(
    realServers,
    (server) => parseAddress(server.address),
    (a, b) => a.port - b.port,
  );
}

/** By address, then protocol, then port. */
export function sortByKeys<T extends VirtualServerKey>(virtualServers: readonly T[]): T[] {
  return sortByKey(virtualServers, (server) => parseAddress(server.address), compareRest);
}

/** As `sortByKeys`, and the real servers of each too. */
export function sortVirtualServers<T extends VirtualServerKey & { realServers: { address: string; port: number }[] }>(
  virtualServers: readonly T[],
): T[] {
  return sortByKeys(virtualServers).map((server) => ({ ...server, realServers: sortRealServers(server.realServers) }));
}

function compareRest(a: VirtualServerKey, b: VirtualServerKey): number {
  if (a.protocol !== b.protocol) return a.protocol < b.protocol ? -1 : 1;
  return a.port - b.port;
}

/** Parses each address once, not once per comparison: with 10,000 virtual servers that is most of the time. */
function sortByKey<T>(items: readonly T[], key: (item: T) => IpAddress, rest?: (a: T, b: T) => number): T[] {
  return items
    .map((item) => ({ item, address: key(item) }))
    .sort((a, b) => compareAddresses(a.address, b.address) || (rest?.(a.item, b.item) ?? 0))
    .map(({ item }) => item);
}
