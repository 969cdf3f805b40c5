/** The interfaces of this node that may lead to a LAN, as rtnetlink has them. */

import type { Link, Rtnetlink } from '@fairlead/netlink';
import type { HostInterface } from './uplinks.js';

/**
 * All interfaces with an Ethernet address but `ownInterface` (the veth to the director, which is no way to a LAN), and
 * but parts of a bond, a bridge or a team: what comes in through them belongs to the whole. With `only`, just the
 * interface of that name.
 */
export function hostInterfaces(
  rtnetlink: Pick<Rtnetlink, 'links' | 'addresses'>,
  options: { ownInterface: string; only?: string },
): HostInterface[] {
  const addresses = rtnetlink.addresses();
  const links = rtnetlink.links();
  // A VRF is a routing table, not a whole that its members are parts of.
  const isPart = ({ master }: Link) =>
    master !== undefined && links.find(({ index }) => index === master)?.kind !== 'vrf';
  return links
    .filter((link) => link.name !== options.ownInterface && (options.only === undefined || link.name === options.only))
    .filter((link) => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(link.address) && !link.loopback && !isPart(link))
    .map((link) => ({
      name: link.name,
      index: link.index,
      mtu: link.mtu,
      running: link.up && link.carrier,
      addresses: addresses
        .filter((address) => address.index === link.index)
        .map(({ address, prefixLength }) => ({ address, prefixLength })),
    }));
}
