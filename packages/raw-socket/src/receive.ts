/**
 * From the memory that recvmmsg wrote to messages that own theirs.
 *
 *   memory  | slot 0                                  | slot 1 ...
 *           | control 512 | address 128 | datagram .. |
 *   results | datagram, address, flags, control lengths | ...
 *
 * There is one such memory for each thread, shared by its sockets: a receive is synchronous, and everything is copied
 * out before anybody else can receive. So a thousand idle sockets cost no buffers, and a message that is kept never
 * changes. Pages that no datagram ever reached are never made resident. native/message.c has the same layout.
 */
import { endianness } from 'node:os';
import type { NativeSocket } from './native.js';

/** One control message, cmsg(3): for example IPPROTO_IPV6, IPV6_HOPLIMIT and an int. */
export interface ControlMessage {
  level: number;
  type: number;
  data: Buffer;
}

/** One datagram. It owns its memory. */
export interface Message {
  data: Buffer;
  /** The sender as a raw sockaddr; empty when the socket's family has none. */
  address: Buffer;
  /** MSG_TRUNC, MSG_CTRUNC, MSG_ERRQUEUE. */
  flags: number;
  control: ControlMessage[];
}

const CONTROL_SIZE = 512;
const ADDRESS_SIZE = 128;
const RESULTS_PER_MESSAGE = 4;

let memory = Buffer.alloc(0);
let results = new Int32Array(0);

/** At most `max` messages, and at most `batch`. The sizes are those that the native socket was made with. */
export function receiveMessages(
  socket: NativeSocket,
  { batch, messageSize }: { batch: number; messageSize: number },
  max: number,
  flags: number,
): Message[] {
  const slotSize = CONTROL_SIZE + ADDRESS_SIZE + Math.ceil(messageSize / 8) * 8;
  if (memory.length < batch * slotSize) memory = Buffer.from(new ArrayBuffer(batch * slotSize));
  if (results.length < batch * RESULTS_PER_MESSAGE) results = new Int32Array(batch * RESULTS_PER_MESSAGE);
  const count = socket.receive(max, flags, memory, results);
  const messages = new Array<Message>(count);
  for (let index = 0; index < count; index++) {
    const control = index * slotSize;
    const address = control + CONTROL_SIZE;
    const data = address + ADDRESS_SIZE;
    const result = index * RESULTS_PER_MESSAGE;
    messages[index] = {
      data: copy(data, results[result]!),
      address: copy(address, results[result + 1]!),
      flags: results[result + 2]!,
      control: readControl(control, control + results[result + 3]!),
    };
  }
  return messages;
}

/** A Buffer with memory of its own. Buffer's own slice() makes a view; of the ways to copy this is the fastest. */
function copy(offset: number, length: number): Buffer {
  return Uint8Array.prototype.slice.call(memory, offset, offset + length) as Buffer;
}

const readI32 = endianness() === 'LE' ? Buffer.prototype.readInt32LE : Buffer.prototype.readInt32BE;

/** level, type, length (32 bits each), then the data, padded to 4 bytes. */
function readControl(from: number, end: number): ControlMessage[] {
  const messages: ControlMessage[] = [];
  for (let offset = from; offset < end; ) {
    const length = readI32.call(memory, offset + 8);
    const data = copy(offset + 12, length);
    messages.push({ level: readI32.call(memory, offset), type: readI32.call(memory, offset + 4), data });
    offset += 12 + Math.ceil(length / 4) * 4;
  }
  return messages;
}
