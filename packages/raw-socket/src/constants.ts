/** Numbers of the kernel's headers, of the architecture that the addon was built on. Linux man pages explain each. */
import { native } from './native.js';

export interface Constants {
  // Address families, socket types, option levels.
  readonly AF_INET: number;
  readonly AF_INET6: number;
  readonly AF_NETLINK: number;
  readonly AF_PACKET: number;
  readonly AF_UNIX: number;
  readonly SOCK_DGRAM: number;
  readonly SOCK_RAW: number;
  readonly SOCK_STREAM: number;
  readonly SOL_SOCKET: number;
  readonly SOL_NETLINK: number;
  readonly SOL_PACKET: number;
  // Protocols; IPPROTO_* are option levels too.
  readonly IPPROTO_IP: number;
  readonly IPPROTO_ICMP: number;
  readonly IPPROTO_TCP: number;
  readonly IPPROTO_UDP: number;
  readonly IPPROTO_IPV6: number;
  readonly IPPROTO_ICMPV6: number;
  readonly IPPROTO_VRRP: number;
  readonly IPPROTO_RAW: number;
  readonly ETH_P_ALL: number;
  readonly ETH_P_ARP: number;
  readonly ETH_P_IP: number;
  readonly ETH_P_IPV6: number;
  readonly NETLINK_ROUTE: number;
  readonly NETLINK_NETFILTER: number;
  readonly NETLINK_GENERIC: number;
  // SOL_SOCKET, socket(7).
  readonly SO_ATTACH_FILTER: number;
  readonly SO_BINDTODEVICE: number;
  readonly SO_BROADCAST: number;
  readonly SO_DETACH_FILTER: number;
  readonly SO_DOMAIN: number;
  readonly SO_ERROR: number;
  readonly SO_LOCK_FILTER: number;
  readonly SO_MARK: number;
  readonly SO_PRIORITY: number;
  readonly SO_PROTOCOL: number;
  readonly SO_RCVBUF: number;
  readonly SO_RCVBUFFORCE: number;
  readonly SO_REUSEADDR: number;
  readonly SO_RXQ_OVFL: number;
  readonly SO_SNDBUF: number;
  readonly SO_SNDBUFFORCE: number;
  readonly SO_TIMESTAMPNS: number;
  readonly SO_TYPE: number;
  readonly SCM_TIMESTAMPNS: number;
  // IPPROTO_IP, ip(7).
  readonly IP_ADD_MEMBERSHIP: number;
  readonly IP_DROP_MEMBERSHIP: number;
  readonly IP_FREEBIND: number;
  readonly IP_HDRINCL: number;
  readonly IP_MULTICAST_ALL: number;
  readonly IP_MULTICAST_IF: number;
  readonly IP_MULTICAST_LOOP: number;
  readonly IP_MULTICAST_TTL: number;
  readonly IP_PKTINFO: number;
  readonly IP_RECVERR: number;
  readonly IP_RECVTTL: number;
  readonly IP_TOS: number;
  readonly IP_TRANSPARENT: number;
  readonly IP_TTL: number;
  // IPPROTO_IPV6, ipv6(7); IPPROTO_RAW for IPV6_CHECKSUM; IPPROTO_ICMPV6 for ICMP6_FILTER.
  readonly IPV6_CHECKSUM: number;
  readonly IPV6_FREEBIND: number;
  readonly IPV6_HOPLIMIT: number;
  readonly IPV6_JOIN_GROUP: number;
  readonly IPV6_LEAVE_GROUP: number;
  readonly IPV6_MULTICAST_HOPS: number;
  readonly IPV6_MULTICAST_IF: number;
  readonly IPV6_MULTICAST_LOOP: number;
  readonly IPV6_PKTINFO: number;
  readonly IPV6_RECVHOPLIMIT: number;
  readonly IPV6_RECVPKTINFO: number;
  readonly IPV6_UNICAST_HOPS: number;
  readonly IPV6_V6ONLY: number;
  readonly ICMP6_FILTER: number;
  // SOL_NETLINK, netlink(7).
  readonly NETLINK_ADD_MEMBERSHIP: number;
  readonly NETLINK_DROP_MEMBERSHIP: number;
  readonly NETLINK_PKTINFO: number;
  readonly NETLINK_BROADCAST_ERROR: number;
  readonly NETLINK_NO_ENOBUFS: number;
  readonly NETLINK_CAP_ACK: number;
  readonly NETLINK_EXT_ACK: number;
  readonly NETLINK_GET_STRICT_CHK: number;
  // SOL_PACKET and sockaddr_ll's packet types, packet(7).
  readonly PACKET_ADD_MEMBERSHIP: number;
  readonly PACKET_DROP_MEMBERSHIP: number;
  readonly PACKET_AUXDATA: number;
  readonly PACKET_STATISTICS: number;
  readonly PACKET_IGNORE_OUTGOING: number;
  readonly PACKET_QDISC_BYPASS: number;
  readonly PACKET_MR_MULTICAST: number;
  readonly PACKET_MR_PROMISC: number;
  readonly PACKET_MR_ALLMULTI: number;
  readonly PACKET_HOST: number;
  readonly PACKET_BROADCAST: number;
  readonly PACKET_MULTICAST: number;
  readonly PACKET_OTHERHOST: number;
  readonly PACKET_OUTGOING: number;
  // Flags of send, receive and messages, send(2) and recv(2).
  readonly MSG_CTRUNC: number;
  readonly MSG_DONTROUTE: number;
  readonly MSG_DONTWAIT: number;
  readonly MSG_ERRQUEUE: number;
  readonly MSG_PEEK: number;
  readonly MSG_TRUNC: number;
}

export const constants: Constants = Object.freeze(native.constants) as unknown as Constants;
