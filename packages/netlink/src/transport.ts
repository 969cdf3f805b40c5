/**
 * What NetlinkSocket needs from below: datagrams to and from the kernel. `openTransport` gives the real thing, an
 * AF_NETLINK socket of @fairlead/raw-socket; testing.ts gives one without a kernel.
 */
import { endianness } from 'node:os';
import { type BpfInstruction, constants, RawSocket, type SystemError, sockaddrNl } from '@fairlead/raw-socket';
import { fromSystemError, NetlinkError } from './errors.js';
import { decodeMessages, type NetlinkMessage } from './message.js';

/** Room for some thousand messages in one send, and for as many refusals. The kernel takes it only while in use. */
const BUFFER_BYTES = 4 * 1024 * 1024;
const SEND_RESERVE_BYTES = 32;

/** A datagram from the kernel. */
export interface Datagram {
  data: Buffer;
  /** True if the sender is the kernel and not another process. */
  fromKernel: boolean;
  /** True if the datagram did not fit the receive buffer. */
  truncated: boolean;
}

export interface Transport {
  /** Our netlink port: the kernel puts it in every answer. */
  readonly port: number;
  /** Sizes as the kernel counts them (SO_SNDBUF, SO_RCVBUF). */
  readonly sendBufferBytes: number;
  readonly receiveBufferBytes: number;
  /** Makes room for a datagram of so many bytes. Throws SystemError: EPERM without the right to more than is usual. */
  growSendBuffer(bytes: number): void;
  /** Sends one datagram. The kernel executes its messages before this returns. Throws SystemError. */
  send(data: Uint8Array): void;
  /** What has arrived, without waiting; [] for nothing. Throws SystemError (ENOBUFS: messages were lost). */
  receive(): Datagram[];
  /** Blocks the calling thread until something can be received; false after `timeoutMs`. */
  poll(timeoutMs: number): boolean;
  /** Delivers from the event loop what arrives; null stops. */
  onDatagrams(listener: ((datagrams: Datagram[]) => void) | null, onError?: (error: Error) => void): void;
  /** Lets in what the program accepts, instead of what an earlier one did. */
  attachFilter(program: readonly BpfInstruction[]): void;
  unref(): void;
  close(): void;
}

export interface TransportOptions {
  /** NETLINK_ROUTE 0, NETLINK_GENERIC 16, ... */
  protocol: number;
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  /** Multicast groups to join, by number (RTNLGRP_LINK = 1). */
  groups?: readonly number[];
  /** Lets the kernel filter dumps and refuse malformed dump requests (NETLINK_GET_STRICT_CHK, Linux 4.20). */
  strictDumps?: boolean;
}

/** Opens and binds an AF_NETLINK socket. Throws NetlinkError. */
export function openTransport(options: TransportOptions): Transport {
  const where = options.netns ? ` in network namespace ${options.netns}` : '';
  const operation = `open a netlink socket (protocol ${options.protocol})${where}`;
  if (endianness() !== 'LE') {
    throw new NetlinkError({ operation, code: 'FL_BIG_ENDIAN', reason: 'big-endian machines are not supported' });
  }
  let socket: RawSocket | undefined;
  try {
    socket = new RawSocket({
      domain: constants.AF_NETLINK,
      type: constants.SOCK_RAW,
      protocol: options.protocol,
      ...(options.netns ? { netns: options.netns } : {}),
    });
    return new KernelTransport(socket, options);
  } catch (error) {
    socket?.close();
    throw fromSystemError(error, operation);
  }
}

class KernelTransport implements Transport {
  readonly port: number;
  readonly receiveBufferBytes: number;
  #sendBufferBytes: number;
  readonly #socket: RawSocket;

  constructor(socket: RawSocket, options: TransportOptions) {
    this.#socket = socket;
    setBuffer(socket, constants.SO_SNDBUFFORCE, constants.SO_SNDBUF);
    setBuffer(socket, constants.SO_RCVBUFFORCE, constants.SO_RCVBUF);
    trySet(socket, constants.NETLINK_EXT_ACK);
    trySet(socket, constants.NETLINK_CAP_ACK);
    if (options.strictDumps) trySet(socket, constants.NETLINK_GET_STRICT_CHK);
    socket.bind(sockaddrNl({}));
    for (const group of options.groups ?? [])
      socket.setsockopt(constants.SOL_NETLINK, constants.NETLINK_ADD_MEMBERSHIP, group);
    // struct sockaddr_nl: u16 family, u16 padding, u32 port, u32 groups
    this.port = socket.getsockname().readUInt32LE(4);
    this.#sendBufferBytes = sendBufferOf(socket);
    this.receiveBufferBytes = socket.getsockopt(constants.SOL_SOCKET, constants.SO_RCVBUF).readUInt32LE(0);
  }

  get sendBufferBytes(): number {
    return this.#sendBufferBytes;
  }

  growSendBuffer(bytes: number): void {
    // The kernel doubles the number, and keeps 32 bytes to itself (netlink_sendmsg).
    const needed = bytes + SEND_RESERVE_BYTES;
    if (needed <= this.#sendBufferBytes) return;
    this.#socket.setsockopt(constants.SOL_SOCKET, constants.SO_SNDBUFFORCE, Math.ceil(needed / 2));
    this.#sendBufferBytes = sendBufferOf(this.#socket);
  }

  send(data: Uint8Array): void {
    this.#socket.send(data);
  }

  receive(): Datagram[] {
    return this.#socket.receive().map(toDatagram);
  }

  poll(timeoutMs: number): boolean {
    return this.#socket.poll(timeoutMs);
  }

  onDatagrams(listener: ((datagrams: Datagram[]) => void) | null, onError?: (error: Error) => void): void {
    this.#socket.onMessages(listener && ((messages) => listener(messages.map(toDatagram))), onError);
  }

  attachFilter(program: readonly BpfInstruction[]): void {
    this.#socket.attachFilter(program);
  }

  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#socket.close();
  }
}

function toDatagram(message: { data: Buffer; address: Buffer; flags: number }): Datagram {
  return {
    data: message.data,
    fromKernel: message.address.length >= 8 && message.address.readUInt32LE(4) === 0,
    truncated: (message.flags & constants.MSG_TRUNC) !== 0,
  };
}

function sendBufferOf(socket: RawSocket): number {
  return socket.getsockopt(constants.SOL_SOCKET, constants.SO_SNDBUF).readUInt32LE(0);
}

/** Without CAP_NET_ADMIN in the initial user namespace the kernel caps the size at net.core.{r,w}mem_max. */
function setBuffer(socket: RawSocket, force: number, plain: number): void {
  try {
    socket.setsockopt(constants.SOL_SOCKET, force, BUFFER_BYTES);
  } catch (error) {
    if ((error as SystemError).code !== 'EPERM') throw error;
    socket.setsockopt(constants.SOL_SOCKET, plain, BUFFER_BYTES);
  }
}

/** Turns on what only makes answers better; kernels before 4.20 lack some of it. */
function trySet(socket: RawSocket, option: number): void {
  try {
    socket.setsockopt(constants.SOL_NETLINK, option, 1);
  } catch (error) {
    if ((error as SystemError).code !== 'ENOPROTOOPT') throw error;
  }
}

/** The kernel's messages in datagrams. Throws NetlinkError FL_NETLINK_TRUNCATED and MalformedMessageError. */
export function decodeDatagrams(datagrams: Datagram[], operation: string): NetlinkMessage[] {
  return datagrams.flatMap((datagram) => {
    // Another process may send to our port; only the kernel is believed.
    if (!datagram.fromKernel) return [];
    if (datagram.truncated) {
      throw new NetlinkError({
        operation,
        code: 'FL_NETLINK_TRUNCATED',
        reason: `a datagram was longer than the receive buffer (${datagram.data.length} bytes)`,
      });
    }
    return decodeMessages(datagram.data);
  });
}
