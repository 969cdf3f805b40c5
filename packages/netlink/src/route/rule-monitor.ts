/** RuleMonitor: tells when somebody takes away policy-routing rules of a network namespace. */
import { NetlinkSocket } from '../socket.js';
import type { Transport } from '../transport.js';
import { NETLINK_ROUTE, RTM_DELRULE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE } from './constants.js';

export interface RuleMonitorOptions {
  /** A name under /run/netns or an absolute path; by default the network namespace of this process. */
  netns?: string;
  /** Rules were removed, or may have been: a notification was lost. Called from the event loop. */
  onRemoved: () => void;
  /** In place of a kernel socket, for tests. */
  transport?: Transport;
}

export class RuleMonitor {
  readonly #socket: NetlinkSocket;

  constructor({ onRemoved, ...options }: RuleMonitorOptions) {
    this.#socket = new NetlinkSocket({
      ...options,
      protocol: NETLINK_ROUTE,
      groups: [RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE],
    });
    this.#socket.subscribe((messages) => {
      if (messages.some(({ type }) => type === RTM_DELRULE)) onRemoved();
    }, onRemoved);
  }

  close(): void {
    this.#socket.close();
  }
}
