/** Addresses of interfaces: struct ifaddrmsg and IFA_* (linux/if_addr.h). */
import { Attributes, Encoder } from '../attribute.js';
import type { Request } from '../batch.js';
import { MalformedMessageError } from '../errors.js';
import { AF_UNSPEC, decodeAddress, encodeAddress, type Family, familyName, familyNumber, familyOf } from '../ip.js';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../message.js';
import { RT_SCOPE_HOST, RT_SCOPE_UNIVERSE, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from './constants.js';

const HEADER_LENGTH = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;

const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;
const FOREVER = 0xffffffff;

export interface AddressKey {
  /** Interface. */
  index: number;
  address: string;
  prefixLength: number;
}

export interface AddressOptions extends AddressKey {
  /** IPv6: use it at once, without duplicate address detection. */
  noDad?: boolean;
  /** Seconds after which the kernel removes the address by itself; for ever by default. */
  validLifetimeSeconds?: number;
}

export interface Address extends AddressKey {
  family: Family;
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host. */
  scope: number;
  /** All IFA_F_* bits. */
  flags: number;
  permanent: boolean;
  /** IPv6: duplicate address detection is not done yet: not usable. */
  tentative: boolean;
  /** IPv6: someone else has it. */
  duplicate: boolean;
  label?: string;
  /** Of a point-to-point link. */
  peer?: string;
  /** undefined = for ever. */
  validLifetimeSeconds?: number;
}

function header(key: { family: number; prefixLength: number; scope: number; index: number }): Buffer {
  // u8 family, u8 prefix length, u8 flags, u8 scope, u32 index
  const bytes = Buffer.alloc(HEADER_LENGTH);
  bytes.writeUInt8(key.family, 0);
  bytes.writeUInt8(key.prefixLength, 1);
  bytes.writeUInt8(key.scope, 3);
  bytes.writeUInt32LE(key.index, 4);
  return bytes;
}

function encodeKey(key: AddressKey): Encoder {
  const bytes = encodeAddress(key.address);
  const family = familyNumber(familyOf(key.address));
  const scope = key.address.startsWith('127.') || key.address === '::1' ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  return new Encoder()
    .raw(header({ family, prefixLength: key.prefixLength, scope, index: key.index }))
    .binary(IFA_LOCAL, bytes)
    .binary(IFA_ADDRESS, bytes);
}

function text(key: AddressKey): string {
  return `address ${key.address}/${key.prefixLength} on link ${key.index}`;
}

/** `replace`: also change lifetime and flags of an address that is there. */
export function addAddressRequest(address: AddressOptions, replace = false): Request {
  const encoder = encodeKey(address);
  if (address.noDad) encoder.u32(IFA_FLAGS, IFA_F_NODAD);
  if (address.validLifetimeSeconds !== undefined) {
    // u32 preferred, u32 valid, two stamps which the kernel ignores
    const lifetimes = Buffer.alloc(16);
    lifetimes.writeUInt32LE(address.validLifetimeSeconds, 0);
    lifetimes.writeUInt32LE(address.validLifetimeSeconds, 4);
    encoder.binary(IFA_CACHEINFO, lifetimes);
  }
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
    body: encoder.bytes(),
    operation: `${replace ? 'replace' : 'add'} ${text(address)}`,
  };
}

export function deleteAddressRequest(key: AddressKey): Request {
  return { type: RTM_DELADDR, body: encodeKey(key).bytes(), operation: `delete ${text(key)}` };
}

export function listAddressesRequest(filter: { index?: number; family?: Family }): Request {
  const family = filter.family ? familyNumber(filter.family) : AF_UNSPEC;
  return {
    type: RTM_GETADDR,
    body: header({ family, prefixLength: 0, scope: 0, index: filter.index ?? 0 }),
    operation: filter.index === undefined ? 'list addresses' : `list addresses of link ${filter.index}`,
  };
}

/** The payload of RTM_NEWADDR or RTM_DELADDR; undefined for another address family. */
export function decodeInterfaceAddress(payload: Buffer): Address | undefined {
  if (payload.length < HEADER_LENGTH) throw new MalformedMessageError(`an address of ${payload.length} bytes`);
  const family = familyName(payload.readUInt8(0));
  if (!family) return undefined;
  const attributes = new Attributes(payload.subarray(HEADER_LENGTH));
  const prefix = attributes.binary(IFA_ADDRESS);
  // IPv4 always has IFA_LOCAL; IPv6 only when there is a peer.
  const local = attributes.binary(IFA_LOCAL) ?? prefix;
  if (!local) throw new MalformedMessageError('an address message without an address');
  const flags = attributes.u32(IFA_FLAGS) ?? payload.readUInt8(2);
  const address: Address = {
    index: payload.readUInt32LE(4),
    family,
    address: decodeAddress(local, family),
    prefixLength: payload.readUInt8(1),
    scope: payload.readUInt8(3),
    flags,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    duplicate: (flags & IFA_F_DADFAILED) !== 0,
  };
  const label = attributes.string(IFA_LABEL);
  const peer = prefix && decodeAddress(prefix, family);
  const valid = attributes.binary(IFA_CACHEINFO, 8)?.readUInt32LE(4);
  if (label !== undefined) address.label = label;
  if (peer !== undefined && peer !== address.address) address.peer = peer;
  if (valid !== undefined && valid !== FOREVER) address.validLifetimeSeconds = valid;
  return address;
}
