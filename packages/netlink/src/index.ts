/** Netlink for Node.js: rtnetlink, generic netlink, IPVS, elements of nf_tables, tracked connections. */
export * from './attribute.js';
export type { BatchFailure, Request, RequestList } from './batch.js';
export { Conntrack } from './conntrack/conntrack.js';
export type * from './conntrack/types.js';
export {
  errnoName,
  fromSystemError,
  hasCode,
  MalformedMessageError,
  NetlinkError,
  type NetlinkErrorOptions,
} from './errors.js';
export {
  type GenericFamily,
  type GenericMessage,
  GenericNetlink,
  type GenericNetlinkOptions,
  type GenericRequest,
  type GenericRequestList,
} from './generic/generic-netlink.js';
export {
  addressBits,
  anyAddress,
  decodeAddress,
  decodeHardwareAddress,
  encodeAddress,
  encodeHardwareAddress,
  type Family,
  familyOf,
} from './ip.js';
export { ipvsServiceFlags } from './ipvs/constants.js';
export { type IpvsAction, IpvsError, type IpvsProblem } from './ipvs/errors.js';
export { Ipvs, type IpvsOperationError, type IpvsOptions } from './ipvs/ipvs.js';
export * from './ipvs/types.js';
export * from './message.js';
export type { NetfilterOptions } from './netfilter/nfnetlink.js';
export { NftError, type NftFailure } from './nftables/errors.js';
export { Nftables } from './nftables/nftables.js';
export * from './nftables/types.js';
export type { Address, AddressKey, AddressOptions } from './route/address.js';
export { AddressWatch, type AddressWatchOptions } from './route/address-watch.js';
export { type Changeable, ChangeWatch, type ChangeWatchOptions } from './route/change-watch.js';
export * from './route/constants.js';
export type { Link, LinkChange, OperationalState, VethOptions } from './route/link.js';
export { type LinkEvent, LinkMonitor, type LinkMonitorOptions } from './route/monitor.js';
export type { Neighbour, NeighbourKey, NeighbourOptions, NeighbourState } from './route/neighbour.js';
export type { NextHop, Route, RouteDeletion, RouteKey, RouteOptions, RouteType } from './route/route.js';
export { Rtnetlink, type RtnetlinkOptions } from './route/rtnetlink.js';
export type { Prefix, Rule, RuleAction, RuleOptions } from './route/rule.js';
export { RuleMonitor, type RuleMonitorOptions } from './route/rule-monitor.js';
export { NetlinkSocket, type NetlinkSocketOptions } from './socket.js';
export { type Datagram, openTransport, type Transport, type TransportOptions } from './transport.js';
