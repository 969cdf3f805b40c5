/**
 * Neighbour Discovery for IPv6 over Ethernet (RFC 4861): the solicitations that ask for a VIP, and the advertisements that answer
 * or announce it. IPv6 addresses are 32 hexadecimal digits; hardware addresses are six octets.
 */

import { internetChecksum, ipv6PseudoHeader, updatedChecksum } from './checksum.js';

export const ALL_NODES = 'ff020000000000000000000000000001';
const UNSPECIFIED = '0'.repeat(32);
const SOLICITED_NODE_PREFIX = 'ff0200000000000000000001ff';

const ETHERNET_HEADER = 14;
const IPV6_HEADER = 40;
const SOURCE_IP_AT = ETHERNET_HEADER + 8;
const CHECKSUM_AT = ETHERNET_HEADER + IPV6_HEADER + 2;
const TARGET_AT = ETHERNET_HEADER + IPV6_HEADER + 8;
/** Type, code, checksum, flags, target. */
const MESSAGE = 24;
const ETHERTYPE_IPV6 = 0x86dd;
const ICMPV6 = 58;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const SOURCE_LINK_LAYER = 1;
const TARGET_LINK_LAYER = 2;
/** Nothing that crossed a router has it (RFC 4861 §7.1). */
const HOP_LIMIT = 255;
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;

export interface NdpPacket {
  kind: 'solicitation' | 'advertisement';
  /** Hardware address of the frame's sender. */
  sourceMac: Buffer;
  /** All zeros in a solicitation for duplicate address detection (RFC 4862 §5.4.2). */
  sourceIp: string;
  target: string;
  /** Whose the solicitation, or the target, says it is; absent when it does not say. */
  linkLayer: Buffer | undefined;
}

/** The group that solicitations for an address are sent to (RFC 4291 §2.7.1). */
export function solicitedNodeGroup(ip: string): string {
  return SOLICITED_NODE_PREFIX + ip.slice(-6);
}

/** The Ethernet address of an IPv6 group (RFC 2464 §7). */
export function multicastMac(group: string): Buffer {
  return Buffer.from(`3333${group.slice(-8)}`, 'hex');
}

/** The solicitation or advertisement in an Ethernet frame, or undefined when it is not a valid one (RFC 4861 §7.1). */
export function decodeNdpFrame(frame: Buffer): NdpPacket | undefined {
  if (frame.length < ETHERNET_HEADER + IPV6_HEADER + MESSAGE || frame.readUInt16BE(12) !== ETHERTYPE_IPV6)
    return undefined;
  const packet = frame.subarray(ETHERNET_HEADER);
  const length = packet.readUInt16BE(4);
  if (packet[0]! >> 4 !== 6 || packet[6] !== ICMPV6 || packet[7] !== HOP_LIMIT || length < MESSAGE) return undefined;
  if (packet.length < IPV6_HEADER + length) return undefined;
  const message = packet.subarray(IPV6_HEADER, IPV6_HEADER + length);
  const type = message[0];
  if ((type !== SOLICITATION && type !== ADVERTISEMENT) || message[1] !== 0) return undefined;
  const pseudoHeader = ipv6PseudoHeader(packet.subarray(8, 24), packet.subarray(24, 40), length, ICMPV6);
  if (internetChecksum(pseudoHeader, message) !== 0) return undefined;
  const target = message.toString('hex', 8, 24);
  const options = parseOptions(message.subarray(MESSAGE));
  if (options === undefined || target.startsWith('ff')) return undefined;
  const isSolicitation = type === SOLICITATION;
  const sourceIp = packet.toString('hex', 8, 24);
  const isUnspecified = sourceIp === UNSPECIFIED;
  const toGroup = packet.toString('hex', 24, 40).startsWith(SOLICITED_NODE_PREFIX);
  if (isUnspecified && (!isSolicitation || !toGroup || options.has(SOURCE_LINK_LAYER))) return undefined;
  return {
    kind: isSolicitation ? 'solicitation' : 'advertisement',
    sourceMac: frame.subarray(6, 12),
    sourceIp,
    target,
    linkLayer: options.get(isSolicitation ? SOURCE_LINK_LAYER : TARGET_LINK_LAYER),
  };
}

/** The link-layer options, each by its type; undefined when an option has no length or is cut off. */
function parseOptions(bytes: Buffer): Map<number, Buffer> | undefined {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const length = (bytes[at + 1] ?? 0) * 8;
    if (length === 0 || at + length > bytes.length) return undefined;
    if (length === 8) options.set(bytes[at]!, bytes.subarray(at + 2, at + 8));
    at += length;
  }
  return options;
}

/**
 * The answer to a solicitation: unicast to who asked, and to all nodes when it has no address yet (RFC 4861 §7.2.4), so that whoever
 * wants to give itself the address learns that it is taken.
 */
export function advertisementTo(solicitation: NdpPacket, mac: Buffer): Buffer {
  const { sourceIp, target, linkLayer, sourceMac } = solicitation;
  if (sourceIp === UNSPECIFIED) return unsolicitedAdvertisement(target, mac);
  return encodeAdvertisement({
    destinationMac: linkLayer ?? sourceMac,
    mac,
    destinationIp: sourceIp,
    target,
    flags: FLAG_SOLICITED | FLAG_OVERRIDE,
  });
}

/** "`ip` is at `mac`", to all nodes: neighbours that know the address take the new place over (RFC 4861 §7.2.6). */
export function unsolicitedAdvertisement(ip: string, mac: Buffer): Buffer {
  return encodeAdvertisement({
    destinationMac: multicastMac(ALL_NODES),
    mac,
    destinationIp: ALL_NODES,
    target: ip,
    flags: FLAG_OVERRIDE,
  });
}

/**
 * `unsolicitedAdvertisement` for many addresses, in one piece of memory: a takeover of thousands is over many times sooner. V8 has not compiled
 * any of this by then, so what is done for each address is one tight loop over the 16-bit words of all.
 */
export function unsolicitedAdvertisements(ips: readonly string[], mac: Buffer): Buffer[] {
  const template = unsolicitedAdvertisement(UNSPECIFIED, mac);
  const { length } = template;
  const memory = Buffer.allocUnsafeSlow(length * ips.length).fill(template);
  // Words in the order of this machine's bytes: the sum comes out in the same order (RFC 1071 §2).
  const words = new Uint16Array(memory.buffer);
  const addresses = new Uint16Array(Uint8Array.from(Buffer.from(ips.join(''), 'hex')).buffer);
  for (let from = 0, frame = 0; from < addresses.length; from += 8, frame += length / 2) {
    const checksum = words[frame + CHECKSUM_AT / 2]!;
    let sum = 0;
    for (let index = 0; index < 8; index++) {
      const word = addresses[from + index]!;
      words[frame + SOURCE_IP_AT / 2 + index] = word;
      words[frame + TARGET_AT / 2 + index] = word;
      sum += word;
    }
    // The address is in the sum twice: as sender, in the pseudo-header, and as target.
    words[frame + CHECKSUM_AT / 2] = updatedChecksum(checksum, 2 * sum);
  }
  return ips.map((_, index) => memory.subarray(index * length, (index + 1) * length));
}

/** "Has anybody `ip`?", asked by nobody, so that no cache learns from it: whoever has the address tells all nodes (RFC 4862 §5.4.2). */
export function ndpProbe(ip: string, mac: Buffer): Buffer {
  const group = solicitedNodeGroup(ip);
  const message = Buffer.alloc(MESSAGE);
  message[0] = SOLICITATION;
  message.write(ip, 8, 'hex');
  return encodeNdpFrame({
    destinationMac: multicastMac(group),
    mac,
    sourceIp: UNSPECIFIED,
    destinationIp: group,
    message,
  });
}

interface Advertisement {
  destinationMac: Buffer;
  mac: Buffer;
  destinationIp: string;
  target: string;
  /** Never the router flag: a VIP is nobody's router, and neighbours that saw the flag come and go would drop routes with it. */
  flags: number;
}

function encodeAdvertisement({ destinationMac, mac, destinationIp, target, flags }: Advertisement): Buffer {
  const message = Buffer.alloc(MESSAGE + 8);
  message[0] = ADVERTISEMENT;
  message[4] = flags;
  message.write(target, 8, 'hex');
  message[24] = TARGET_LINK_LAYER;
  message[25] = 1;
  mac.copy(message, 26);
  return encodeNdpFrame({ destinationMac, mac, sourceIp: target, destinationIp, message });
}

interface NdpFrame {
  destinationMac: Buffer;
  mac: Buffer;
  sourceIp: string;
  destinationIp: string;
  /** Without its checksum. */
  message: Buffer;
}

function encodeNdpFrame({ destinationMac, mac, sourceIp, destinationIp, message }: NdpFrame): Buffer {
  const header = Buffer.alloc(ETHERNET_HEADER + IPV6_HEADER);
  destinationMac.copy(header, 0);
  mac.copy(header, 6);
  header.writeUInt16BE(ETHERTYPE_IPV6, 12);
  const packet = header.subarray(ETHERNET_HEADER);
  packet[0] = 0x60;
  packet.writeUInt16BE(message.length, 4);
  packet[6] = ICMPV6;
  packet[7] = HOP_LIMIT;
  packet.write(sourceIp, 8, 'hex');
  packet.write(destinationIp, 24, 'hex');
  const pseudoHeader = ipv6PseudoHeader(packet.subarray(8, 24), packet.subarray(24, 40), message.length, ICMPV6);
  message.writeUInt16BE(internetChecksum(pseudoHeader, message), 2);
  return Buffer.concat([header, message]);
}
