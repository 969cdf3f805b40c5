/**
 * A datagram that the kernel is given again and again, without a turn of JavaScript for each time, and whose answers nobody reads: for what may be
 * lost once, and whose success something else looks at now and then.
 */
import { constants, DROP_ALL, packDatagrams, RawSocket, type Repetition, sockaddrNl } from '@fairlead/raw-socket';
import { fromSystemError } from './errors.js';

export interface RepeatedOptions extends Repetition {
  /** NETLINK_ROUTE 0, NETLINK_GENERIC 16, ... */
  protocol: number;
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string | undefined;
  /** See `RawSocket.repeat`. */
  onMissed: () => void;
}

/** Until what is returned is called. On a socket of its own. Throws NetlinkError. */
export function repeatDatagram(
  data: Uint8Array,
  { protocol, netns, onMissed, ...repetition }: RepeatedOptions,
): () => void {
  let socket: RawSocket | undefined;
  try {
    socket = new RawSocket({
      domain: constants.AF_NETLINK,
      type: constants.SOCK_RAW,
      protocol,
      ...(netns === undefined ? {} : { netns }),
    });
    socket.attachFilter(DROP_ALL);
    socket.repeat(packDatagrams([{ data, address: sockaddrNl({}) }]), repetition, onMissed);
  } catch (error) {
    socket?.close();
    throw fromSystemError(error, `repeat a netlink message (protocol ${protocol})`);
  }
  return () => socket.close();
}
