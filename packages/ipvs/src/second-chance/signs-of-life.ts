/** Says over and over that this process lives (signs.ts), from the director and without a turn of JavaScript for each time. */
import { Rtnetlink } from '@fairlead/netlink';
import { constants, packDatagrams, RawSocket, type Repetition, sockaddrLl } from '@fairlead/raw-socket';
import { directorLink } from '../director/link.js';

export interface SignsOfLifeOptions {
  /** Name of the director's network namespace. */
  director: string;
  /** The host's interface to it; default fairlead0. */
  hostInterface?: string;
}

/** Until what is returned is called; undefined where there is no director (yet). Throws NetlinkError, and SystemError as `RawSocket` does. */
export function repeatFrames(
  { director: netns, hostInterface }: SignsOfLifeOptions,
  frames: readonly Buffer[],
  repetition: Repetition,
  onMissed: () => void,
): (() => void) | undefined {
  const ifindex = indexOf(netns, directorLink(hostInterface).director.name);
  if (ifindex === undefined) return undefined;
  const address = sockaddrLl({ ifindex, protocol: 0 });
  const { AF_PACKET: domain, SOCK_RAW: type } = constants;
  const socket = new RawSocket({ domain, type, protocol: 0, netns });
  try {
    socket.repeat(packDatagrams(frames.map((data) => ({ data, address }))), repetition, onMissed);
  } catch (error) {
    socket.close();
    throw error;
  }
  return () => socket.close();
}

function indexOf(netns: string, name: string): number | undefined {
  const links = new Rtnetlink({ netns });
  try {
    return links.link(name)?.index;
  } finally {
    links.close();
  }
}
