/** Network interfaces: struct ifinfomsg and IFLA_* (linux/if_link.h). */
import { Attributes, Encoder } from '../attribute.js';
import type { Request } from '../batch.js';
import { MalformedMessageError } from '../errors.js';
import { decodeHardwareAddress, encodeHardwareAddress } from '../ip.js';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.js';
import { RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK } from './constants.js';

const HEADER_LENGTH = 16;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_IFALIAS = 20;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_EVENT = 44;
const IFLA_CARRIER_UP_COUNT = 47;
const IFLA_EVENT_BONDING_FAILOVER = 3;
const IFLA_EVENT_NOTIFY_PEERS = 4;
const VETH_INFO_PEER = 1;
const RTEXT_FILTER_SKIP_STATS = 1 << 3;

const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_LOWER_UP = 0x10000;

const operationalStates = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;
export type OperationalState = (typeof operationalStates)[number];

export interface Link {
  index: number;
  name: string;
  /** 'veth', 'bridge', ...; undefined for hardware and loopback. */
  kind?: string;
  /** Administratively up. */
  up: boolean;
  /** There is a carrier (IFF_LOWER_UP). */
  carrier: boolean;
  /** How often the carrier has come since the link exists; absent where the kernel does not count that. */
  carrierUps?: number;
  /** RFC 2863 state; 'unknown' for loopback. */
  operationalState: OperationalState;
  loopback: boolean;
  /** All IFF_* bits. */
  flags: number;
  mtu: number;
  /** Hardware address, `02:00:00:00:00:01`; '' if it has none. */
  address: string;
  /** Index of the bridge (or bond, or VRF) that this is a port of. */
  master?: number;
  /** Index of the lower or peer interface; in another network namespace if `peerNetnsId` is there. */
  peerIndex?: number;
  peerNetnsId?: number;
  alias?: string;
}

export interface VethOptions {
  name: string;
  /** Hardware address; random by default. */
  address?: string;
  /** Of both ends. */
  mtu?: number;
  peer: {
    name: string;
    address?: string;
    /** Makes the other end right in that network namespace (a name under /run/netns or an absolute path). */
    netns?: string;
  };
}

export interface LinkChange {
  up?: boolean;
  name?: string;
  /** Index of the bridge to become a port of; null to leave it. */
  master?: number | null;
  address?: string;
  /** Moves the link into that network namespace (a name under /run/netns or an absolute path). */
  netns?: string;
  mtu?: number;
  /** Free text shown by `ip link`; '' removes it. */
  alias?: string;
}

function header(index: number, flags = 0, changed = 0): Buffer {
  // u8 family, u8 padding, u16 type, s32 index, u32 flags, u32 which flags to change
  const bytes = Buffer.alloc(HEADER_LENGTH);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(changed, 12);
  return bytes;
}

export function listLinksRequest(): Request {
  const body = new Encoder().raw(header(0)).u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).bytes();
  return { type: RTM_GETLINK, body, operation: 'list links' };
}

export function getLinkRequest(nameOrIndex: string | number): Request {
  const encoder = new Encoder().raw(header(typeof nameOrIndex === 'number' ? nameOrIndex : 0));
  if (typeof nameOrIndex === 'string') encoder.string(IFLA_IFNAME, nameOrIndex);
  encoder.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return { type: RTM_GETLINK, body: encoder.bytes(), operation: `get link ${nameOrIndex}` };
}

/** `netnsFd`: a descriptor of the peer's network namespace, open while the request is sent. */
export function addVethRequest(veth: VethOptions, netnsFd?: number): Request {
  const end = (encoder: Encoder, name: string, address?: string) => {
    encoder.string(IFLA_IFNAME, name);
    if (veth.mtu !== undefined) encoder.u32(IFLA_MTU, veth.mtu);
    if (address !== undefined) encoder.binary(IFLA_ADDRESS, encodeHardwareAddress(address));
  };
  const encoder = new Encoder().raw(header(0));
  end(encoder, veth.name, veth.address);
  encoder.nest(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, 'veth').nest(IFLA_INFO_DATA, (data) => {
      data.nest(VETH_INFO_PEER, (peer) => {
        peer.raw(header(0));
        end(peer, veth.peer.name, veth.peer.address);
        if (netnsFd !== undefined) peer.u32(IFLA_NET_NS_FD, netnsFd);
      });
    });
  });
  const where = veth.peer.netns ? ` in network namespace ${veth.peer.netns}` : '';
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: encoder.bytes(),
    operation: `add veth ${veth.name} with peer ${veth.peer.name}${where}`,
  };
}

/** A link of a kind that needs no parameters, such as 'bridge'. */
export function addLinkRequest(name: string, kind: string): Request {
  const body = new Encoder()
    .raw(header(0))
    .string(IFLA_IFNAME, name)
    .nest(IFLA_LINKINFO, (info) => {
      info.string(IFLA_INFO_KIND, kind);
    })
    .bytes();
  return { type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body, operation: `add ${kind} ${name}` };
}

/** `netnsFd`: a descriptor of `change.netns`, open while the request is sent. */
export function setLinkRequest(index: number, change: LinkChange, netnsFd?: number): Request {
  const changed = change.up === undefined ? 0 : IFF_UP;
  const encoder = new Encoder().raw(header(index, change.up ? IFF_UP : 0, changed));
  if (change.name !== undefined) encoder.string(IFLA_IFNAME, change.name);
  if (change.master !== undefined) encoder.u32(IFLA_MASTER, change.master ?? 0);
  if (change.address !== undefined) encoder.binary(IFLA_ADDRESS, encodeHardwareAddress(change.address));
  if (change.mtu !== undefined) encoder.u32(IFLA_MTU, change.mtu);
  // Without a terminating NUL: the kernel keeps the length as given, and an empty attribute removes the alias.
  if (change.alias !== undefined) encoder.binary(IFLA_IFALIAS, Buffer.from(change.alias));
  if (netnsFd !== undefined) encoder.u32(IFLA_NET_NS_FD, netnsFd);
  const what = Object.entries(change).map(([name, value]) => `${name} ${value}`);
  return { type: RTM_SETLINK, body: encoder.bytes(), operation: `set link ${index} ${what.join(', ')}` };
}

export function deleteLinkRequest(index: number): Request {
  return { type: RTM_DELLINK, body: header(index), operation: `delete link ${index}` };
}

/** The payload of RTM_NEWLINK or RTM_DELLINK. */
export function decodeLink(payload: Buffer): Link {
  if (payload.length < HEADER_LENGTH) throw new MalformedMessageError(`a link of ${payload.length} bytes`);
  const attributes = new Attributes(payload.subarray(HEADER_LENGTH));
  const flags = payload.readUInt32LE(8);
  const link: Link = {
    index: payload.readInt32LE(4),
    name: attributes.string(IFLA_IFNAME) ?? '',
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    operationalState: operationalStates[attributes.u8(IFLA_OPERSTATE) ?? 0] ?? 'unknown',
    loopback: (flags & IFF_LOOPBACK) !== 0,
    flags,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    address: decodeHardwareAddress(attributes.binary(IFLA_ADDRESS) ?? Buffer.alloc(0)),
  };
  const kind = attributes.nest(IFLA_LINKINFO)?.string(IFLA_INFO_KIND);
  const master = attributes.u32(IFLA_MASTER);
  const peerIndex = attributes.u32(IFLA_LINK);
  const peerNetnsId = attributes.s32(IFLA_LINK_NETNSID);
  const alias = attributes.string(IFLA_IFALIAS);
  const carrierUps = attributes.u32(IFLA_CARRIER_UP_COUNT);
  if (carrierUps !== undefined) link.carrierUps = carrierUps;
  if (kind !== undefined) link.kind = kind;
  if (master !== undefined) link.master = master;
  if (peerIndex !== undefined) link.peerIndex = peerIndex;
  if (peerNetnsId !== undefined) link.peerNetnsId = peerNetnsId;
  if (alias !== undefined) link.alias = alias;
  return link;
}

/**
 * Whether a notification asks to tell the neighbours again where the link's addresses are (NETDEV_NOTIFY_PEERS, NETDEV_BONDING_FAILOVER):
 * the other port of a bond is in use now, a virtual machine has moved to another host.
 */
export function asksToNotifyPeers(payload: Buffer): boolean {
  const event = new Attributes(payload.subarray(HEADER_LENGTH)).u32(IFLA_EVENT);
  return event === IFLA_EVENT_NOTIFY_PEERS || event === IFLA_EVENT_BONDING_FAILOVER;
}
