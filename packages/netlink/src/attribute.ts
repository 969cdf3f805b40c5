/**
 * Netlink attributes (struct nlattr, linux/netlink.h).
 *
 * ```
 *  0        2        4                    length        next multiple of 4
 *  | length | type   | payload ...        | padding      |
 * ```
 * `length` counts the 4-byte header but not the padding. Numbers are little-endian here: Node.js runs on
 * little-endian machines only where this package is used (NetlinkSocket refuses others). Values that the kernel
 * wants in network byte order have their own methods, named `...be`.
 */
import { MalformedMessageError } from './errors.js';

const HEADER_LENGTH = 4;
const MESSAGE_HEADER_LENGTH = 16;
const MAX_LENGTH = 0xffff;
/** More than any length. */
const SHIFT = MAX_LENGTH + 1;
/** The upper two bits of the type are flags: NLA_F_NESTED 0x8000, NLA_F_NET_BYTEORDER 0x4000. */
export const TYPE_MASK = 0x3fff;
export const NLA_F_NESTED = 0x8000;

/** `length` rounded up to the alignment of messages and attributes (4 bytes). */
export function align(length: number): number {
  return (length + 3) & ~3;
}

/** Appends messages, attributes and fixed headers to a growing buffer. All methods return the encoder. */
export class Encoder {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 128) {
    // From the pool and cleared by hand: three times cheaper than Buffer.alloc, and messages are many.
    this.#buffer = Buffer.allocUnsafe(capacity).fill(0);
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes so far: a view that is valid until the next write. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Bytes without an attribute header, for fixed headers such as struct rtmsg; padded to 4. */
  raw(data: Uint8Array): this {
    const at = this.#grow(align(data.length));
    this.#buffer.set(data, at);
    return this;
  }

  /** A netlink message: its header (struct nlmsghdr), then what `fill` writes; padded to 4. */
  message(type: number, flags: number, sequence: number, fill: () => void): this {
    const at = this.#grow(MESSAGE_HEADER_LENGTH);
    this.#buffer.writeUInt16LE(type, at + 4);
    this.#buffer.writeUInt16LE(flags, at + 6);
    this.#buffer.writeUInt32LE(sequence, at + 8);
    fill();
    // With the padding of the last attribute, which the kernel skips.
    this.#buffer.writeUInt32LE(this.#length - at, at);
    return this;
  }

  /** Four bytes without an attribute header, given as one little-endian number. */
  word(value: number): this {
    const at = this.#grow(4);
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  u8(type: number, value: number): this {
    const at = this.#attribute(type, 1);
    this.#buffer.writeUInt8(value, at);
    return this;
  }

  u16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#buffer.writeUInt16LE(value, at);
    return this;
  }

  u16be(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#buffer.writeUInt16BE(value, at);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  /** Two numbers in one attribute: flags and their mask. */
  u32pair(type: number, first: number, second: number): this {
    const at = this.#attribute(type, 8);
    this.#buffer.writeUInt32LE(first, at);
    this.#buffer.writeUInt32LE(second, at + 4);
    return this;
  }

  u32be(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  s32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#buffer.writeInt32LE(value, at);
    return this;
  }

  u64(type: number, value: bigint): this {
    const at = this.#attribute(type, 8);
    this.#buffer.writeBigUInt64LE(value, at);
    return this;
  }

  u64be(type: number, value: bigint): this {
    const at = this.#attribute(type, 8);
    this.#buffer.writeBigUInt64BE(value, at);
    return this;
  }

  /** NUL-terminated UTF-8. */
  string(type: number, value: string): this {
    const at = this.#attribute(type, Buffer.byteLength(value) + 1);
    this.#buffer.write(value, at);
    return this;
  }

  binary(type: number, data: Uint8Array): this {
    const at = this.#attribute(type, data.length);
    this.#buffer.set(data, at);
    return this;
  }

  /** An attribute that holds what `fill` writes. NLA_F_NESTED is the caller's choice: IPVS wants none, rtnetlink neither. */
  nest(type: number, fill: (encoder: this) => void): this {
    const start = this.#attribute(type, 0) - HEADER_LENGTH;
    fill(this);
    const length = this.#length - start;
    if (length > MAX_LENGTH) throw new RangeError(`netlink attribute ${type} of ${length} bytes: 65535 is the limit`);
    this.#buffer.writeUInt16LE(length, start);
    return this;
  }

  /** Writes an attribute header, makes room for the payload (which may replace #buffer) and returns where it starts. */
  #attribute(type: number, payloadLength: number): number {
    const length = HEADER_LENGTH + payloadLength;
    if (length > MAX_LENGTH) throw new RangeError(`netlink attribute ${type} of ${length} bytes: 65535 is the limit`);
    const at = this.#grow(align(length));
    this.#buffer.writeUInt16LE(length, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    return at + HEADER_LENGTH;
  }

  #grow(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#length = needed;
    return at;
  }
}

export interface Attribute {
  /** Without the NLA_F_ flags. */
  type: number;
  /** A view into the message. */
  data: Buffer;
}

/** Splits a run of attributes. Fewer than 4 bytes after the last one are padding. */
export function decodeAttributes(data: Buffer): Attribute[] {
  const attributes: Attribute[] = [];
  forEachAttribute(data, (type, start, length) =>
    attributes.push({ type, data: data.subarray(start, start + length) }),
  );
  return attributes;
}

/** Calls back with type, and start and length of the payload, of each attribute. */
function forEachAttribute(data: Buffer, visit: (type: number, start: number, length: number) => void): void {
  let at = 0;
  while (data.length - at >= HEADER_LENGTH) {
    const length = data.readUInt16LE(at);
    const type = data.readUInt16LE(at + 2) & TYPE_MASK;
    if (length < HEADER_LENGTH || at + length > data.length) {
      throw new MalformedMessageError(`attribute ${type} claims ${length} bytes, ${data.length - at} are there`);
    }
    visit(type, at + HEADER_LENGTH, length - HEADER_LENGTH);
    at += align(length);
  }
}

/**
 * Attributes by type, with checked readers. Every reader returns undefined when the attribute is absent and throws
 * MalformedMessageError when it is shorter than the type asked for (the kernel may append to structures, never cut).
 * Of several attributes with the same type the last one counts.
 */
export class Attributes {
  readonly #data: Buffer;
  /** Where each payload begins, times 2^16, plus its length: a view for each would cost more than reading it. */
  readonly #payloads: number[] = [];

  constructor(data: Buffer) {
    this.#data = data;
    const payloads = this.#payloads;
    forEachAttribute(data, (type, start, length) => {
      payloads[type] = start * SHIFT + length;
    });
  }

  has(type: number): boolean {
    return this.#payloads[type] !== undefined;
  }

  binary(type: number, minimumLength = 0): Buffer | undefined {
    const start = this.#find(type, minimumLength);
    return start === undefined ? undefined : this.#data.subarray(start, start + this.#length(type));
  }

  u8(type: number): number | undefined {
    const start = this.#find(type, 1);
    return start === undefined ? undefined : this.#data.readUInt8(start);
  }

  u16(type: number): number | undefined {
    const start = this.#find(type, 2);
    return start === undefined ? undefined : this.#data.readUInt16LE(start);
  }

  u16be(type: number): number | undefined {
    const start = this.#find(type, 2);
    return start === undefined ? undefined : this.#data.readUInt16BE(start);
  }

  u32(type: number): number | undefined {
    const start = this.#find(type, 4);
    return start === undefined ? undefined : this.#data.readUInt32LE(start);
  }

  u32be(type: number): number | undefined {
    const start = this.#find(type, 4);
    return start === undefined ? undefined : this.#data.readUInt32BE(start);
  }

  s32(type: number): number | undefined {
    const start = this.#find(type, 4);
    return start === undefined ? undefined : this.#data.readInt32LE(start);
  }

  u64(type: number): bigint | undefined {
    const start = this.#find(type, 8);
    return start === undefined ? undefined : this.#data.readBigUInt64LE(start);
  }

  u64be(type: number): bigint | undefined {
    const start = this.#find(type, 8);
    return start === undefined ? undefined : this.#data.readBigUInt64BE(start);
  }

  /** Up to the first NUL, or all of it. */
  string(type: number): string | undefined {
    const data = this.binary(type);
    if (!data) return undefined;
    const end = data.indexOf(0);
    return data.toString('utf8', 0, end < 0 ? data.length : end);
  }

  nest(type: number): Attributes | undefined {
    const data = this.binary(type);
    return data && new Attributes(data);
  }

  /** Where the payload begins. */
  #find(type: number, minimumLength: number): number | undefined {
    const payload = this.#payloads[type];
    if (payload === undefined) return undefined;
    const length = payload % SHIFT;
    if (length < minimumLength) {
      throw new MalformedMessageError(`attribute ${type} has ${length} bytes instead of ${minimumLength}`);
    }
    return (payload - length) / SHIFT;
  }

  #length(type: number): number {
    return (this.#payloads[type] ?? 0) % SHIFT;
  }
}
