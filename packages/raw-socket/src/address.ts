/**
 * Socket addresses as the kernel wants them: `struct sockaddr_*` of <linux/netlink.h>, <linux/if_packet.h> and
 * <netinet/in.h>. The family is in the machine's byte order, ports and protocols are in network order; the functions
 * take and give host numbers throughout.
 */

import { isIPv4, isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { constants } from './constants.js';

const littleEndian = endianness() === 'LE';

function hostU16(bytes: Buffer, value: number, offset: number): void {
  if (littleEndian) bytes.writeUInt16LE(value, offset);
  else bytes.writeUInt16BE(value, offset);
}

function hostU32(bytes: Buffer, value: number, offset: number): void {
  if (littleEndian) bytes.writeUInt32LE(value, offset);
  else bytes.writeUInt32BE(value, offset);
}

function view(bytes: Uint8Array, family: number, size: number, name: string): Buffer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const actual = buffer.length < 2 ? undefined : littleEndian ? buffer.readUInt16LE(0) : buffer.readUInt16BE(0);
  if (actual !== family || buffer.length < size) {
    const message = `not a ${name}: ${buffer.length} bytes of family ${actual}, wanted ${size} of family ${family}`;
    throw Object.assign(new RangeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
  }
  return buffer;
}

function readHostU32(bytes: Buffer, offset: number): number {
  return littleEndian ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
}

/** A netlink port and its multicast groups. pid 0 is the kernel; when binding, 0 lets the kernel choose a port. */
export interface NetlinkAddress {
  pid: number;
  /** Bit n-1 is group n; groups above 32 are joined with NETLINK_ADD_MEMBERSHIP. */
  groups: number;
}

/** `struct sockaddr_nl`, 12 bytes. */
export function sockaddrNl({ pid = 0, groups = 0 }: Partial<NetlinkAddress> = {}): Buffer {
  const bytes = Buffer.alloc(12);
  hostU16(bytes, constants.AF_NETLINK, 0);
  hostU32(bytes, pid, 4);
  hostU32(bytes, groups, 8);
  return bytes;
}

/** The reverse of sockaddrNl. @throws RangeError for another family or too few bytes. */
export function parseSockaddrNl(bytes: Uint8Array): NetlinkAddress {
  const buffer = view(bytes, constants.AF_NETLINK, 12, 'sockaddr_nl');
  return { pid: readHostU32(buffer, 4), groups: readHostU32(buffer, 8) };
}

/** An interface and a link-layer address on it. */
export interface LinkLayerAddress {
  ifindex: number;
  /** EtherType in host order: 0x0806 for ARP. */
  protocol: number;
  /** 0 to 8 bytes: 6 for Ethernet. */
  hardwareAddress?: Uint8Array;
}

export interface ReceivedLinkLayerAddress extends LinkLayerAddress {
  /** ARPHRD_*: 1 for Ethernet, 772 for loopback. */
  hardwareType: number;
  /** PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST or PACKET_OUTGOING. */
  packetType: number;
  hardwareAddress: Buffer;
}

/** `struct sockaddr_ll`, 20 bytes. To bind: interface and protocol; to send on SOCK_DGRAM: also the destination. */
export function sockaddrLl({ ifindex, protocol, hardwareAddress }: LinkLayerAddress): Buffer {
  const length = hardwareAddress?.length ?? 0;
  if (length > 8) {
    throw Object.assign(new RangeError(`a hardware address has at most 8 bytes here, not ${length}`), {
      code: 'ERR_OUT_OF_RANGE',
    });
  }
  const bytes = Buffer.alloc(20);
  hostU16(bytes, constants.AF_PACKET, 0);
  bytes.writeUInt16BE(protocol, 2);
  hostU32(bytes, ifindex, 4);
  bytes.writeUInt8(length, 11);
  if (hardwareAddress) bytes.set(hardwareAddress, 12);
  return bytes;
}

/** The sender of a message on an AF_PACKET socket. @throws RangeError for another family or too few bytes. */
export function parseSockaddrLl(bytes: Uint8Array): ReceivedLinkLayerAddress {
  // The kernel gives as many bytes as the hardware address needs: 18 for Ethernet.
  const buffer = view(bytes, constants.AF_PACKET, 12, 'sockaddr_ll');
  const length = Math.min(buffer.readUInt8(11), buffer.length - 12);
  return {
    ifindex: readHostU32(buffer, 4),
    protocol: buffer.readUInt16BE(2),
    hardwareType: littleEndian ? buffer.readUInt16LE(8) : buffer.readUInt16BE(8),
    packetType: buffer.readUInt8(10),
    hardwareAddress: Buffer.from(buffer.subarray(12, 12 + length)),
  };
}

export interface InternetAddress {
  address: string;
  /** 0 for raw sockets. */
  port: number;
}

/** `struct sockaddr_in`, 16 bytes. */
export function sockaddrIn({ address, port = 0 }: { address: string; port?: number }): Buffer {
  if (!isIPv4(address)) throw invalidAddress(address, 'IPv4');
  const bytes = Buffer.alloc(16);
  hostU16(bytes, constants.AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

/** The reverse of sockaddrIn. @throws RangeError for another family or too few bytes. */
export function parseSockaddrIn(bytes: Uint8Array): InternetAddress {
  const buffer = view(bytes, constants.AF_INET, 8, 'sockaddr_in');
  return { address: buffer.subarray(4, 8).join('.'), port: buffer.readUInt16BE(2) };
}

export interface Internet6Address extends InternetAddress {
  flowInfo: number;
  /** The interface, for link-local addresses. */
  scopeId: number;
}

/** `struct sockaddr_in6`, 28 bytes. The address has no zone: the interface is given as scopeId. */
export function sockaddrIn6(o: { address: string; port?: number; flowInfo?: number; scopeId?: number }): Buffer {
  if (!isIPv6(o.address) || o.address.includes('%')) throw invalidAddress(o.address, 'IPv6');
  const bytes = Buffer.alloc(28);
  hostU16(bytes, constants.AF_INET6, 0);
  bytes.writeUInt16BE(o.port ?? 0, 2);
  bytes.writeUInt32BE(o.flowInfo ?? 0, 4);
  bytes.set(ipv6Bytes(o.address), 8);
  hostU32(bytes, o.scopeId ?? 0, 24);
  return bytes;
}

/** The reverse of sockaddrIn6. @throws RangeError for another family or too few bytes. */
export function parseSockaddrIn6(bytes: Uint8Array): Internet6Address {
  const buffer = view(bytes, constants.AF_INET6, 28, 'sockaddr_in6');
  return {
    address: ipv6Text(buffer.subarray(8, 24)),
    port: buffer.readUInt16BE(2),
    flowInfo: buffer.readUInt32BE(4),
    scopeId: readHostU32(buffer, 24),
  };
}

function invalidAddress(address: string, family: string): Error {
  return Object.assign(new RangeError(`'${address}' is not an ${family} address`), { code: 'ERR_INVALID_IP_ADDRESS' });
}

/** The 16 bytes of an address that isIPv6 accepts. */
function ipv6Bytes(address: string): Buffer {
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a, b, c, d] = parts.slice(0, 4).map(Number) as [number, number, number, number];
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const first = groups(head);
  const last = groups(tail ?? '');
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  const bytes = Buffer.alloc(16);
  all.forEach((group, index) => {
    bytes.writeUInt16BE(group, index * 2);
  });
  return bytes;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as '::'. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2));
  let start = 0;
  let length = 0;
  for (let first = 0; first < 8; first++) {
    let next = first;
    while (next < 8 && groups[next] === 0) next++;
    if (next - first > length) [start, length] = [first, next - first];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}
