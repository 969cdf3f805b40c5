/**
 * NetlinkSocket: requests to the kernel and their answers.
 *
 * The kernel executes a request inside send() and has queued the answer when send() returns, so requests here are
 * synchronous: about 5 us each, without a turn of the event loop between question and answer. Every wait has a
 * deadline all the same, because the kernel does leave a request without an answer now and then (an operation that
 * returns -EINTR is never acknowledged).
 *
 * A socket either asks (request, dump, batch) or listens to multicast groups (subscribe), never both: notifications
 * between the parts of a dump are how such code goes wrong.
 */
import type { BpfInstruction } from '@fairlead/raw-socket';
import { type BatchFailure, type BatchLimits, encodeBatch, listOf, type Request, type RequestList } from './batch.js';
import { dumpInterrupted, errnoName, fromSystemError, MAX_DUMP_ATTEMPTS, NetlinkError } from './errors.js';
import {
  decodeStatus,
  encodeMessages,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_MIN_TYPE,
} from './message.js';
import { type Datagram, decodeDatagrams, openTransport, type Transport, type TransportOptions } from './transport.js';

const DEFAULT_TIMEOUT_MS = 5_000;
/** The largest send: beyond some hundred KiB nothing is gained. */
const MAX_BATCH_BYTES = 1024 * 1024;
/** What one queued refusal may occupy in the receive buffer, as the kernel counts (768 or 1280 seen, by version). */
const REFUSAL_BYTES = 2048;

export interface NetlinkSocketOptions extends TransportOptions {
  /** How long to wait for an answer; 5 s by default. */
  timeoutMs?: number;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

/** One datagram and what its answers mean. */
interface Exchange {
  data: Buffer;
  firstSequence: number;
  /** How many messages it has. */
  count: number;
  /** Which of them asks for an acknowledgement: its answer is the last one. */
  acknowledged: number;
  /** A refusal of the first message is the last answer, too. */
  firstDecides?: boolean;
  /** Of a message, for errors. */
  operation(position: number): string;
  timeoutMs: number | undefined;
  refused(position: number, error: NetlinkError): void;
}

export class NetlinkSocket {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #listens: boolean;
  #sequence = 0;

  constructor(options: NetlinkSocketOptions) {
    this.#transport = options.transport ?? openTransport(options);
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#listens = (options.groups ?? []).length > 0;
  }

  /** Sends one request; returns the messages that answer it, without the acknowledgement. Throws NetlinkError. */
  request(request: Request): NetlinkMessage[] {
    this.#mustAsk();
    const sequence = this.#nextSequence();
    const flags = (request.flags ?? 0) | NLM_F_REQUEST | NLM_F_ACK;
    this.#send(encodeMessages([{ type: request.type, flags, sequence, payload: request.body }]), request.operation);
    const answers: NetlinkMessage[] = [];
    const deadline = this.#deadline(request);
    for (;;) {
      for (const message of this.#receive(deadline, request.operation)) {
        if (message.sequence !== sequence) continue;
        if (message.type === NLMSG_ERROR) {
          throwIfRefused(message, request);
          return answers;
        }
        if (isData(message)) answers.push(message);
      }
    }
  }

  /**
   * Asks for a table; returns its messages. Begins again when the table changed meanwhile (NLM_F_DUMP_INTR), and
   * throws NetlinkError `FL_DUMP_INTERRUPTED` if it never stands still.
   */
  dump(request: Request): NetlinkMessage[] {
    this.#mustAsk();
    for (let attempt = 0; attempt < MAX_DUMP_ATTEMPTS; attempt++) {
      const messages = this.#dumpOnce(request);
      if (messages) return messages;
    }
    throw dumpInterrupted(request.operation);
  }

  /**
   * Sends many requests, which are all encoded before the first is sent, in as few datagrams as the socket buffers allow; returns those which the kernel refused.
   * Each request is executed whatever happens to the ones before it. Only the last message of a datagram asks for an
   * acknowledgement: refusals are reported without asking. Throws NetlinkError if the outcome is unknown (ENOBUFS,
   * ETIMEDOUT): then read the state again.
   */
  batch(requests: readonly Request[] | RequestList): BatchFailure[] {
    this.#mustAsk();
    const list = listOf(requests);
    const firstSequence = (this.#sequence + 1) >>> 0;
    const batches = encodeBatch(list, this.#limits(), firstSequence);
    this.#sequence = (this.#sequence + list.length) >>> 0;
    const failures: BatchFailure[] = [];
    for (const { data, start, end } of batches) {
      this.#exchange({
        data,
        firstSequence: (firstSequence + start) >>> 0,
        count: end - start,
        acknowledged: end - start - 1,
        operation: (position) => list.operation(start + position),
        timeoutMs: list.timeoutMs,
        refused: (position, error) => failures.push({ index: start + position, error }),
      });
    }
    return failures;
  }

  /**
   * Sends what has to be sent in one datagram because the kernel does all of it or nothing: `begin`, the requests (at
   * least one), `end`. Returns what was refused; index -1 is the whole transaction. Nothing was done if anything is
   * returned. Throws NetlinkError FL_TRANSACTION_TOO_LARGE when the datagram exceeds what this process may send, and
   * ENOBUFS or ETIMEDOUT if the outcome is unknown: then read the state again.
   */
  transaction(begin: Request, requests: readonly Request[], end: Request): BatchFailure[] {
    this.#mustAsk();
    const all = [begin, ...requests, end];
    // The kernel acknowledges after the end, and the end itself only since Linux 6.10.
    const acknowledged = requests.length;
    const firstSequence = (this.#sequence + 1) >>> 0;
    const data = encodeMessages(
      all.map(({ type, flags = 0, body }, position) => ({
        type,
        flags: flags | NLM_F_REQUEST | (position === acknowledged ? NLM_F_ACK : 0),
        sequence: this.#nextSequence(),
        payload: body,
      })),
    );
    this.#growSendBuffer(data.length, begin.operation);
    const failures: BatchFailure[] = [];
    this.#exchange({
      data,
      firstSequence,
      count: all.length,
      acknowledged,
      firstDecides: true,
      operation: (position) => all[position]!.operation,
      timeoutMs: begin.timeoutMs,
      refused: (position, error) => failures.push({ index: position - 1, error }),
    });
    return failures;
  }

  /**
   * Delivers notifications of the groups from the event loop, in order. `onError` gets ENOBUFS when notifications
   * were lost: read the state again, all changes from then on are delivered. Malformed datagrams go there too; the
   * subscription stays.
   */
  subscribe(listener: (messages: NetlinkMessage[]) => void, onError: (error: Error) => void): void {
    if (!this.#listens) throw new TypeError('subscribe() needs a socket that was opened with multicast groups');
    const operation = 'receive netlink notifications';
    this.#transport.onDatagrams(
      (datagrams) => {
        let messages: NetlinkMessage[];
        try {
          messages = decodeDatagrams(datagrams, operation).filter(isData);
        } catch (error) {
          onError(error as Error);
          return;
        }
        if (messages.length > 0) listener(messages);
      },
      (error) => {
        // After an overflow the kernel drops everything, silently, until the queue has been empty once
        // (NETLINK_S_CONGESTED). Only then may the state be read again.
        this.#drain();
        onError(fromSystemError(error, operation));
      },
    );
  }

  /** Lets in what the program accepts, instead of what an earlier one did. */
  filter(program: readonly BpfInstruction[]): void {
    this.#transport.attachFilter(program);
  }

  /** Lets the process end while a subscription is open. */
  unref(): void {
    this.#transport.unref();
  }

  close(): void {
    this.#transport.close();
  }

  /** undefined if the dump was interrupted. */
  #dumpOnce(request: Request): NetlinkMessage[] | undefined {
    const sequence = this.#nextSequence();
    const flags = (request.flags ?? 0) | NLM_F_REQUEST | NLM_F_DUMP;
    this.#send(encodeMessages([{ type: request.type, flags, sequence, payload: request.body }]), request.operation);
    const answers: NetlinkMessage[] = [];
    const deadline = this.#deadline(request);
    let interrupted = false;
    try {
      for (;;) {
        for (const message of this.#receive(deadline, request.operation)) {
          if (message.sequence !== sequence) continue;
          if (message.flags & NLM_F_DUMP_INTR) interrupted = true;
          if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
            throwIfRefused(message, request);
            return interrupted ? undefined : answers;
          }
          if (isData(message)) answers.push(message);
        }
      }
    } catch (error) {
      // An unfinished dump would make the next one fail with EBUSY.
      this.#drain();
      throw error;
    }
  }

  /** The size of a datagram and the refusals that it may cause are limited. */
  #limits(): BatchLimits {
    return {
      maxBytes: Math.min(MAX_BATCH_BYTES, Math.floor(this.#transport.sendBufferBytes / 2)),
      maxMessages: Math.max(1, Math.floor(this.#transport.receiveBufferBytes / REFUSAL_BYTES)),
    };
  }

  #exchange(exchange: Exchange): void {
    const { data, firstSequence, count, acknowledged, firstDecides = false } = exchange;
    const last = exchange.operation(acknowledged);
    const operation = count === 1 ? last : `${count} requests up to "${last}"`;
    this.#send(data, operation);
    const deadline = this.#deadline(exchange);
    for (;;) {
      for (const message of this.#receive(deadline, operation)) {
        // Modulo 2^32, as the sequence wraps around.
        const position = (message.sequence - firstSequence) >>> 0;
        if (position >= count || message.type !== NLMSG_ERROR) continue;
        const { errno, ...details } = decodeStatus(message);
        if (errno !== 0) {
          const error = new NetlinkError({ operation: exchange.operation(position), errno, ...details });
          exchange.refused(position, error);
        }
        if (position === acknowledged || (firstDecides && position === 0)) return;
      }
    }
  }

  #growSendBuffer(bytes: number, operation: string): void {
    try {
      this.#transport.growSendBuffer(bytes);
    } catch (error) {
      throw new NetlinkError({
        operation,
        code: 'FL_TRANSACTION_TOO_LARGE',
        reason:
          `${bytes} bytes, which have to be sent at once, exceed the send buffer of ` +
          `${this.#transport.sendBufferBytes}, and it cannot be enlarged without CAP_NET_ADMIN in the initial ` +
          'user namespace: make several smaller transactions',
        cause: error,
      });
    }
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  #deadline(request: { timeoutMs?: number | undefined }): number {
    return performance.now() + (request.timeoutMs ?? this.#timeoutMs);
  }

  #mustAsk(): void {
    if (this.#listens) throw new TypeError('this netlink socket listens to multicast groups: ask on another one');
  }

  #send(data: Uint8Array, operation: string): void {
    try {
      this.#transport.send(data);
    } catch (error) {
      throw fromSystemError(error, operation);
    }
  }

  /** Blocks until something arrives for this port, or throws NetlinkError. */
  #receive(deadline: number, operation: string): NetlinkMessage[] {
    for (;;) {
      let datagrams: Datagram[];
      try {
        datagrams = this.#transport.receive();
      } catch (error) {
        this.#drain();
        throw fromSystemError(error, operation);
      }
      if (datagrams.length > 0) {
        return decodeDatagrams(datagrams, operation).filter((message) => message.port === this.#transport.port);
      }
      const leftMs = deadline - performance.now();
      // Rounded up: poll(0) in the last fraction of a millisecond would spin.
      if (leftMs <= 0 || !this.#transport.poll(Math.ceil(leftMs))) {
        throw new NetlinkError({
          operation,
          errno: -110,
          reason: 'the kernel did not answer in time: whether it was done is unknown, read the state again',
        });
      }
    }
  }

  /** Throws away what is queued, errors too, so that the next request starts clean. */
  #drain(): void {
    for (let i = 0; i < 10_000; i++) {
      try {
        if (this.#transport.receive().length === 0) return;
      } catch (error) {
        // A pending ENOBUFS is one of the things to throw away; a closed socket has nothing left.
        if ((error as { code?: string }).code === 'EBADF') return;
      }
    }
  }
}

/** Types below are netlink's own: no-op, error, done, overrun. */
function isData(message: NetlinkMessage): boolean {
  return message.type >= NLMSG_MIN_TYPE;
}

function throwIfRefused(message: NetlinkMessage, { operation, reasons }: Request): void {
  const { errno, ...details } = decodeStatus(message);
  if (errno === 0) return;
  const reason = reasons?.[errnoName(errno)];
  throw new NetlinkError({ operation, errno, ...details, ...(reason === undefined ? {} : { reason }) });
}
