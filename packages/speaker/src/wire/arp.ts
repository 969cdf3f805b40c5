/**
 * ARP over Ethernet for IPv4 (RFC 826), with the two forms of announcement of RFC 5227 §3.
 * IPv4 addresses are unsigned 32-bit numbers in host order; hardware addresses are six octets.
 */

import { BROADCAST_MAC, ZERO_MAC } from './mac.js';

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const ETHERNET_HEADER = 14;
const ARP_LENGTH = 28;
/** The shortest Ethernet frame without its checksum; shorter ones are padded with zeros. */
const MINIMUM_FRAME = 60;
const ETHERTYPE_ARP = 0x0806;
const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;

export interface ArpPacket {
  /** ARP_REQUEST, ARP_REPLY, or whatever else the sender wrote. */
  operation: number;
  senderMac: Buffer;
  senderIp: number;
  targetMac: Buffer;
  targetIp: number;
}

export interface ArpFrame extends ArpPacket {
  destination: Buffer;
  source: Buffer;
}

/** One Ethernet frame of 60 octets. */
export function encodeArpFrame(frame: ArpFrame): Buffer {
  // Of Node's pool: an allocation of its own for each frame takes longer than all the rest.
  const bytes = Buffer.allocUnsafe(MINIMUM_FRAME).fill(0);
  frame.destination.copy(bytes, 0);
  frame.source.copy(bytes, 6);
  bytes.writeUInt16BE(ETHERTYPE_ARP, 12);
  bytes.writeUInt16BE(HARDWARE_ETHERNET, 14);
  bytes.writeUInt16BE(PROTOCOL_IPV4, 16);
  bytes[18] = 6;
  bytes[19] = 4;
  bytes.writeUInt16BE(frame.operation, 20);
  frame.senderMac.copy(bytes, 22);
  bytes.writeUInt32BE(frame.senderIp, 28);
  frame.targetMac.copy(bytes, 32);
  bytes.writeUInt32BE(frame.targetIp, 38);
  return bytes;
}

/** The ARP packet in an Ethernet frame, or undefined when it is not a whole ARP packet for IPv4 over Ethernet. */
export function decodeArpFrame(bytes: Buffer): ArpFrame | undefined {
  if (bytes.length < ETHERNET_HEADER + ARP_LENGTH) return undefined;
  if (bytes.readUInt16BE(12) !== ETHERTYPE_ARP) return undefined;
  if (bytes.readUInt16BE(14) !== HARDWARE_ETHERNET || bytes.readUInt16BE(16) !== PROTOCOL_IPV4) return undefined;
  if (bytes[18] !== 6 || bytes[19] !== 4) return undefined;
  return {
    destination: bytes.subarray(0, 6),
    source: bytes.subarray(6, 12),
    operation: bytes.readUInt16BE(20),
    senderMac: bytes.subarray(22, 28),
    senderIp: bytes.readUInt32BE(28),
    targetMac: bytes.subarray(32, 38),
    targetIp: bytes.readUInt32BE(38),
  };
}

/** The answer to a request: "`ip` is at `mac`", unicast to who asked. */
export function arpReplyTo(request: ArpPacket, mac: Buffer): Buffer {
  return encodeArpFrame({
    destination: request.senderMac,
    source: mac,
    operation: ARP_REPLY,
    senderMac: mac,
    senderIp: request.targetIp,
    targetMac: request.senderMac,
    targetIp: request.senderIp,
  });
}

/** "Has anybody `ip`?", asked by nobody, so that no cache learns from it: whoever has the address answers (RFC 5227 §2.1.1). */
export function arpProbe(ip: number, mac: Buffer): Buffer {
  return encodeArpFrame({
    destination: BROADCAST_MAC,
    source: mac,
    operation: ARP_REQUEST,
    senderMac: mac,
    senderIp: 0,
    targetMac: ZERO_MAC,
    targetIp: ip,
  });
}

/** An ordinary question from `senderIp`; to one station, where its hardware address is known. It also tells the other where this node is. */
export function arpRequest(ip: number, senderIp: number, mac: Buffer, to: Buffer = BROADCAST_MAC): Buffer {
  return encodeArpFrame({
    destination: to,
    source: mac,
    operation: ARP_REQUEST,
    senderMac: mac,
    senderIp,
    targetMac: ZERO_MAC,
    targetIp: ip,
  });
}

/**
 * A gratuitous announcement in both forms: as a broadcast request (RFC 5227 §3) and as a broadcast reply whose target hardware
 * address is the sender's. Some stacks heed only one of them; Linux lets either override an entry at once, past its locktime.
 */
export function gratuitousArp(ip: number, mac: Buffer): [request: Buffer, reply: Buffer] {
  const common = { destination: BROADCAST_MAC, source: mac, senderMac: mac, senderIp: ip, targetIp: ip };
  return [
    encodeArpFrame({ ...common, operation: ARP_REQUEST, targetMac: BROADCAST_MAC }),
    encodeArpFrame({ ...common, operation: ARP_REPLY, targetMac: mac }),
  ];
}

/** The request form for many addresses, in one piece of memory: a takeover of thousands is over twenty times sooner. */
export function gratuitousRequests(ips: readonly number[], mac: Buffer): Buffer[] {
  return copies(gratuitousArp(0, mac)[0], ips);
}

/** The reply form for many addresses. */
export function gratuitousReplies(ips: readonly number[], mac: Buffer): Buffer[] {
  return copies(gratuitousArp(0, mac)[1], ips);
}

const SENDER_IP = 28;
const TARGET_IP = 38;

/** Copies of an announcement, each of another address. */
function copies(template: Buffer, ips: readonly number[]): Buffer[] {
  const memory = Buffer.allocUnsafeSlow(template.length * ips.length).fill(template);
  return ips.map((ip, index) => {
    const frame = memory.subarray(index * template.length, (index + 1) * template.length);
    frame.writeUInt32BE(ip, SENDER_IP);
    frame.writeUInt32BE(ip, TARGET_IP);
    return frame;
  });
}
