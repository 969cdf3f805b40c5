/** Many requests as few datagrams. */
import { Encoder } from './attribute.js';
import type { NetlinkError } from './errors.js';
import { NLM_F_ACK, NLM_F_REQUEST } from './message.js';

export interface Request {
  type: number;
  /** Beside NLM_F_REQUEST, NLM_F_ACK and NLM_F_DUMP, which the methods of NetlinkSocket set themselves. */
  flags?: number;
  /** What follows the netlink header. */
  body: Uint8Array;
  /** For errors: what is attempted, on what. */
  operation: string;
  /** What refusals mean, by name of the errno, where that is not what they mean in general. Heeded for single requests. */
  reasons?: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

/**
 * Requests that write themselves: for tens of thousands at once, where an object, a buffer and a text for each would
 * cost more than what the kernel does with them.
 */
export interface RequestList {
  readonly length: number;
  readonly timeoutMs?: number;
  header(index: number): { type: number; flags?: number };
  /** Writes what follows the netlink header. */
  write(encoder: Encoder, index: number): void;
  /** For errors: what is attempted, on what. Asked for what was refused only. */
  operation(index: number): string;
}

/** One message of a batch that the kernel refused. */
export interface BatchFailure {
  /** Position in the batch. */
  index: number;
  error: NetlinkError;
}

/** Some of the requests, as they are sent. */
export interface EncodedBatch {
  data: Buffer;
  /** Position of the first one. Its message has the sequence number that was asked for, plus this. */
  start: number;
  end: number;
}

export interface BatchLimits {
  /** Of a datagram. A message that alone exceeds it has a datagram of its own. */
  maxBytes: number;
  maxMessages: number;
}

export function listOf(requests: readonly Request[] | RequestList): RequestList {
  if ('write' in requests) return requests;
  const timeoutMs = requests.at(-1)?.timeoutMs;
  return {
    length: requests.length,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    header: (index) => requests[index]!,
    write: (encoder, index) => encoder.raw(requests[index]!.body),
    operation: (index) => requests[index]!.operation,
  };
}

/**
 * Encodes all of them, or throws what `write` throws. The last message of each datagram asks for an acknowledgement.
 * The message at position i has sequence number `firstSequence` + i, modulo 2^32.
 */
export function encodeBatch(list: RequestList, limits: BatchLimits, firstSequence: number): EncodedBatch[] {
  const batches: EncodedBatch[] = [];
  let encoder = new Encoder(FIRST_CAPACITY);
  let start = 0;
  let lastAt = 0;
  const finish = (length: number, end: number) => {
    const data = encoder.bytes().subarray(0, length);
    data.writeUInt16LE(data.readUInt16LE(lastAt + FLAGS_AT) | NLM_F_ACK, lastAt + FLAGS_AT);
    batches.push({ data, start, end });
    start = end;
  };
  for (let index = 0; index < list.length; index++) {
    if (index - start === limits.maxMessages) {
      finish(encoder.length, index);
      encoder = new Encoder(FIRST_CAPACITY);
    }
    const at = encoder.length;
    const { type, flags = 0 } = list.header(index);
    encoder.message(type, flags | NLM_F_REQUEST, (firstSequence + index) >>> 0, () => list.write(encoder, index));
    if (encoder.length > limits.maxBytes && index > start) {
      // One too many: it begins the next datagram.
      const message = encoder.bytes().subarray(at);
      finish(at, index);
      encoder = new Encoder(FIRST_CAPACITY).raw(message);
      lastAt = 0;
    } else {
      lastAt = at;
    }
  }
  if (encoder.length > 0) finish(encoder.length, list.length);
  return batches;
}

const FIRST_CAPACITY = 4096;
/** Of the flags, in struct nlmsghdr. */
const FLAGS_AT = 6;
