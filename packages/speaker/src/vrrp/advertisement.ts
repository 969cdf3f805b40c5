/**
 * The one message of VRRP version 3 (RFC 9568 §5): "I am the active router of this virtual router", or with priority 0, "I am no
 * longer". Pure; what belongs to the IP header (hop limit 255, source) is checked where the packet is received.
 * Addresses are as packets carry them: 4 or 16 octets.
 */

import { internetChecksum, ipv6PseudoHeader } from '../wire/checksum.js';

export const VRRP_PROTOCOL = 112;
/** The field counts centiseconds in 12 bits (§5.2.7). */
export const MAX_INTERVAL_MS = 40_950;
/** The field counts addresses in 8 bits, but 90 of IPv6 fill an Ethernet frame already. Nothing reads them all (§5.2.5). */
export const MAX_ADDRESSES = 32;

const HEADER = 8;
const VERSION_AND_TYPE = 0x31;
const ANY_TYPE = 0x0f;

export interface Advertisement {
  /** 1 to 255. */
  virtualRouterId: number;
  /** 1 to 254; 255 of the router that has the addresses as its own; 0: it stops. */
  priority: number;
  /** How often the sender sends, ms, a multiple of 10 up to MAX_INTERVAL_MS. */
  intervalMs: number;
  /** At least one. */
  addresses: readonly Uint8Array[];
}

/** Source and destination of the IP packet: 4 octets each, or 16. */
export interface Path {
  source: Uint8Array;
  destination: Uint8Array;
}

/**
 * Over IPv4, `rfc9568` covers the message alone, and `rfc5798` a pseudo-header, too, as keepalived reads that RFC: by default it sends
 * this one and refuses the other. Over IPv6 they are the same.
 */
export type ChecksumForm = 'rfc9568' | 'rfc5798';

/** Why a packet is not heeded (RFC 9568 §7.1, with errata 8299 and 8301), as a metric's label has it. */
export type Fault = 'length' | 'version' | 'type' | 'checksum' | 'count' | 'interval';

export type Decoded =
  | {
      ok: true;
      advertisement: Advertisement;
      checksum: ChecksumForm;
    }
  | { ok: false; fault: Fault };

export function encodeAdvertisement(
  advertisement: Advertisement,
  path: Path,
  checksum: ChecksumForm = 'rfc9568',
): Buffer {
  const { virtualRouterId, priority, intervalMs, addresses } = advertisement;
  const size = path.source.length;
  const bytes = Buffer.alloc(HEADER + addresses.length * size);
  bytes[0] = VERSION_AND_TYPE;
  bytes[1] = virtualRouterId;
  bytes[2] = priority;
  bytes[3] = addresses.length;
  bytes.writeUInt16BE(Math.round(intervalMs / 10), 4);
  addresses.forEach((address, index) => {
    bytes.set(address, HEADER + index * size);
  });
  const isPlain = size === 4 && checksum === 'rfc9568';
  bytes.writeUInt16BE(isPlain ? internetChecksum(bytes) : checksumOver(bytes, path), 6);
  return bytes;
}

/** From the payload of an IP packet; Ethernet's padding may follow it. */
export function decodeAdvertisement(bytes: Buffer, path: Path): Decoded {
  if (bytes.length < HEADER) return fault('length');
  if (bytes[0]! >> 4 !== 3) return fault('version');
  if ((bytes[0]! & ANY_TYPE) !== 1) return fault('type');
  const size = path.source.length;
  const count = bytes[3]!;
  if (count === 0) return fault('count');
  const length = HEADER + count * size;
  if (bytes.length < length) return fault('length');
  const message = bytes.subarray(0, length);
  const plain = size === 4 && internetChecksum(message) === 0;
  if (!plain && checksumOver(message, path) !== 0) return fault('checksum');
  const intervalMs = (message.readUInt16BE(4) & 0x0fff) * 10;
  if (intervalMs === 0) return fault('interval');
  return {
    ok: true,
    advertisement: {
      virtualRouterId: message[1]!,
      priority: message[2]!,
      intervalMs,
      addresses: Array.from({ length: count }, (_, n) => message.subarray(HEADER + n * size, HEADER + (n + 1) * size)),
    },
    checksum: plain || size === 16 ? 'rfc9568' : 'rfc5798',
  };
}

function fault(name: Fault): Decoded {
  return { ok: false, fault: name };
}

/** With the pseudo-header of the IP version; IPv6 has no other way. */
function checksumOver(message: Buffer, { source, destination }: Path): number {
  if (source.length === 16) {
    return internetChecksum(ipv6PseudoHeader(source, destination, message.length, VRRP_PROTOCOL), message);
  }
  const tail = Buffer.from([0, VRRP_PROTOCOL, message.length >> 8, message.length & 0xff]);
  return internetChecksum(source, destination, tail, message);
}
