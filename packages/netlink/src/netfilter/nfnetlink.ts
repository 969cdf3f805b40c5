/**
 * Netfilter's netlink (linux/netfilter/nfnetlink.h): nf_tables, connection tracking and others behind one protocol,
 * told apart by the upper byte of the message type.
 *
 * Every message begins with struct nfgenmsg {u8 family, u8 version, be16 resource}, then come attributes. Numbers in
 * attributes are in network order throughout.
 */
import { Attributes, Encoder } from '../attribute.js';
import type { BatchFailure, Request } from '../batch.js';
import { MalformedMessageError } from '../errors.js';
import type { NetlinkMessage } from '../message.js';
import { NetlinkSocket } from '../socket.js';
import type { Transport } from '../transport.js';

export const NETLINK_NETFILTER = 12;
export const NFNL_SUBSYS_CTNETLINK = 1;
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;

const HEADER_LENGTH = 4;
const VERSION = 0;

export interface NetfilterRequest {
  /** Within the subsystem: NFT_MSG_NEWSETELEM, ... */
  command: number;
  /** NFPROTO_*; 0 for all. */
  family: number;
  attributes?: (encoder: Encoder) => void;
  flags?: number;
  /** For errors: what is attempted, on what. */
  operation: string;
  timeoutMs?: number;
}

export interface NetfilterMessage {
  subsystem: number;
  command: number;
  family: number;
  /** What it means depends on the command. */
  resource: number;
  attributes: Attributes;
}

export interface NetfilterOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  timeoutMs?: number;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

/** Requests to one subsystem. All calls are synchronous. */
export class Nfnetlink {
  readonly #subsystem: number;
  readonly #socket: NetlinkSocket;

  constructor(subsystem: number, options: NetfilterOptions = {}) {
    this.#subsystem = subsystem;
    this.#socket = new NetlinkSocket({ ...options, protocol: NETLINK_NETFILTER });
  }

  request(request: NetfilterRequest): NetfilterMessage[] {
    return this.#socket.request(encodeNetfilterRequest(this.#subsystem, request)).map(decodeNetfilterMessage);
  }

  dump(request: NetfilterRequest): NetfilterMessage[] {
    return this.#socket.dump(encodeNetfilterRequest(this.#subsystem, request)).map(decodeNetfilterMessage);
  }

  /** See NetlinkSocket.batch: each request for itself. */
  batch(requests: readonly NetfilterRequest[]): BatchFailure[] {
    return this.#socket.batch(requests.map((request) => encodeNetfilterRequest(this.#subsystem, request)));
  }

  /** See NetlinkSocket.transaction: all requests or none. */
  transaction(requests: readonly NetfilterRequest[]): BatchFailure[] {
    const operation = `change ${requests.length === 1 ? requests[0]!.operation : `${requests.length} things at once`}`;
    const edge = (type: number): Request => ({ type, body: header(0, this.#subsystem), operation });
    return this.#socket.transaction(
      edge(NFNL_MSG_BATCH_BEGIN),
      requests.map((request) => encodeNetfilterRequest(this.#subsystem, request)),
      edge(NFNL_MSG_BATCH_END),
    );
  }

  close(): void {
    this.#socket.close();
  }
}

export function encodeNetfilterRequest(subsystem: number, request: NetfilterRequest): Request {
  const encoder = new Encoder().raw(header(request.family, 0));
  request.attributes?.(encoder);
  const encoded: Request = {
    type: (subsystem << 8) | request.command,
    body: encoder.bytes(),
    operation: request.operation,
  };
  if (request.flags !== undefined) encoded.flags = request.flags;
  if (request.timeoutMs !== undefined) encoded.timeoutMs = request.timeoutMs;
  return encoded;
}

export function decodeNetfilterMessage({ type, payload }: NetlinkMessage): NetfilterMessage {
  if (payload.length < HEADER_LENGTH) throw new MalformedMessageError(`a netfilter message of ${payload.length} bytes`);
  return {
    subsystem: type >> 8,
    command: type & 0xff,
    family: payload.readUInt8(0),
    resource: payload.readUInt16BE(2),
    attributes: new Attributes(payload.subarray(HEADER_LENGTH)),
  };
}

function header(family: number, resource: number): Buffer {
  return Buffer.from([family, VERSION, resource >> 8, resource & 0xff]);
}
