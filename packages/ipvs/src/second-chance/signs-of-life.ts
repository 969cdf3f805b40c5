/** Says over and over that this process lives (signs.ts), from the director and without a turn of JavaScript for each time. */
import { statSync } from 'node:fs';
import { Rtnetlink } from '@fairlead/netlink';
import {
  constants,
  netnsPath,
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
  /** The director's end of the pair. */
  address: Buffer;
  /** Of the network namespace that the socket is in. */
  inode: number;
}

/**
 * One socket for all of it, from the first sign to `close`: to close a packet socket takes 8 ms (synchronize_net in af_packet.c), which who takes
 * over does not have. Where signs do not arrive, somebody made the director or its interface anew: then `close` it, and begin again.
 */
export class SignsOfLife {
  readonly #options: SignsOfLifeOptions;
  /** Undefined as long as there is no director. */
  #way: Way | undefined;

  constructor(options: SignsOfLifeOptions) {
    this.#options = options;
  }

  /**
   * Until what is returned is ended; undefined where there is no director (yet). `onMissed` as in `RawSocket.repeat`.
   * Throws NetlinkError, and SystemError as `RawSocket` does.
   */
  repeat(frames: readonly Buffer[], repetition: Repetition, onMissed: () => void): Repeated | undefined {
    this.#way ??= this.#open();
    if (this.#way === undefined) return undefined;
    const { socket, address } = this.#way;
    return socket.repeat(packDatagrams(frames.map((data) => ({ data, address }))), repetition, onMissed);
  }

  /** Whether the director has been removed since: as long as this has a socket there, it lives on without a name, and nobody can make another one. */
  isLost(): boolean {
    return this.#way !== undefined && this.#way.inode !== inodeOf(this.#options.director);
  }

  /** Ends all that is said. May be called at any time: what is said next opens another socket. */
  close(): void {
    this.#way?.socket.close();
    this.#way = undefined;
  }

  #open(): Way | undefined {
    const { director: netns, hostInterface } = this.#options;
    const inode = inodeOf(netns);
    const ifindex = inode && indexOf(netns, directorLink(hostInterface).director.name);
    if (inode === undefined || ifindex === undefined) return undefined;
    const { AF_PACKET: domain, SOCK_RAW: type } = constants;
    const socket = new RawSocket({ domain, type, protocol: 0, netns });
    return { socket, address: sockaddrLl({ ifindex, protocol: 0 }), inode };
  }
}

/** Of the namespace that has this name. */
function inodeOf(netns: string): number | undefined {
  return statSync(netnsPath(netns), { throwIfNoEntry: false })?.ino;
}

function indexOf(netns: string, name: string): number | undefined {
  const links = new Rtnetlink({ netns });
  try {
    return links.link(name)?.index;
  } finally {
    links.close();
  }
}
