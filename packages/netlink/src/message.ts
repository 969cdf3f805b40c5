/**
 * Netlink messages (struct nlmsghdr, linux/netlink.h) and how they share a datagram.
 *
 * ```
 *  0        4      6       8          12     16                 length    next multiple of 4
 *  | length | type | flags | sequence | port | payload ...      | padding  | next header ...
 * ```
 */
import { Attributes, align } from './attribute.js';
import { MalformedMessageError } from './errors.js';

export const MESSAGE_HEADER_LENGTH = 16;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_MIN_TYPE = 0x10;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
/** On a message of a dump: the table changed meanwhile, and the dump may be inconsistent. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;
/** On NLMSG_ERROR: the request is not echoed beyond its header. */
export const NLM_F_CAPPED = 0x100;
/** On NLMSG_ERROR and NLMSG_DONE: extended-ack attributes follow. */
export const NLM_F_ACK_TLVS = 0x200;

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

export interface NetlinkMessage {
  type: number;
  flags: number;
  sequence: number;
  /** The netlink port (nlmsg_pid) of the socket which asked; 0 in notifications. */
  port: number;
  payload: Buffer;
}

/** The given messages one after another, each padded to 4 bytes. */
export function encodeMessages(
  messages: readonly { type: number; flags: number; sequence: number; port?: number; payload: Uint8Array }[],
): Buffer {
  let total = 0;
  for (const { payload } of messages) total += align(MESSAGE_HEADER_LENGTH + payload.length);
  const buffer = Buffer.alloc(total);
  let at = 0;
  for (const message of messages) {
    const length = MESSAGE_HEADER_LENGTH + message.payload.length;
    buffer.writeUInt32LE(length, at);
    buffer.writeUInt16LE(message.type, at + 4);
    buffer.writeUInt16LE(message.flags, at + 6);
    buffer.writeUInt32LE(message.sequence, at + 8);
    buffer.writeUInt32LE(message.port ?? 0, at + 12);
    buffer.set(message.payload, at + MESSAGE_HEADER_LENGTH);
    at += align(length);
  }
  return buffer;
}

/** The messages in one datagram; payloads are views into it. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < datagram.length) {
    const left = datagram.length - at;
    if (left < MESSAGE_HEADER_LENGTH) throw new MalformedMessageError(`${left} bytes are too few for a header`);
    const length = datagram.readUInt32LE(at);
    if (length < MESSAGE_HEADER_LENGTH || length > left) {
      throw new MalformedMessageError(`a message claims ${length} bytes, ${left} are there`);
    }
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      port: datagram.readUInt32LE(at + 12),
      payload: datagram.subarray(at + MESSAGE_HEADER_LENGTH, at + length),
    });
    // Not align(length): a length near 2^32 would turn negative; here it is at most datagram.length.
    at += align(length);
  }
  return messages;
}

export interface Status {
  /** 0 = success; otherwise a negative errno. */
  errno: number;
  /** The kernel's explanation, if it gave one. */
  extack?: string;
  /** Where in the request the attribute begins that the kernel objects to, in bytes from the netlink header on. */
  attributeOffset?: number;
}

/** Reads NLMSG_ERROR (an acknowledgement or a refusal) or NLMSG_DONE (the end of a dump, which may carry an error). */
export function decodeStatus(message: NetlinkMessage): Status {
  const { payload, flags, type } = message;
  if (payload.length < 4) {
    // Old protocols end a dump with a bare header.
    if (type === NLMSG_DONE) return { errno: 0 };
    throw new MalformedMessageError(`an acknowledgement of ${payload.length} bytes`);
  }
  const errno = payload.readInt32LE(0);
  if (!(flags & NLM_F_ACK_TLVS)) return { errno };
  let attributesAt = 4;
  if (type === NLMSG_ERROR) {
    if (payload.length < 4 + MESSAGE_HEADER_LENGTH) {
      throw new MalformedMessageError('an acknowledgement without the header of its request');
    }
    const echoed = flags & NLM_F_CAPPED ? MESSAGE_HEADER_LENGTH : payload.readUInt32LE(4);
    attributesAt += Math.ceil(echoed / 4) * 4;
  }
  const attributes = new Attributes(payload.subarray(attributesAt));
  const extack = attributes.string(NLMSGERR_ATTR_MSG);
  const attributeOffset = attributes.u32(NLMSGERR_ATTR_OFFS);
  return {
    errno,
    ...(extack ? { extack } : {}),
    ...(attributeOffset === undefined ? {} : { attributeOffset }),
  };
}
