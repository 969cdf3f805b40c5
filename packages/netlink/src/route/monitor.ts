/** LinkMonitor: tells when links and addresses of a network namespace change. */
import type { NetlinkMessage } from '../message.js';
import { NetlinkSocket } from '../socket.js';
import type { Transport } from '../transport.js';
import { type Address, decodeInterfaceAddress } from './address.js';
import {
  NETLINK_ROUTE,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_LINK,
} from './constants.js';
import { asksToNotifyPeers, decodeLink, type Link } from './link.js';

export type LinkEvent =
  /** New, or changed in any way. `notifyPeers`: the neighbours should be told again where the link's addresses are. */
  | { type: 'link'; link: Link; notifyPeers?: boolean }
  | { type: 'link-removed'; link: Link }
  | { type: 'address'; address: Address }
  | { type: 'address-removed'; address: Address }
  /**
   * A notification was lost (the socket buffer overflowed) or is not understood: read links and addresses again. What
   * follows is complete.
   */
  | { type: 'resync'; error: Error };

export interface LinkMonitorOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  /** Called from the event loop, in the kernel's order. */
  onEvent: (event: LinkEvent) => void;
  /** Whether to tell of addresses; default true. Each event wakes the thread up. */
  addresses?: boolean;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

/**
 * Listens from the moment of construction: first construct it, then read the present state with Rtnetlink, and no
 * change falls between the two.
 */
export class LinkMonitor {
  readonly #socket: NetlinkSocket;

  constructor(options: LinkMonitorOptions) {
    this.#socket = new NetlinkSocket({
      ...options,
      protocol: NETLINK_ROUTE,
      groups: [RTNLGRP_LINK, ...(options.addresses === false ? [] : [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR])],
    });
    this.#socket.subscribe(
      (messages) => {
        for (const message of messages) {
          const event = toEvent(message);
          if (event) options.onEvent(event);
        }
      },
      (error) => options.onEvent({ type: 'resync', error }),
    );
  }

  /** Lets the process end while the monitor is open. */
  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#socket.close();
  }
}

function toEvent(message: NetlinkMessage): LinkEvent | undefined {
  try {
    return decodeEvent(message);
  } catch (error) {
    return { type: 'resync', error: error as Error };
  }
}

function decodeEvent({ type, payload }: NetlinkMessage): LinkEvent | undefined {
  switch (type) {
    case RTM_NEWLINK:
      return { type: 'link', link: decodeLink(payload), ...(asksToNotifyPeers(payload) && { notifyPeers: true }) };
    case RTM_DELLINK:
      return { type: 'link-removed', link: decodeLink(payload) };
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeInterfaceAddress(payload);
      return address && { type: type === RTM_NEWADDR ? 'address' : 'address-removed', address };
    }
    default:
      return undefined;
  }
}
