/** ARP and NDP entries: struct ndmsg and NDA_* (linux/neighbour.h). */
import { Attributes, Encoder } from '../attribute.js';
import type { Request } from '../batch.js';
import { MalformedMessageError } from '../errors.js';
import {
  AF_UNSPEC,
  decodeAddress,
  decodeHardwareAddress,
  encodeAddress,
  encodeHardwareAddress,
  type Family,
  familyName,
  familyNumber,
  familyOf,
} from '../ip.js';
import { NLM_F_CREATE, NLM_F_REPLACE } from '../message.js';
import { RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from './constants.js';

const HEADER_LENGTH = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;
const NTF_PROXY = 0x08;
const NTF_ROUTER = 0x80;

/** NUD_* */
const states = {
  none: 0,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;
export type NeighbourState = keyof typeof states;
const stateNames = new Map(Object.entries(states).map(([name, bit]) => [bit as number, name as NeighbourState]));

export interface NeighbourKey {
  /** Interface. */
  index: number;
  address: string;
  /** An address this machine answers ARP or NDP for on behalf of others. */
  proxy?: boolean;
}

export interface NeighbourOptions extends NeighbourKey {
  hardwareAddress?: string;
  /** 'permanent' by default. */
  state?: NeighbourState;
}

export interface Neighbour extends NeighbourOptions {
  family: Family;
  state: NeighbourState;
  proxy: boolean;
  /** IPv6: it advertised itself as a router. */
  router: boolean;
}

function header(family: number, index: number, state: number, flags: number): Buffer {
  // u8 family, 3 padding, s32 index, u16 state, u8 flags, u8 type
  const bytes = Buffer.alloc(HEADER_LENGTH);
  bytes.writeUInt8(family, 0);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt16LE(state, 8);
  bytes.writeUInt8(flags, 10);
  return bytes;
}

function encodeKey(key: NeighbourKey, state: number): Encoder {
  const family = familyOf(key.address);
  return new Encoder()
    .raw(header(familyNumber(family), key.index, state, key.proxy ? NTF_PROXY : 0))
    .binary(NDA_DST, encodeAddress(key.address, family));
}

function text(key: NeighbourKey): string {
  return `${key.proxy ? 'proxy ' : ''}neighbour ${key.address} on link ${key.index}`;
}

function tableFull({ address }: NeighbourKey): string {
  return (
    "the kernel's table of neighbours is full, which all network namespaces of this host share: make room for more by sysctl " +
    `net.${familyOf(address)}.neigh.default.gc_thresh3`
  );
}

export function replaceNeighbourRequest(neighbour: NeighbourOptions): Request {
  const encoder = encodeKey(neighbour, states[neighbour.state ?? 'permanent']);
  if (neighbour.hardwareAddress !== undefined) {
    encoder.binary(NDA_LLADDR, encodeHardwareAddress(neighbour.hardwareAddress));
  }
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encoder.bytes(),
    operation: `replace ${text(neighbour)}`,
    reasons: { ENOBUFS: tableFull(neighbour) },
  };
}

export function deleteNeighbourRequest(key: NeighbourKey): Request {
  return { type: RTM_DELNEIGH, body: encodeKey(key, 0).bytes(), operation: `delete ${text(key)}` };
}

/** `proxy`: the proxy entries instead of the neighbours. */
export function listNeighboursRequest(filter: { index?: number; family?: Family; proxy?: boolean }): Request {
  const family = filter.family ? familyNumber(filter.family) : AF_UNSPEC;
  const encoder = new Encoder().raw(header(family, 0, 0, filter.proxy ? NTF_PROXY : 0));
  if (filter.index !== undefined) encoder.u32(NDA_IFINDEX, filter.index);
  return {
    type: RTM_GETNEIGH,
    body: encoder.bytes(),
    operation: `list ${filter.proxy ? 'proxy ' : ''}neighbours${filter.index ? ` of link ${filter.index}` : ''}`,
  };
}

/** The payload of RTM_NEWNEIGH or RTM_DELNEIGH; undefined for another address family (bridge forwarding entries). */
export function decodeNeighbour(payload: Buffer): Neighbour | undefined {
  if (payload.length < HEADER_LENGTH) throw new MalformedMessageError(`a neighbour of ${payload.length} bytes`);
  const family = familyName(payload.readUInt8(0));
  if (!family) return undefined;
  const attributes = new Attributes(payload.subarray(HEADER_LENGTH));
  const destination = attributes.binary(NDA_DST);
  if (!destination) throw new MalformedMessageError('a neighbour without an address');
  const flags = payload.readUInt8(10);
  const neighbour: Neighbour = {
    index: payload.readInt32LE(4),
    family,
    address: decodeAddress(destination, family),
    state: stateNames.get(payload.readUInt16LE(8)) ?? 'none',
    proxy: (flags & NTF_PROXY) !== 0,
    router: (flags & NTF_ROUTER) !== 0,
  };
  const hardwareAddress = attributes.binary(NDA_LLADDR);
  if (hardwareAddress) neighbour.hardwareAddress = decodeHardwareAddress(hardwareAddress);
  return neighbour;
}
