/**
 * Generic netlink (linux/genetlink.h): many kernel subsystems behind one protocol. Each is a family with a name and
 * a number that differs from boot to boot; the controller family, number 16, tells which.
 *
 * Every message begins with struct genlmsghdr {u8 command, u8 version, u16 reserved}, then come attributes.
 */
import { Attributes, decodeAttributes, Encoder } from '../attribute.js';
import type { BatchFailure, Request } from '../batch.js';
import { hasCode, MalformedMessageError, NetlinkError } from '../errors.js';
import type { NetlinkMessage } from '../message.js';
import { NetlinkSocket } from '../socket.js';
import type { Transport } from '../transport.js';

export const NETLINK_GENERIC = 16;
export const GENL_ID_CTRL = 0x10;
const HEADER_LENGTH = 4;

const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_ATTR_VERSION = 3;
const CTRL_ATTR_MAXATTR = 5;
const CTRL_ATTR_MCAST_GROUPS = 7;
const CTRL_ATTR_MCAST_GRP_NAME = 1;
const CTRL_ATTR_MCAST_GRP_ID = 2;

export interface GenericFamily {
  /** The message type of all its messages. */
  id: number;
  name: string;
  version: number;
  /** The highest attribute number it knows. */
  maxAttribute: number;
  /** Multicast groups, from name to number. */
  groups: Map<string, number>;
}

export interface GenericMessage {
  command: number;
  version: number;
  attributes: Attributes;
}

export interface GenericRequest {
  command: number;
  /** Writes the attributes. */
  attributes?: (encoder: Encoder) => void;
  flags?: number;
  /** For errors: what is attempted, on what. */
  operation: string;
  timeoutMs?: number;
}

/** See RequestList. */
export interface GenericRequestList {
  readonly length: number;
  command(index: number): number;
  attributes(encoder: Encoder, index: number): void;
  operation(index: number): string;
}

export interface GenericNetlinkOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  timeoutMs?: number;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

export class GenericNetlink {
  readonly #socket: NetlinkSocket;

  constructor(options: GenericNetlinkOptions = {}) {
    this.#socket = new NetlinkSocket({ ...options, protocol: NETLINK_GENERIC });
  }

  /**
   * undefined if the kernel has no such family. It tries to load the module behind the name first, which works where
   * its modules are installed.
   */
  family(name: string): GenericFamily | undefined {
    const operation = `find generic netlink family ${name}`;
    try {
      const [message] = this.#socket.request(encodeGetFamily(name, operation));
      if (!message) throw new NetlinkError({ operation, code: 'FL_NETLINK_NO_ANSWER', reason: 'an empty answer' });
      return decodeFamily(decodeGenericMessage(message));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  request(family: GenericFamily, request: GenericRequest): GenericMessage[] {
    return this.#socket.request(encodeGenericRequest(family, request)).map(decodeGenericMessage);
  }

  dump(family: GenericFamily, request: GenericRequest): GenericMessage[] {
    return this.#socket
      .dump(encodeGenericRequest(family, request))
      .filter((message) => message.type === family.id)
      .map(decodeGenericMessage);
  }

  /** See NetlinkSocket.batch. */
  batch(family: GenericFamily, requests: GenericRequestList): BatchFailure[] {
    return this.#socket.batch({
      length: requests.length,
      header: () => ({ type: family.id }),
      write: (encoder, index) => {
        encoder.word(genericHeader(requests.command(index), family.version));
        requests.attributes(encoder, index);
      },
      operation: (index) => requests.operation(index),
    });
  }

  close(): void {
    this.#socket.close();
  }
}

export function encodeGetFamily(name: string, operation: string): Request {
  return encodeGenericRequest(
    { id: GENL_ID_CTRL, version: 1 },
    { command: CTRL_CMD_GETFAMILY, attributes: (encoder) => encoder.string(CTRL_ATTR_FAMILY_NAME, name), operation },
  );
}

export function encodeGenericRequest(family: { id: number; version: number }, request: GenericRequest): Request {
  const encoder = new Encoder().word(genericHeader(request.command, family.version));
  request.attributes?.(encoder);
  const encoded: Request = { type: family.id, body: encoder.bytes(), operation: request.operation };
  if (request.flags !== undefined) encoded.flags = request.flags;
  if (request.timeoutMs !== undefined) encoded.timeoutMs = request.timeoutMs;
  return encoded;
}

/** struct genlmsghdr as a little-endian number. */
function genericHeader(command: number, version: number): number {
  return command | (version << 8);
}

export function decodeGenericMessage(message: NetlinkMessage): GenericMessage {
  const { payload } = message;
  if (payload.length < HEADER_LENGTH) throw new MalformedMessageError(`a generic message of ${payload.length} bytes`);
  return {
    command: payload.readUInt8(0),
    version: payload.readUInt8(1),
    attributes: new Attributes(payload.subarray(HEADER_LENGTH)),
  };
}

export function decodeFamily({ command, attributes }: GenericMessage): GenericFamily {
  const id = attributes.u16(CTRL_ATTR_FAMILY_ID);
  const name = attributes.string(CTRL_ATTR_FAMILY_NAME);
  if (command !== CTRL_CMD_NEWFAMILY || id === undefined || name === undefined) {
    throw new MalformedMessageError('a generic netlink family without number or name');
  }
  const groups = new Map<string, number>();
  const list = attributes.binary(CTRL_ATTR_MCAST_GROUPS);
  for (const { data } of list ? decodeAttributes(list) : []) {
    const group = new Attributes(data);
    const groupName = group.string(CTRL_ATTR_MCAST_GRP_NAME);
    const groupId = group.u32(CTRL_ATTR_MCAST_GRP_ID);
    if (groupName !== undefined && groupId !== undefined) groups.set(groupName, groupId);
  }
  return {
    id,
    name,
    version: attributes.u32(CTRL_ATTR_VERSION) ?? 1,
    maxAttribute: attributes.u32(CTRL_ATTR_MAXATTR) ?? 0,
    groups,
  };
}
