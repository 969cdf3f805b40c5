/**
 * Who may connect to a virtual server, as the firewall can look it up. Pure.
 *
 * Ranges apply to the client as the owner's director sees it, which is what kube-proxy's apply to: a client on the LAN or
 * beyond a router by its own address, a pod on another node by whatever address its node lets it leave under.
 *
 * The owner itself, and those of its pods that its CNI plug-in masquerades, come in under the host's end of the veth
 * pair, an address that no user would think of. They may connect if one of the node's addresses may: so it makes no
 * difference which node happens to be the owner. (kube-proxy lets a node through by the same rule.)
 */
import {
  type AddressRange,
  addressBits,
  contains,
  formatAddress,
  formatRange,
  type IpAddress,
  mergeRanges,
  parseAddress,
  parseRange,
  size,
} from '@fairlead/api';

export interface OwnNode {
  /** Of the host: an address within a source range lets this node in. */
  addresses: readonly IpAddress[];
  /** The host's end of the veth pair: the addresses under which this node comes in. */
  link: readonly IpAddress[];
}

export const nobody: OwnNode = { addresses: [], link: [] };

/**
 * `open` when the ranges leave nobody of the VIP's family out. Otherwise the ranges of that family, disjoint and
 * ascending, each as an element of an nftables set: `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`. They must not
 * overlap there, so that they are joined here. None at all means that nobody of this family may connect.
 * Throws AddressError.
 */
export function allowedSources(
  vip: string,
  sourceRanges: readonly string[] | undefined,
  node: OwnNode,
): 'open' | readonly string[] {
  if (sourceRanges === undefined) return 'open';
  const { family } = parseAddress(vip);
  const ranges = mergeRanges(sourceRanges.map(parseRange).filter(({ first }) => first.family === family));
  if (ranges.length === 1 && size(ranges[0]!) === 1n << BigInt(addressBits(family))) return 'open';
  const invited = node.addresses.some((address) => ranges.some((range) => contains(range, address)));
  const own = invited ? node.link.filter((address) => address.family === family).map(only) : [];
  return mergeRanges([...ranges, ...own]).map(elementText);
}

function only(address: IpAddress): AddressRange {
  return { first: address, last: address };
}

function elementText(range: AddressRange): string {
  return size(range) === 1n ? formatAddress(range.first) : formatRange(range);
}
