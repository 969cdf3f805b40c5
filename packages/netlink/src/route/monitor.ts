/** LinkMonitor: tells when links and addresses of a network namespace change. */
import { BPF, type BpfInstruction } from '@fairlead/raw-socket';
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

  /**
   * Does not tell that addresses of this interface are new or prolonged, and is not woken up for that; that they are gone it does tell.
   * undefined: tells of all again. Of one interface at a time.
   */
  ignoreNewAddresses(index: number | undefined): void {
    this.#socket.filter(index === undefined ? everything : allButNewAddresses(index));
  }

  /** Lets the process end while the monitor is open. */
  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#socket.close();
  }
}

const { LOAD_WORD, LOAD_HALF, JUMP_EQUAL, RETURN, WHOLE_PACKET } = BPF;
/** In struct nlmsghdr; and in struct ifaddrmsg, which follows it. */
const TYPE_AT = 4;
const INDEX_AT = 16 + 4;

const everything: readonly BpfInstruction[] = [{ code: RETURN, jt: 0, jf: 0, k: WHOLE_PACKET }];

/** A notification is one message. BPF reads numbers in network order, netlink writes them as a little-endian machine does. */
function allButNewAddresses(index: number): BpfInstruction[] {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(index);
  return [
    { code: LOAD_HALF, jt: 0, jf: 0, k: TYPE_AT },
    { code: JUMP_EQUAL, jt: 0, jf: 3, k: RTM_NEWADDR << 8 },
    { code: LOAD_WORD, jt: 0, jf: 0, k: INDEX_AT },
    { code: JUMP_EQUAL, jt: 0, jf: 1, k: number.readUInt32BE() },
    { code: RETURN, jt: 0, jf: 0, k: 0 },
    ...everything,
  ];
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
