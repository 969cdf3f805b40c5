/** Several packets to one destination, by as few system calls as the kernel allows. */
import type { RawSocket } from '@fairlead/raw-socket';

/** Throws the SystemError of the first packet that did not go; those behind it are not sent. */
export function sendAll(socket: RawSocket, packets: readonly Buffer[], destination: Uint8Array): void {
  let rest = packets;
  while (rest.length > 0) rest = rest.slice(socket.sendBatch(rest, destination));
}
