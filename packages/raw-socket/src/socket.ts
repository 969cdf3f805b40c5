/** One datagram socket of any family, on this thread's event loop. */
import { AsyncResource } from 'node:async_hooks';
import { endianness } from 'node:os';
import { type Absorbed, AbsorbedDatagram } from './absorb.js';
import type { BpfInstruction } from './bpf.js';
import { constants } from './constants.js';
import type { SystemError } from './errors.js';
import { type NativeSocket, native } from './native.js';
import { netnsPath } from './netns.js';
import { type Message, receiveMessages } from './receive.js';
import { type Repeated, RepeatedDatagrams, type Repetition } from './repeat.js';

export interface SocketOptions {
  /** AF_PACKET, AF_NETLINK, AF_INET, AF_INET6. */
  domain: number;
  /** SOCK_RAW or SOCK_DGRAM. */
  type: number;
  /** As socket(2) wants it; for AF_PACKET that is an EtherType in network order, see packetProtocol(). */
  protocol: number;
  /** A name under /run/netns, or an absolute path. Needs CAP_SYS_ADMIN while the socket is opened, not after. */
  netns?: string;
  /** Bytes that one datagram may have; more is cut off and says MSG_TRUNC. Default 65,536. */
  messageSize?: number;
  /** Datagrams that one receive, and hence one call of the listener, gets at most: 1 to 1,024. Default 64. */
  batch?: number;
  /**
   * How long the rest of a burst is waited for before a listener is called, 0 to 10,000 µs; default 0. A datagram that wakes a thread up is the
   * first of those that were sent together. The thread stands still for so long.
   */
  gatherMicroseconds?: number;
}

/**
 * A non-blocking, close-on-exec datagram socket. Every method is one system call and returns or throws at once, except
 * poll(), which waits. All of them throw a SystemError with code 'EBADF' after close(), except close() itself.
 *
 * A socket belongs to the thread that opened it. A socket that listens (onMessages), or that something is repeated on,
 * stays open until it is closed, even if nothing refers to it; any other is closed when it is garbage collected.
 */
export class RawSocket {
  readonly #native: NativeSocket;
  readonly #sizes: { batch: number; messageSize: number };
  readonly #absorbed = new Set<AbsorbedDatagram>();
  readonly #repeated = new Set<RepeatedDatagrams>();
  #listener: ((messages: Message[]) => void) | null = null;
  #onError: ((error: SystemError) => void) | undefined;

  /** @throws SystemError 'EPERM' without CAP_NET_RAW (or CAP_SYS_ADMIN for netns), 'ENOENT' for an unknown netns. */
  constructor({
    domain,
    type,
    protocol,
    netns,
    messageSize = 65_536,
    batch = 64,
    gatherMicroseconds = 0,
  }: SocketOptions) {
    const path = netns === undefined ? undefined : netnsPath(netns);
    this.#native = new native.Socket(domain, type, protocol, path, messageSize, batch, gatherMicroseconds);
    this.#sizes = { batch, messageSize };
  }

  /** The descriptor; -1 once closed. */
  get fd(): number {
    return this.#native.fd;
  }

  get closed(): boolean {
    return this.#native.fd < 0;
  }

  bind(address: Uint8Array): void {
    this.#native.bind(address);
  }

  connect(address: Uint8Array): void {
    this.#native.connect(address);
  }

  /** The own address as a raw sockaddr. */
  getsockname(): Buffer {
    return this.#native.getsockname();
  }

  /** A number is passed as a C int; anything else as its bytes. */
  setsockopt(level: number, name: number, value: number | Uint8Array): void {
    this.#native.setsockopt(level, name, value);
  }

  /** The option's value, at most `length` bytes. */
  getsockopt(level: number, name: number, length = 4): Buffer {
    return this.#native.getsockopt(level, name, length);
  }

  /**
   * Lets only those datagrams in that the program accepts (SO_ATTACH_FILTER). What was queued before stays: to see
   * nothing else ever, open an AF_PACKET socket with protocol 0, attach, then bind to the protocol.
   */
  attachFilter(program: readonly BpfInstruction[]): void {
    this.#native.attachFilter(encodeFilter(program));
  }

  /**
   * Sends one datagram and returns its length. Never waits.
   * @throws SystemError 'EAGAIN' when the send buffer is full, 'EMSGSIZE', 'ENETDOWN', ...
   */
  send(data: Uint8Array, address?: Uint8Array, flags = 0): number {
    return this.#native.send(data, address, flags);
  }

  /**
   * Sends frames in order, 64 for one system call, and returns how many went. It is fewer than all when the kernel took
   * no more, for example because the send buffer is full; when not even the first one went the reason is thrown.
   */
  sendBatch(frames: readonly Uint8Array[], address?: Uint8Array): number {
    return this.#native.sendBatch(frames, address);
  }

  /**
   * The same for datagrams to different destinations, which `packDatagrams` has packed: for what is sent again and again, since
   * nothing of it has to be looked at. May be fewer than all as with `sendBatch`, or as a destination was refused.
   */
  sendPacked(packed: Uint8Array): number {
    return this.#native.sendPacked(packed);
  }

  /**
   * Sends what `packDatagrams` has packed every `everyMs`, within as much from now for the first time, in C: the event loop has to run, but nothing else of JavaScript.
   * `onMissed` is called when not all of it went, or when it was too late to send it. Then nothing more is sent, and what is returned is to be ended;
   * a socket that is closed sends nothing more either, without a call. Where nothing is packed, nothing is sent, and never refused.
   *
   * @throws RangeError for other memory, or for times that are no whole milliseconds
   */
  repeat(packed: Uint8Array, repetition: Repetition, onMissed: () => void): Repeated {
    const bound = AsyncResource.bind(onMissed, 'RawSocket');
    const onEnd = () => this.#repeated.delete(repeated);
    const repeated = new RepeatedDatagrams(this.#native, packed, repetition, bound, onEnd);
    this.#repeated.add(repeated);
    return repeated;
  }

  /**
   * What is there now, at most `max` and at most `batch` messages; none when nothing is there.
   * @throws SystemError a pending error of the socket, such as 'ENOBUFS' when netlink messages were lost.
   */
  receive(max = 1024, flags = 0): Message[] {
    return receiveMessages(this.#native, this.#sizes, max, flags);
  }

  /**
   * Blocks this thread until there is something to receive, also a pending error: true; or the time is over: false.
   * For synchronous requests whose answer is due at once; for anything else use onMessages.
   */
  poll(timeoutMs: number): boolean {
    return this.#native.poll(timeoutMs);
  }

  /**
   * Calls the listener with every batch of messages, on the event loop, until it is called with null or the socket is
   * closed. The socket goes on listening after an error. An error without onError, like an exception of the listener,
   * goes to process.on('uncaughtException').
   *
   * Messages of the socket's error queue (IP_RECVERR, timestamps) come with MSG_ERRQUEUE in their flags.
   */
  onMessages(listener: ((messages: Message[]) => void) | null, onError?: (error: SystemError) => void): void {
    if (listener === null) {
      this.#native.stop();
      this.#listener = null;
      this.#onError = undefined;
      return;
    }
    if (typeof listener !== 'function' || (onError !== undefined && typeof onError !== 'function')) {
      const message = 'listener must be a function or null, and onError a function';
      throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    this.#native.listen(AsyncResource.bind((failed: boolean) => this.#deliver(failed), 'RawSocket'));
    this.#listener = listener;
    this.#onError = onError;
  }

  /**
   * Keeps from the listener, until it is ended, what comes of the same sender with the same bytes, of those that `mask` has ones for (default: all).
   * Comparing it costs a microsecond, calling a listener fifty. Whatever comes behind a datagram that is not absorbed is handed to the listener
   * together with it.
   *
   * @throws RangeError for more than 2,048 bytes, or a mask of another length
   */
  absorb({ address, data }: Pick<Message, 'address' | 'data'>, mask?: Uint8Array): Absorbed {
    const absorbed = new AbsorbedDatagram(this.#native, address, data, mask, () => this.#absorbed.delete(absorbed));
    this.#absorbed.add(absorbed);
    return absorbed;
  }

  /** Keeps the event loop alive while listening (the default). */
  ref(): void {
    this.#native.ref();
  }

  /** Lets the program end although this socket listens. */
  unref(): void {
    this.#native.unref();
  }

  /** Closes at once; no listener is called any more. May be called again, and inside a listener. */
  close(): void {
    for (const absorbed of this.#absorbed) absorbed.settle();
    for (const repeated of this.#repeated) repeated.end();
    this.#native.close();
    this.#listener = null;
    this.#onError = undefined;
  }

  /** `failed`: the kernel holds an error for this socket, or a message in its error queue. */
  #deliver(failed: boolean): void {
    let messages: Message[];
    try {
      messages = this.receive();
      // Read out even if the program asked for no such thing: what stays there would wake the loop for ever.
      if (failed && messages.length === 0) messages = this.receive(1024, constants.MSG_ERRQUEUE);
    } catch (error) {
      if (this.#onError === undefined) throw error;
      this.#onError(error as SystemError);
      return;
    }
    if (messages.length > 0) this.#listener?.(messages);
  }
}

/** For `sendPacked`. Each takes up to 65,535 bytes, and its destination is a raw sockaddr. */
export function packDatagrams(datagrams: readonly { data: Uint8Array; address: Uint8Array }[]): Uint8Array {
  const lengths = (address: Uint8Array, data: Uint8Array) =>
    new Uint8Array(Uint16Array.of(address.length, data.length).buffer);
  for (const { data, address } of datagrams) {
    if (Math.max(data.length, address.length) <= 0xffff) continue;
    throw new RangeError(`a datagram of ${data.length} bytes cannot be packed: 65,535 are the most`);
  }
  return Buffer.concat(datagrams.flatMap(({ data, address }) => [lengths(address, data), address, data]));
}

/** `struct sock_filter[]`: u16 code, u8 jt, u8 jf, u32 k, all in the machine's byte order. */
function encodeFilter(program: readonly BpfInstruction[]): Uint8Array {
  if (!Array.isArray(program)) {
    const message = 'a filter program must be an array of instructions';
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  const bytes = Buffer.alloc(program.length * 8);
  const little = endianness() === 'LE';
  program.forEach(({ code, jt, jf, k }, index) => {
    const at = index * 8;
    if (little) {
      bytes.writeUInt16LE(code, at);
      bytes.writeUInt32LE(k, at + 4);
    } else {
      bytes.writeUInt16BE(code, at);
      bytes.writeUInt32BE(k, at + 4);
    }
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
  });
  return bytes;
}

/** An EtherType as socket(2) wants it for AF_PACKET: in network byte order. */
export function packetProtocol(etherType: number): number {
  return endianness() === 'LE' ? ((etherType & 0xff) << 8) | (etherType >> 8) : etherType;
}
