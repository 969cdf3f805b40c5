/**
 * Data types: between a field as text or number and its bytes in a key.
 *
 * nft declares the type of a set as a number, six bits for each field of a concatenation (the first one on top), and
 * the kernel keeps it without looking. In a concatenation each field begins at a multiple of four bytes.
 */
import os from 'node:os';
import { align } from '../attribute.js';
import { MalformedMessageError } from '../errors.js';
import { decodeAddress, decodeHardwareAddress, encodeAddress, encodeHardwareAddress, type Family } from '../ip.js';
import type { NftValue } from './types.js';

export interface FieldType {
  name: string;
  /** Bytes. */
  length: number;
  /** Throws TypeError or RangeError. */
  encode(value: NftValue): Buffer;
  decode(bytes: Buffer): NftValue;
}

/** First and last value, both included; the same object for a single value. */
export interface Range {
  first: Buffer;
  last: Buffer;
}

const TYPE_BITS = 6;
const TYPE_MASK = (1 << TYPE_BITS) - 1;

const protocolNumbers = new Map([
  ['icmp', 1],
  ['tcp', 6],
  ['udp', 17],
  ['icmpv6', 58],
  ['sctp', 132],
]);
const protocolNames = new Map([...protocolNumbers].map(([name, number]) => [number, name]));

const addressType = (name: string, family: Family, length: number): FieldType => ({
  name,
  length,
  encode: (value) => encodeAddress(String(value), family),
  decode: (bytes) => decodeAddress(bytes, family),
});

/** By number, as in enum datatypes. */
const types = new Map<number, FieldType>([
  [7, addressType('ipv4_addr', 'ipv4', 4)],
  [8, addressType('ipv6_addr', 'ipv6', 16)],
  [
    9,
    {
      name: 'ether_addr',
      length: 6,
      encode: (value) => encodeHardwareAddress(String(value)),
      decode: (bytes) => decodeHardwareAddress(bytes),
    },
  ],
  [
    12,
    {
      name: 'inet_proto',
      length: 1,
      encode: (value) => Buffer.from([protocolNumbers.get(String(value)) ?? wholeNumber(value, 0xff, 'inet_proto')]),
      decode: (bytes) => protocolNames.get(bytes[0]!) ?? bytes[0]!,
    },
  ],
  [
    13,
    {
      name: 'inet_service',
      length: 2,
      encode: (value) => {
        const port = wholeNumber(value, 0xffff, 'inet_service');
        return Buffer.from([port >> 8, port & 0xff]);
      },
      decode: (bytes) => bytes.readUInt16BE(0),
    },
  ],
  [
    19,
    {
      name: 'mark',
      length: 4,
      encode: (value) => inHostOrder(wholeNumber(value, 0xffff_ffff, 'mark')),
      decode: (bytes) => (os.endianness() === 'LE' ? bytes.readUInt32LE(0) : bytes.readUInt32BE(0)),
    },
  ],
]);

/** Marks never leave the host: the kernel compares them as its own numbers. */
function inHostOrder(number: number): Buffer {
  return Buffer.from(Uint32Array.of(number).buffer);
}

function wholeNumber(value: NftValue, max: number, type: string): number {
  const number = typeof value === 'number' ? value : /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isInteger(number) || number < 0 || number > max) {
    throw new RangeError(`"${value}" is no ${type}: a whole number from 0 to ${max} is`);
  }
  return number;
}

/** The fields behind the number of a type; undefined for a type which this package does not know. */
export function fieldTypes(number: number): FieldType[] | undefined {
  const fields: FieldType[] = [];
  for (let rest = number; rest > 0; rest >>>= TYPE_BITS) {
    const type = types.get(rest & TYPE_MASK);
    if (!type) return undefined;
    fields.unshift(type);
  }
  return fields.length > 0 ? fields : undefined;
}

/** The bytes of a key or value. Throws TypeError or RangeError. */
export function encodeFields(fields: readonly FieldType[], values: readonly NftValue[]): Buffer {
  return join(
    fields,
    fieldsOf(fields, values).map((value, i) => fields[i]!.encode(value)),
  );
}

/** First and last key of a range in each field. Throws TypeError or RangeError. */
export function encodeRanges(fields: readonly FieldType[], values: readonly NftValue[]): Range {
  const ranges = fieldsOf(fields, values).map((value, i) => encodeRange(fields[i]!, value));
  return {
    first: join(
      fields,
      ranges.map(({ first }) => first),
    ),
    last: join(
      fields,
      ranges.map(({ last }) => last),
    ),
  };
}

function fieldsOf(fields: readonly FieldType[], values: readonly NftValue[]): readonly NftValue[] {
  if (values.length !== fields.length) {
    const type = fields.map(({ name }) => name).join(' . ');
    throw new TypeError(`"${values.join(' . ')}" has ${values.length} fields, "${type}" has ${fields.length}`);
  }
  return values;
}

function join(fields: readonly FieldType[], parts: readonly Buffer[]): Buffer {
  if (parts.length === 1) return parts[0]!;
  const bytes = Buffer.alloc(fields.reduce((sum, { length }) => sum + align(length), 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += align(part.length);
  }
  return bytes;
}

export function encodeRange(type: FieldType, value: NftValue): Range {
  if (typeof value === 'string' && value.includes('/')) return encodePrefix(type, value);
  if (typeof value === 'string' && value.includes('-')) {
    const [from = '', to = '', more] = value.split('-');
    const [first, last] = [type.encode(from), type.encode(to)];
    if (more !== undefined || Buffer.compare(first, last) > 0) throw new RangeError(`"${value}" is not a range`);
    return { first, last };
  }
  const only = type.encode(value);
  return { first: only, last: only };
}

function encodePrefix(type: FieldType, value: string): Range {
  const [address = '', length = '', more] = value.split('/');
  const bits = type.length * 8;
  const prefix = /^\d+$/.test(length) ? Number(length) : Number.NaN;
  if (more !== undefined || !(prefix <= bits)) throw new RangeError(`"${value}" is not a prefix of ${type.name}`);
  const bytes = type.encode(address);
  return { first: bytes.map((byte, i) => byte & mask(prefix, i)) as Buffer, last: lastOfPrefix(bytes, prefix) };
}

/** Which bits of byte number `i` the prefix fixes. */
function mask(prefix: number, i: number): number {
  return (0xff00 >> Math.min(8, Math.max(0, prefix - i * 8))) & 0xff;
}

function lastOfPrefix(bytes: Buffer, prefix: number): Buffer {
  return Buffer.from(bytes.map((byte, i) => byte | (~mask(prefix, i) & 0xff)));
}

export function decodeFields(fields: readonly FieldType[], bytes: Buffer): NftValue[] {
  return split(fields, bytes).map((part, i) => fields[i]!.decode(part));
}

export function decodeRanges(fields: readonly FieldType[], { first, last }: Range): NftValue[] {
  const lasts = split(fields, last);
  return split(fields, first).map((part, i) => decodeRange(fields[i]!, { first: part, last: lasts[i]! }));
}

function split(fields: readonly FieldType[], bytes: Buffer): Buffer[] {
  let at = 0;
  return fields.map(({ name, length }) => {
    if (bytes.length < at + length) throw new MalformedMessageError(`${bytes.length} bytes end before ${name}`);
    const part = bytes.subarray(at, at + length);
    at += align(length);
    return part;
  });
}

export function decodeRange(type: FieldType, { first, last }: Range): NftValue {
  if (first.equals(last)) return type.decode(first);
  if (type.name.startsWith('ip')) {
    const prefix = prefixOf(first, last);
    if (prefix !== undefined) return `${type.decode(first)}/${prefix}`;
  }
  return `${type.decode(first)}-${type.decode(last)}`;
}

/** undefined if the range is no prefix. */
function prefixOf(first: Buffer, last: Buffer): number | undefined {
  const at = first.findIndex((byte, i) => byte !== last[i]);
  const prefix = at * 8 + Math.clz32(first[at]! ^ last[at]!) - 24;
  const whole = first.every((byte, i) => (byte & ~mask(prefix, i)) === 0) && lastOfPrefix(first, prefix).equals(last);
  return whole ? prefix : undefined;
}
