/** Groups of IPv6 on one interface, as setsockopt wants them for IPV6_JOIN_GROUP and IPV6_LEAVE_GROUP. */

/** struct ipv6_mreq (ipv6(7)): the group's 16 octets, and the index of the interface. */
export function ipv6Membership(group: Uint8Array, ifindex: number): Buffer {
  const request = Buffer.alloc(20);
  request.set(group, 0);
  request.set(new Uint8Array(Int32Array.of(ifindex).buffer), 16);
  return request;
}
