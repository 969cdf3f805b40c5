/** Internet and hardware addresses between text and the bytes of a netlink attribute. */
import { isIPv4, isIPv6 } from 'node:net';
import type { Encoder } from './attribute.js';
import { MalformedMessageError } from './errors.js';

export type Family = 'ipv4' | 'ipv6';

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

export function familyNumber(family: Family): number {
  return family === 'ipv4' ? AF_INET : AF_INET6;
}

/** undefined for any other address family. */
export function familyName(number: number): Family | undefined {
  return number === AF_INET ? 'ipv4' : number === AF_INET6 ? 'ipv6' : undefined;
}

/** The family of an address in text form; throws TypeError if it is none. */
export function familyOf(address: string): Family {
  if (isIPv4(address)) return 'ipv4';
  // A zone ("%eth0") is no part of an address attribute.
  if (isIPv6(address) && !address.includes('%')) return 'ipv6';
  throw new TypeError(`"${address}" is not an IPv4 or IPv6 address`);
}

/** 4 or 16 bytes in network order. With `family`, an address of the other one throws TypeError. */
export function encodeAddress(address: string, family: Family = familyOf(address)): Buffer {
  if (familyOf(address) !== family) throw new TypeError(`"${address}" is not an ${family} address`);
  return family === 'ipv4' ? encodeIpv4(address) : encodeIpv6(address);
}

function encodeIpv4(address: string): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  address.split('.').forEach((part, i) => {
    bytes[i] = Number(part);
  });
  return bytes;
}

function encodeIpv6(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  let text = address;
  const dot = text.indexOf('.');
  if (dot >= 0) {
    // The last 32 bits are written as IPv4: turn them into two groups.
    const start = text.lastIndexOf(':') + 1;
    const v4 = encodeIpv4(text.slice(start));
    text = `${text.slice(0, start)}${v4.readUInt16BE(0).toString(16)}:${v4.readUInt16BE(2).toString(16)}`;
  }
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  groups(head).forEach((group, i) => {
    bytes.writeUInt16BE(group, i * 2);
  });
  if (tail !== undefined) {
    const last = groups(tail);
    last.forEach((group, i) => {
      bytes.writeUInt16BE(group, 16 - (last.length - i) * 2);
    });
  }
  return bytes;
}

/** An address attribute; without garbage for IPv4, which tables of services consist of. Throws TypeError. */
export function putAddress(encoder: Encoder, type: number, address: string, family: Family): void {
  const value = family === 'ipv4' ? parseIpv4(address) : undefined;
  if (value === undefined) encoder.binary(type, encodeAddress(address, family));
  else encoder.u32be(type, value);
}

/** The address as a number; undefined for what is none. */
function parseIpv4(address: string): number | undefined {
  let value = 0;
  let part = -1;
  let dots = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) {
      // 0 before another digit is how C writes octal numbers.
      if (part === 0) return undefined;
      part = (part < 0 ? 0 : part * 10) + code - 0x30;
      if (part > 255) return undefined;
    } else {
      if (code !== 0x2e || part < 0) return undefined;
      value = value * 256 + part;
      part = -1;
      dots++;
    }
  }
  return dots === 3 && part >= 0 ? value * 256 + part : undefined;
}

/** Canonical text (RFC 5952 for IPv6) of the first 4 or 16 bytes. */
export function decodeAddress(bytes: Buffer, family: Family): string {
  const length = family === 'ipv4' ? 4 : 16;
  if (bytes.length < length) throw new MalformedMessageError(`an ${family} address of ${bytes.length} bytes`);
  if (family === 'ipv4') return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`;
  }
  const gap = longestZeroRun(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (gap.length < 2) return text(groups);
  return `${text(groups.slice(0, gap.start))}::${text(groups.slice(gap.start + gap.length))}`;
}

function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, i) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  });
  return best;
}

/** The address with no bit set. */
export function anyAddress(family: Family): string {
  return family === 'ipv4' ? '0.0.0.0' : '::';
}

/** 32 or 128. */
export function addressBits(family: Family): number {
  return family === 'ipv4' ? 32 : 128;
}

/** Six bytes from `02:00:00:00:00:01`; throws TypeError. */
export function encodeHardwareAddress(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new TypeError(`"${text}" is not a hardware address`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** `02:00:00:00:00:01` from bytes of any length; '' for none. */
export function decodeHardwareAddress(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
