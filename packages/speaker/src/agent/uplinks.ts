/**
 * Which interface of this node a VIP belongs to: the one that has an address in the VIP's subnet, as ARP only works there.
 * Pure; the interfaces come from rtnetlink.
 */

import { cidrOf, contains, type IpAddress, parseAddress } from '@fairlead/api';

export interface HostAddress {
  /** IPv4 or IPv6 address as text. */
  address: string;
  prefixLength: number;
}

export interface HostInterface {
  name: string;
  index: number;
  mtu: number;
  /** Up, and with carrier. */
  running: boolean;
  addresses: HostAddress[];
}

/**
 * The interface for a VIP, or undefined when none has an address in its subnet. The longest prefix counts, as in routing; then
 * the lowest index, so that the answer does not depend on the order in which the kernel lists them.
 */
export function uplinkFor(vip: IpAddress, interfaces: readonly HostInterface[]): HostInterface | undefined {
  let best: { of: HostInterface; prefixLength: number } | undefined;
  for (const candidate of interfaces) {
    for (const { address, prefixLength } of candidate.addresses) {
      if (isHostRoute(address, prefixLength) || !inSubnet(vip, address, prefixLength)) continue;
      const better =
        best === undefined ||
        prefixLength > best.prefixLength ||
        (prefixLength === best.prefixLength && candidate.index < best.of.index);
      if (better) best = { of: candidate, prefixLength };
    }
  }
  return best?.of;
}

/** An address that has no subnet. */
export function isHostRoute(address: string, prefixLength: number): boolean {
  return prefixLength === (address.includes(':') ? 128 : 32);
}

function inSubnet(vip: IpAddress, address: string, prefixLength: number): boolean {
  return contains(cidrOf(parseAddress(address), prefixLength), vip);
}
