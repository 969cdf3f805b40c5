/** Routes: struct rtmsg and RTA_* (linux/rtnetlink.h). */
import { Attributes, align, Encoder } from '../attribute.js';
import type { Request } from '../batch.js';
import { MalformedMessageError } from '../errors.js';
import {
  AF_UNSPEC,
  addressBits,
  anyAddress,
  decodeAddress,
  encodeAddress,
  type Family,
  familyName,
  familyNumber,
} from '../ip.js';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../message.js';
import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTPROT_STATIC,
} from './constants.js';

const HEADER_LENGTH = 12;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const NEXT_HOP_LENGTH = 8;

/** In the order of RTN_*. */
const routeTypes = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
] as const;
export type RouteType = (typeof routeTypes)[number];

export interface RouteKey {
  family: Family;
  /** '0.0.0.0' or '::' with prefixLength 0 = the default route. */
  destination: string;
  prefixLength: number;
  /** 254 (main) by default. */
  table?: number;
  /** Priority among routes with the same destination, lower first; the kernel's default is 0 for IPv4, 1024 for IPv6. */
  metric?: number;
}

export interface RouteOptions extends RouteKey {
  gateway?: string;
  /** Interface to send through. */
  index?: number;
  /** Take the gateway for a neighbour on that interface though no prefix there contains it. */
  onlink?: boolean;
  /** Who made it (RTPROT_*): 4 (static) by default. */
  protocol?: number;
  /** 'unicast' by default. */
  type?: RouteType;
  /** Preferred source address of packets that this machine sends along the route. */
  source?: string;
}

/** Which routes to delete: what is left out matches anything. */
export interface RouteDeletion extends RouteKey {
  gateway?: string;
  index?: number;
  type?: RouteType;
  protocol?: number;
}

export interface NextHop {
  index: number;
  gateway?: string;
  weight: number;
}

export interface Route extends RouteOptions {
  table: number;
  protocol: number;
  type: RouteType;
  /** RT_SCOPE_* */
  scope: number;
  /** Of a multipath route; `gateway` and `index` are absent then. */
  nextHops?: NextHop[];
}

function header(fields: {
  family: number;
  prefixLength?: number;
  table: number;
  protocol?: number;
  scope?: number;
  type?: number;
  flags?: number;
}): Buffer {
  // u8 family, destination length, source length, tos, table, protocol, scope, type; u32 flags
  const bytes = Buffer.alloc(HEADER_LENGTH);
  bytes.writeUInt8(fields.family, 0);
  bytes.writeUInt8(fields.prefixLength ?? 0, 1);
  // Numbers above 255 go into RTA_TABLE alone.
  bytes.writeUInt8(fields.table < 256 ? fields.table : 0, 4);
  bytes.writeUInt8(fields.protocol ?? 0, 5);
  bytes.writeUInt8(fields.scope ?? 0, 6);
  bytes.writeUInt8(fields.type ?? 0, 7);
  bytes.writeUInt32LE(fields.flags ?? 0, 8);
  return bytes;
}

function encodeRoute(route: RouteOptions, scope: number, type: number, protocol: number): Buffer {
  if (route.prefixLength < 0 || route.prefixLength > addressBits(route.family)) {
    throw new RangeError(`route ${route.destination}/${route.prefixLength}: the prefix length is out of range`);
  }
  const table = route.table ?? RT_TABLE_MAIN;
  const encoder = new Encoder().raw(
    header({
      family: familyNumber(route.family),
      prefixLength: route.prefixLength,
      table,
      protocol,
      scope,
      type,
      flags: route.onlink ? RTNH_F_ONLINK : 0,
    }),
  );
  if (route.prefixLength > 0) encoder.binary(RTA_DST, encodeAddress(route.destination, route.family));
  encoder.u32(RTA_TABLE, table);
  if (route.gateway !== undefined) encoder.binary(RTA_GATEWAY, encodeAddress(route.gateway, route.family));
  if (route.index !== undefined) encoder.u32(RTA_OIF, route.index);
  if (route.source !== undefined) encoder.binary(RTA_PREFSRC, encodeAddress(route.source, route.family));
  if (route.metric !== undefined) encoder.u32(RTA_PRIORITY, route.metric);
  return encoder.bytes();
}

/** As iproute2 chooses it: IPv4 refuses an unfitting scope, IPv6 ignores it. */
function scopeOf(route: RouteOptions): number {
  const type = route.type ?? 'unicast';
  if (type === 'local') return RT_SCOPE_HOST;
  if (type === 'broadcast' || type === 'multicast' || type === 'anycast') return RT_SCOPE_LINK;
  if (type === 'unicast' && route.gateway === undefined) return RT_SCOPE_LINK;
  return RT_SCOPE_UNIVERSE;
}

function text(route: RouteDeletion): string {
  const type = route.type && route.type !== 'unicast' ? `${route.type} ` : '';
  const via = route.gateway ? ` via ${route.gateway}` : '';
  const link = route.index ? ` on link ${route.index}` : '';
  return `route ${type}${route.destination}/${route.prefixLength}${via}${link} table ${route.table ?? RT_TABLE_MAIN}`;
}

/** `replace`: take the place of a route with the same destination, table and metric. */
export function addRouteRequest(route: RouteOptions, replace: boolean): Request {
  const type = routeTypes.indexOf(route.type ?? 'unicast');
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
    body: encodeRoute(route, scopeOf(route), type, route.protocol ?? RTPROT_STATIC),
    operation: `${replace ? 'replace' : 'add'} ${text(route)}`,
  };
}

/** The kernel deletes the first route that matches. */
export function deleteRouteRequest(route: RouteDeletion): Request {
  const type = route.type ? routeTypes.indexOf(route.type) : 0;
  return {
    type: RTM_DELROUTE,
    body: encodeRoute(route, RT_SCOPE_NOWHERE, type, route.protocol ?? 0),
    operation: `delete ${text(route)}`,
  };
}

export function listRoutesRequest(filter: { family?: Family; table?: number }): Request {
  const family = filter.family ? familyNumber(filter.family) : AF_UNSPEC;
  const encoder = new Encoder().raw(header({ family, table: filter.table ?? 0 }));
  if (filter.table !== undefined) encoder.u32(RTA_TABLE, filter.table);
  const where = filter.table === undefined ? '' : ` of table ${filter.table}`;
  return { type: RTM_GETROUTE, body: encoder.bytes(), operation: `list ${filter.family ?? 'all'} routes${where}` };
}

/** The payload of RTM_NEWROUTE or RTM_DELROUTE; undefined for other families and for cached entries. */
export function decodeRoute(payload: Buffer): Route | undefined {
  if (payload.length < HEADER_LENGTH) throw new MalformedMessageError(`a route of ${payload.length} bytes`);
  const family = familyName(payload.readUInt8(0));
  const type = routeTypes[payload.readUInt8(7)];
  const flags = payload.readUInt32LE(8);
  if (!family || !type || flags & RTM_F_CLONED) return undefined;
  const attributes = new Attributes(payload.subarray(HEADER_LENGTH));
  const address = (attribute: number) => {
    const bytes = attributes.binary(attribute);
    return bytes && decodeAddress(bytes, family);
  };
  const route: Route = {
    family,
    destination: address(RTA_DST) ?? anyAddress(family),
    prefixLength: payload.readUInt8(1),
    table: attributes.u32(RTA_TABLE) ?? payload.readUInt8(4),
    protocol: payload.readUInt8(5),
    scope: payload.readUInt8(6),
    type,
  };
  const gateway = address(RTA_GATEWAY);
  const index = attributes.u32(RTA_OIF);
  const source = address(RTA_PREFSRC);
  const metric = attributes.u32(RTA_PRIORITY);
  const nextHops = attributes.binary(RTA_MULTIPATH);
  if (gateway !== undefined) route.gateway = gateway;
  if (index !== undefined) route.index = index;
  if (flags & RTNH_F_ONLINK) route.onlink = true;
  if (source !== undefined) route.source = source;
  if (metric !== undefined) route.metric = metric;
  if (nextHops) route.nextHops = decodeNextHops(nextHops, family);
  return route;
}

/** An array of struct rtnexthop {u16 length, u8 flags, u8 weight - 1, s32 index} with attributes behind each. */
function decodeNextHops(data: Buffer, family: Family): NextHop[] {
  const nextHops: NextHop[] = [];
  let at = 0;
  while (data.length - at >= NEXT_HOP_LENGTH) {
    const length = data.readUInt16LE(at);
    if (length < NEXT_HOP_LENGTH || at + length > data.length) {
      throw new MalformedMessageError(`a next hop claims ${length} bytes, ${data.length - at} are there`);
    }
    const gateway = new Attributes(data.subarray(at + NEXT_HOP_LENGTH, at + length)).binary(RTA_GATEWAY);
    nextHops.push({
      index: data.readInt32LE(at + 4),
      weight: data.readUInt8(at + 3) + 1,
      ...(gateway ? { gateway: decodeAddress(gateway, family) } : {}),
    });
    at += align(length);
  }
  return nextHops;
}
