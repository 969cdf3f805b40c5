/** IP addresses as VRRP needs them: octets for packets, numbers for "the higher address wins". */

import { formatAddress, parseAddress } from '@fairlead/api';

export type Family = 'ipv4' | 'ipv6';

export function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** 4 or 16 octets. Throws for what is no address. */
export function addressBytes(address: string): Buffer {
  const parsed = parseAddress(address);
  if (parsed.family === 'ipv6') return Buffer.from(parsed.value.toString(16).padStart(32, '0'), 'hex');
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(parsed.value);
  return bytes;
}

export function addressNumber(address: string): bigint {
  return BigInt(parseAddress(address).value);
}

/** From 4 or 16 octets. */
export function addressText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return bytes.length === 4
    ? formatAddress({ family: 'ipv4', value: Number.parseInt(hex, 16) })
    : formatAddress({ family: 'ipv6', value: BigInt(`0x${hex}`) });
}
