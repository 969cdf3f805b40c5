/** What a raw IPv4 socket receives, which is the whole packet (raw(7)). */

import { decodeAddress } from '@fairlead/netlink';

export interface Ipv4Packet {
  from: string;
  ttl: number;
  payload: Buffer;
}

/** undefined for what is cut off. */
export function ipv4Packet(data: Buffer): Ipv4Packet | undefined {
  const headerLength = (data[0]! & 0x0f) * 4;
  if (data.length < 20 || headerLength < 20 || data.length < headerLength) return undefined;
  return { from: decodeAddress(data.subarray(12, 16), 'ipv4'), ttl: data[8]!, payload: data.subarray(headerLength) };
}

/** What of such a packet is the same when it is sent again: all but its identification and, with that, the header's checksum (RFC 791 §3.1). */
export function ipv4Sameness(data: Buffer): Uint8Array {
  const mask = new Uint8Array(data.length).fill(0xff);
  return mask.fill(0, 4, 6).fill(0, 10, 12);
}
