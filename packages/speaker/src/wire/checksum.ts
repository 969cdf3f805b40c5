/** The Internet checksum (RFC 1071), over a pseudo-header and a message as one's complement sum of 16-bit words. */

/** 0 for a message that holds its own checksum and is intact; else what belongs into the zeroed field. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let index = 0; index < part.length; index += 2) sum += (part[index]! << 8) | (part[index + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** RFC 8200 §8.1. Addresses of 16 octets each. */
export function ipv6PseudoHeader(source: Uint8Array, destination: Uint8Array, length: number, next: number): Buffer {
  const header = Buffer.alloc(40);
  header.set(source, 0);
  header.set(destination, 16);
  header.writeUInt32BE(length, 32);
  header[39] = next;
  return header;
}
