/** Says over and over that this process lives (signs.ts), from the director and without a turn of JavaScript for each time. */
import { Rtnetlink } from '@fairlead/netlink';
import {
  constants,
  isSystemError,
  packDatagrams,
  RawSocket,
  type Repeated,
  type Repetition,
  sockaddrLl,
} from '@fairlead/raw-socket';
import { directorLink } from '../director/link.js';

export interface SignsOfLifeOptions {
  /** Name of the director's network namespace. */
  director: string;
  /** The host's interface to it; default fairlead0. */
  hostInterface?: string;
}

interface Way {
  socket: RawSocket;
  address: Buffer;
}

/**
 * One socket for all of it, from the first sign to `close`: to close a packet socket takes 8 ms (synchronize_net in af_packet.c), which who takes
 * over does not have.
 */
export class SignsOfLife {
  readonly #options: SignsOfLifeOptions;
  /** To the host's end; undefined as long as there is no director. */
  #way: Way | undefined;

  constructor(options: SignsOfLifeOptions) {
    this.#options = options;
  }

  /**
   * Until what is returned is ended; undefined where there is no director (yet). `onMissed` as in `RawSocket.repeat`.
   * Throws NetlinkError, and SystemError as `RawSocket` does.
   */
  repeat(frames: readonly Buffer[], repetition: Repetition, onMissed: () => void): Repeated | undefined {
    if (!this.#leads(frames)) this.close();
    this.#way ??= this.#open();
    if (this.#way === undefined) return undefined;
    const { socket, address } = this.#way;
    return socket.repeat(packDatagrams(frames.map((data) => ({ data, address }))), repetition, onMissed);
  }

  close(): void {
    this.#way?.socket.close();
    this.#way = undefined;
  }

  /** Not any more where the director was made anew, or has another end of the pair. */
  #leads([frame]: readonly Buffer[]): boolean {
    if (this.#way === undefined || frame === undefined) return false;
    try {
      return this.#way.socket.send(frame, this.#way.address) > 0;
    } catch (error) {
      if (isSystemError(error)) return false;
      throw error;
    }
  }

  #open(): Way | undefined {
    const { director: netns, hostInterface } = this.#options;
    const ifindex = indexOf(netns, directorLink(hostInterface).director.name);
    if (ifindex === undefined) return undefined;
    const { AF_PACKET: domain, SOCK_RAW: type } = constants;
    const socket = new RawSocket({ domain, type, protocol: 0, netns });
    return { socket, address: sockaddrLl({ ifindex, protocol: 0 }) };
  }
}

function indexOf(netns: string, name: string): number | undefined {
  const links = new Rtnetlink({ netns });
  try {
    return links.link(name)?.index;
  } finally {
    links.close();
  }
}
