/**
 * ChangeWatch: tells whether anything has changed in a network namespace since it was asked last. rtnetlink has no generation as nf_tables has;
 * but what the kernel announces can wait in a socket that nobody listens to, and is asked for where all of it would otherwise be read again.
 * Nobody is woken up by it.
 */
import { isSystemError } from '@fairlead/raw-socket';
import { type Datagram, openTransport, type Transport } from '../transport.js';
import {
  NETLINK_ROUTE,
  RTM_NEWADDR,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
  RTNLGRP_LINK,
} from './constants.js';
import { allButType } from './filter.js';

const groups = {
  links: [RTNLGRP_LINK],
  addresses: [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR],
  routes: [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE],
  rules: [RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE],
} as const;

export type Changeable = keyof typeof groups;

export interface ChangeWatchOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  of: readonly Changeable[];
  /** Whether an address counts that is new, or prolonged; default true. */
  newAddresses?: boolean;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

export class ChangeWatch {
  readonly #transport: Transport;

  /** Watches from now on. Throws NetlinkError. */
  constructor({ of, newAddresses = true, ...options }: ChangeWatchOptions) {
    const joined = of.flatMap((what) => groups[what]);
    this.#transport = options.transport ?? openTransport({ ...options, protocol: NETLINK_ROUTE, groups: joined });
    if (!newAddresses) this.#transport.attachFilter(allButType(RTM_NEWADDR));
  }

  /**
   * Whether anything may have changed since the last call, or the construction; what this process changed itself counts. To be asked before what
   * is then read: a change in between is one for the next call.
   */
  changed(): boolean {
    return anyOf(this.#transport, () => true);
  }

  close(): void {
    this.#transport.close();
  }
}

/** Takes all announcements out of a socket: whether there is one of those, or may have been. */
export function anyOf(transport: Transport, isOne: (datagrams: Datagram[]) => boolean): boolean {
  let any = false;
  for (;;) {
    try {
      const datagrams = transport.receive();
      if (datagrams.length === 0) return any;
      any ||= isOne(datagrams);
    } catch (error) {
      // Announcements were lost, and more are until the queue has been empty once (NETLINK_S_CONGESTED).
      if (!isSystemError(error, 'ENOBUFS')) throw error;
      any = true;
    }
  }
}
