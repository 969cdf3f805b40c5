/** The Internet checksum (RFC 1071), over a pseudo-header and a message as one's complement sum of 16-bit words. */

/** 0 for a message that holds its own checksum and is intact; else what belongs into the zeroed field. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  return folded(sumOf(parts));
}

/** The checksum of what had `checksum`, once words of this sum have replaced as many zeros (RFC 1624). */
export function updatedChecksum(checksum: number, sum: number): number {
  return folded((~checksum & 0xffff) + sum);
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

function sumOf(parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let index = 0; index < part.length; index += 2) sum += (part[index]! << 8) | (part[index + 1] ?? 0);
  }
  return sum;
}

function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + (rest >>> 16);
  return ~rest & 0xffff;
}
