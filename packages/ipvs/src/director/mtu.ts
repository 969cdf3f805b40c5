/**
 * How large a packet the pair between host and director takes. Pure.
 *
 * As large as whatever comes in from outside: were the pair narrower than the uplink, full-sized packets (jumbo frames)
 * would not fit; were it wider than any, the node's own connections to a VIP would begin with segments that fit nowhere.
 * Interfaces with a routable address count, whichever kind they are (network card, bond, bridge, VLAN), and the widest
 * of them: for a narrower one the host sends "fragmentation needed" as it does for all it forwards.
 */
import { type Address, type Link, RT_SCOPE_UNIVERSE } from '@fairlead/netlink';

/** Where the host has no such interface (yet). */
const DEFAULT_MTU = 1500;
/** Less would take IPv6 away (RFC 8200 §5). */
const MIN_MTU = 1280;
/** The most that a veth interface takes (ETH_MAX_MTU). */
const MAX_MTU = 65_535;

/** `links` and `addresses` of the host; `own`: the host's end of the pair. */
export function pairMtu(links: readonly Link[], addresses: readonly Address[], own: string): number {
  const addressed = new Set(addresses.filter(({ scope }) => scope === RT_SCOPE_UNIVERSE).map(({ index }) => index));
  const mtus = links
    .filter(({ index, up, loopback, name }) => up && !loopback && name !== own && addressed.has(index))
    .map(({ mtu }) => mtu);
  const widest = mtus.length === 0 ? DEFAULT_MTU : Math.max(...mtus);
  return Math.min(MAX_MTU, Math.max(MIN_MTU, widest));
}
