/** TCP segments without payload in whole Ethernet frames, as objects that tests compare. */

export interface Segment {
  sourceMac: string;
  destinationMac: string;
  /** IPv4 or IPv6 address as text, both of one family; canonical. */
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  flags: 'syn' | 'ack' | 'syn ack' | 'fin ack' | 'psh ack' | 'rst' | 'rst ack';
  /** TTL or hop limit. */
  ttl: number;
}

const bits = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;
const TCP = 6;
const ETHERNET_HEADER = 14;
const TCP_LENGTH = 20;

export function encodeSegment(segment: Segment): Buffer {
  const isIpv6 = segment.source.includes(':');
  const addresses = [segment.source, segment.destination].map(isIpv6 ? bytesOf6 : bytesOf4);
  const tcp = Buffer.alloc(TCP_LENGTH);
  tcp.writeUInt16BE(segment.sourcePort, 0);
  tcp.writeUInt16BE(segment.destinationPort, 2);
  tcp.writeUInt32BE(1_000, 4);
  tcp.writeUInt32BE(segment.flags.includes('ack') ? 2_000 : 0, 8);
  tcp[12] = (TCP_LENGTH / 4) << 4;
  tcp[13] = flagBits(segment.flags);
  tcp.writeUInt16BE(64_000, 14);
  const pseudo = Buffer.concat([...addresses, Buffer.from([0, TCP, 0, TCP_LENGTH])]);
  tcp.writeUInt16BE(checksum(Buffer.concat([pseudo, tcp])), 16);
  const ip = isIpv6 ? header6(segment.ttl, addresses) : header4(segment.ttl, addresses);
  const macs = [segment.destinationMac, segment.sourceMac].map((mac) => Buffer.from(mac.replaceAll(':', ''), 'hex'));
  return Buffer.concat([...macs, Buffer.from(isIpv6 ? '86dd' : '0800', 'hex'), ip, tcp]);
}

/** undefined for what is no TCP segment. */
export function decodeSegment(frame: Buffer): Segment | undefined {
  const type = frame.readUInt16BE(12);
  if (type !== 0x0800 && type !== 0x86dd) return undefined;
  const isIpv6 = type === 0x86dd;
  const ip = frame.subarray(ETHERNET_HEADER);
  if (ip[isIpv6 ? 6 : 9] !== TCP) return undefined;
  const tcp = ip.subarray(isIpv6 ? 40 : (ip[0]! & 15) * 4);
  const [at, length, text] = isIpv6 ? ([8, 16, textOf6] as const) : ([12, 4, textOf4] as const);
  return {
    sourceMac: macText(frame.subarray(6, 12)),
    destinationMac: macText(frame.subarray(0, 6)),
    source: text(ip.subarray(at, at + length)),
    destination: text(ip.subarray(at + length, at + 2 * length)),
    sourcePort: tcp.readUInt16BE(0),
    destinationPort: tcp.readUInt16BE(2),
    flags: flagText(tcp[13]!),
    ttl: ip[isIpv6 ? 7 : 8]!,
  };
}

function header4(ttl: number, addresses: Buffer[]): Buffer {
  const ip = Buffer.concat([Buffer.from([0x45, 0, 0, 20 + TCP_LENGTH, 0, 1, 0x40, 0, ttl, TCP, 0, 0]), ...addresses]);
  ip.writeUInt16BE(checksum(ip), 10);
  return ip;
}

function header6(ttl: number, addresses: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x60, 0, 0, 0, 0, TCP_LENGTH, TCP, ttl]), ...addresses]);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function flagBits(flags: Segment['flags']): number {
  return flags.split(' ').reduce((sum, flag) => sum | bits[flag as keyof typeof bits], 0);
}

function flagText(number: number): Segment['flags'] {
  const order = ['syn', 'fin', 'psh', 'rst', 'ack'] as const;
  return order.filter((flag) => number & bits[flag]).join(' ') as Segment['flags'];
}

function bytesOf4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

function textOf4(bytes: Buffer): string {
  return [...bytes].join('.');
}

/** One `::` in it, as all addresses here have. */
function bytesOf6(text: string): Buffer {
  const [before = '', after = ''] = text.split('::').map((half) =>
    half
      .split(':')
      .map((g) => g.padStart(4, '0'))
      .join(''),
  );
  return Buffer.from(before.padEnd(32 - after.length, '0') + after, 'hex');
}

function textOf6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, n) => bytes.readUInt16BE(2 * n).toString(16));
  return groups.join(':').replace(/(^|:)(0(:|$)){2,}/, '::');
}

function macText(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
