/**
 * The veth pair between a host and its director: names, addresses and hardware addresses, in one place.
 *
 *   host ── fairlead0 169.254.77.1/30 fe80::4d:1 ═══ eth0 169.254.77.2/30 fe80::4d:2 ── director
 *
 * Link-local addresses, because nothing beyond the two ends ever has to reach them, no cluster or LAN range can
 * collide with them, and tools that look for "the address of this node" (kubelet, CNI plug-ins) pass over link-local
 * ones. 169.254.77.0/30 is none of those that others use there (169.254.169.254 and .170.2 cloud metadata,
 * 169.254.20.10 NodeLocal DNSCache, 169.254.25.10 kubespray, 169.254.1.1 Calico, 169.254.42.1 flannel for Windows).
 *
 * The hardware addresses are fixed, for two reasons: udev leaves an address alone that was given at creation (it
 * replaces random ones some time later), and both ends can have each other as a permanent neighbour. So no ARP or
 * neighbour discovery happens on the pair, and the host's arp_ignore, arp_announce and strictARP do not matter.
 */
export interface LinkEnd {
  name: string;
  mac: string;
  ipv4: string;
  ipv6: string;
}

export interface DirectorLink {
  host: LinkEnd;
  director: LinkEnd;
}

export const DEFAULT_HOST_INTERFACE = 'fairlead0';
export const IPV4_PREFIX_LENGTH = 30;
export const IPV6_PREFIX_LENGTH = 64;

/** The pair behind a host interface of this name. Every host has its own: the addresses are the same on all. */
export function directorLink(hostInterface: string = DEFAULT_HOST_INTERFACE): DirectorLink {
  return {
    host: { name: hostInterface, mac: '02:fa:1e:ad:4d:01', ipv4: '169.254.77.1', ipv6: 'fe80::4d:1' },
    director: { name: 'eth0', mac: '02:fa:1e:ad:4d:02', ipv4: '169.254.77.2', ipv6: 'fe80::4d:2' },
  };
}
