/**
 * AddressWatch: tells whether an address of a network namespace was removed since it was asked last, also where it has been added again meanwhile.
 * Announcements wait in a socket that nobody listens to (as in change-watch.ts): nobody is woken up by them.
 */
import { decodeDatagrams, openTransport, type Transport } from '../transport.js';
import { decodeInterfaceAddress } from './address.js';
import { anyOf } from './change-watch.js';
import { NETLINK_ROUTE, RTM_DELADDR, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR } from './constants.js';
import { onlyType } from './filter.js';

export interface AddressWatchOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  address: string;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

export class AddressWatch {
  readonly #transport: Transport;
  readonly #address: string;

  /** Watches from now on. Throws NetlinkError. */
  constructor({ address, transport, ...options }: AddressWatchOptions) {
    this.#address = address;
    const groups = [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR];
    this.#transport = transport ?? openTransport({ ...options, protocol: NETLINK_ROUTE, groups });
    this.#transport.attachFilter(onlyType(RTM_DELADDR));
  }

  /** Whether it was, from whatever interface, or may have been, since the last call or the construction. */
  removed(): boolean {
    return anyOf(this.#transport, (datagrams) =>
      decodeDatagrams(datagrams, 'read which addresses were removed').some(
        ({ payload }) => decodeInterfaceAddress(payload)?.address === this.#address,
      ),
    );
  }

  close(): void {
    this.#transport.close();
  }
}
