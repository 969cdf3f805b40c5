/**
 * Which interfaces the neighbours have to be told about again: the link is back, or what is behind it has moved. A switch forgets what
 * was behind a port that had no carrier, and neighbours go on sending to a hardware address that is no longer there.
 *
 * A link that was gone for a moment only may show up as one notification of a link that is there, hence the kernel's count of
 * carriers. What is built upon a link that is back (a bridge, a bond, a VLAN) is back with it: its own carrier may have outlived that
 * moment. Pure: fed with what netlink says.
 */

import type { Link, LinkEvent } from '@fairlead/netlink';

type Seen = Pick<Link, 'address' | 'carrierUps' | 'master' | 'peerIndex'> & { running: boolean };

export class LinkWatch {
  readonly #read: () => readonly Link[];
  readonly #seen = new Map<number, Seen>();

  /** @param read all links as they are now. To be made after one listens for events: then nothing is missed. */
  constructor(read: () => readonly Link[]) {
    this.#read = read;
    for (const link of read()) this.#look(link);
  }

  /** The indices of those that have come back. */
  heard(event: LinkEvent): number[] {
    switch (event.type) {
      case 'link': {
        const returned = this.#look(event.link);
        return returned.length > 0 || !event.notifyPeers ? returned : [event.link.index];
      }
      case 'link-removed':
        this.#seen.delete(event.link.index);
        return [];
      case 'resync':
        return [...new Set(this.#read().flatMap((link) => this.#look(link)))];
      default:
        return [];
    }
  }

  /** Takes over how the link is. Gives it, and those that are built upon it, if it has come back. */
  #look(link: Link): number[] {
    const { index, address, carrierUps, master, up, carrier } = link;
    const before = this.#seen.get(index);
    const running = up && carrier;
    const now: Seen = { address, running };
    if (carrierUps !== undefined) now.carrierUps = carrierUps;
    if (master !== undefined) now.master = master;
    const below = lowerOf(link);
    if (below !== undefined) now.peerIndex = below;
    this.#seen.set(index, now);
    if (before === undefined || !running) return [];
    if (!before.running || before.carrierUps !== carrierUps) return [index, ...this.#above(index)];
    return before.address === address ? [] : [index];
  }

  /**
   * The bridge or bond that it is a port of, VLANs and the like upon it, and what is upon these; each once, as links can go round: a tunnel
   * through a bridge may be a port of that bridge.
   */
  #above(index: number, found: Set<number> = new Set([index])): number[] {
    const { master } = this.#seen.get(index)!;
    const upon = [...this.#seen].flatMap(([other, { peerIndex }]) => (peerIndex === index ? [other] : []));
    const above = master !== undefined && this.#seen.has(master) ? [master, ...upon] : upon;
    return above.flatMap((each) => (found.has(each) ? [] : [each, ...this.#above(each, found.add(each))]));
  }
}

/** A VLAN and the like has the interface that it is built upon as its "peer"; that of a veth is its other end. */
function lowerOf({ kind, peerIndex, peerNetnsId }: Link): number | undefined {
  return kind === 'veth' || peerNetnsId !== undefined ? undefined : peerIndex;
}
