/**
 * Whether what stands between a host and its director is ours: decided by structure, not by a mark that somebody
 * could be interrupted before setting. Pure.
 */
import type { Link } from '@fairlead/netlink';
import { ForwardingError } from '../errors.js';
import type { DirectorLink } from './link.js';

export interface PairInput {
  director: string;
  link: DirectorLink;
  /** The host's interface of our name. */
  hostEnd: Link | undefined;
  /** All interfaces in the namespace of the director's name. */
  directorLinks: readonly Link[];
}

/**
 * `present`: the pair is ours and whole. `absent`: neither end is there, and the namespace is empty (just made, or
 * somebody deleted the pair). Throws FL_FOREIGN_INTERFACE or FL_FOREIGN_NETNS for anything else.
 */
export function inspectPair({ director, link, hostEnd, directorLinks }: PairInput): 'present' | 'absent' {
  const directorEnd = directorLinks.find(({ name }) => name === link.director.name);
  if (hostEnd && !(directorEnd && isPair(hostEnd, directorEnd, link))) {
    throw new ForwardingError(
      'FL_FOREIGN_INTERFACE',
      `the host's interface ${hostEnd.name} (${hostEnd.kind ?? 'hardware'}, ${hostEnd.address}) does not lead to the ` +
        `director "${director}": if nobody needs it, delete it (ip link delete ${hostEnd.name}), or choose another name for ours`,
    );
  }
  if (hostEnd) return 'present';
  // A new namespace may have fallback tunnels (tunl0, sit0, ...) besides lo, but they are down.
  const stranger = directorEnd ?? directorLinks.find(({ loopback, up }) => up && !loopback);
  if (stranger) {
    throw new ForwardingError(
      'FL_FOREIGN_NETNS',
      `the network namespace "${director}" is in use: its interface ${stranger.name} does not lead to ${link.host.name} on ` +
        `this host; if nobody needs it, delete it (ip netns delete ${director}), or choose another name for the director`,
    );
  }
  return 'absent';
}

function isPair(hostEnd: Link, directorEnd: Link, link: DirectorLink): boolean {
  return (
    hostEnd.kind === 'veth' &&
    directorEnd.kind === 'veth' &&
    hostEnd.peerIndex === directorEnd.index &&
    directorEnd.peerIndex === hostEnd.index &&
    hostEnd.address === link.host.mac &&
    directorEnd.address === link.director.mac
  );
}
