/**
 * A netlink transport without a kernel, for tests of what is built on NetlinkSocket, Rtnetlink, GenericNetlink or
 * Ipvs.
 *
 * ```ts
 * import { Rtnetlink, RTM_GETLINK, testing } from '@fairlead/netlink';
 * const transport = new testing.FakeTransport((request) =>
 *   request.type === RTM_GETLINK ? [testing.multipart(request, [])] : [testing.refusal(request, 95)]);
 * const rtnetlink = new Rtnetlink({ transport });
 * ```
 */
import { constants } from 'node:os';
import { Encoder } from './attribute.js';
import { errnoName } from './errors.js';
import {
  decodeMessages,
  encodeMessages,
  MESSAGE_HEADER_LENGTH,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './message.js';
import type { Datagram, Transport } from './transport.js';

const FAKE_PORT = 4711;
const NLMSGERR_ATTR_MSG = 1;

/** Answers one request: the datagrams to receive for it. An acknowledgement that was asked for is not sent by itself. */
export type FakeKernel = (request: NetlinkMessage) => Buffer[];

export class FakeTransport implements Transport {
  readonly port = FAKE_PORT;
  sendBufferBytes = 425_984;
  receiveBufferBytes = 425_984;
  /** All messages sent so far. */
  readonly requests: NetlinkMessage[] = [];
  /** How many datagrams carried them. */
  sends = 0;
  closed = false;
  readonly #kernel: FakeKernel;
  readonly #queue: (Datagram | Error)[] = [];
  #listener: ((datagrams: Datagram[]) => void) | null = null;
  #onError: ((error: Error) => void) | undefined;

  constructor(kernel: FakeKernel = (request) => [acknowledgement(request)]) {
    this.#kernel = kernel;
  }

  /** Queues what the next receive() returns, one datagram each, or throws. */
  queue(...items: (Buffer | Datagram | Error)[]): void {
    for (const item of items) {
      this.#queue.push(Buffer.isBuffer(item) ? { data: item, fromKernel: true, truncated: false } : item);
    }
  }

  /** Delivers a notification to the subscriber, or an error such as fakeSystemError('ENOBUFS'). */
  notify(item: Buffer | Error): void {
    if (item instanceof Error) this.#onError?.(item);
    else this.#listener?.([{ data: item, fromKernel: true, truncated: false }]);
  }

  growSendBuffer(bytes: number): void {
    this.sendBufferBytes = Math.max(this.sendBufferBytes, bytes);
  }

  send(data: Uint8Array): void {
    this.sends++;
    for (const request of decodeMessages(Buffer.from(data))) {
      this.requests.push(request);
      this.queue(...this.#kernel(request));
    }
  }

  receive(): Datagram[] {
    const next = this.#queue.shift();
    if (next instanceof Error) throw next;
    return next ? [next] : [];
  }

  /** Never waits: what is not queued by now does not come. */
  poll(): boolean {
    return this.#queue.length > 0;
  }

  onDatagrams(listener: ((datagrams: Datagram[]) => void) | null, onError?: (error: Error) => void): void {
    this.#listener = listener;
    this.#onError = onError;
  }

  attachFilter(): void {}

  unref(): void {}

  close(): void {
    this.closed = true;
    this.#listener = null;
  }
}

/** A SystemError as raw sockets throw it. */
export function fakeSystemError(code: keyof typeof constants.errno, syscall = 'recvmmsg'): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: -constants.errno[code], syscall });
}

/** What the kernel does for an acknowledged success: nothing, or NLMSG_ERROR with 0. */
export function acknowledgement(request: NetlinkMessage): Buffer {
  return request.flags & NLM_F_ACK ? status(request, 0) : Buffer.alloc(0);
}

/** NLMSG_ERROR with `errno` (positive or negative), and the kernel's explanation if given. */
export function refusal(request: NetlinkMessage, errno: number, explanation?: string): Buffer {
  if (errno === 0) throw new TypeError(`a refusal needs an errno, ${errnoName(errno)} is none`);
  return status(request, -Math.abs(errno), explanation);
}

function status(request: NetlinkMessage, errno: number, explanation?: string): Buffer {
  const payload = new Encoder();
  const code = Buffer.alloc(4);
  code.writeInt32LE(errno);
  payload.raw(code).raw(encodeMessages([{ ...request, port: FAKE_PORT }]).subarray(0, MESSAGE_HEADER_LENGTH));
  if (explanation) payload.string(NLMSGERR_ATTR_MSG, explanation);
  const flags = NLM_F_CAPPED | (explanation ? NLM_F_ACK_TLVS : 0);
  return answer(request, { type: NLMSG_ERROR, flags, payload: payload.bytes() });
}

/** One message in answer to `request`. */
export function answer(
  request: NetlinkMessage,
  message: { type: number; flags?: number; payload: Uint8Array },
): Buffer {
  return encodeMessages([{ flags: 0, ...message, sequence: request.sequence, port: FAKE_PORT }]);
}

/** A whole dump in one datagram, with NLMSG_DONE at its end. */
export function multipart(
  request: NetlinkMessage,
  messages: readonly { type: number; payload: Uint8Array }[],
  options: { flags?: number; errno?: number } = {},
): Buffer {
  const done = Buffer.alloc(4);
  done.writeInt32LE(options.errno ?? 0);
  return encodeMessages(
    [...messages, { type: NLMSG_DONE, payload: done }].map((message) => ({
      ...message,
      flags: NLM_F_MULTI | (options.flags ?? 0),
      sequence: request.sequence,
      port: FAKE_PORT,
    })),
  );
}
