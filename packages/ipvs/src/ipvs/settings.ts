/** The kernel settings under which IPVS forwards in a director. They exist only once ip_vs is loaded. */
import type { Ipvs } from '@fairlead/netlink';
import { ensureSysctls, ipvsSysctls, withSysctl } from '../director/sysctls.js';
import type { Log } from '../log.js';

/** IPVS forgets an idle connection after 15 minutes; what applications rely on is the two hours of TCP keepalive. */
const TCP_TIMEOUT_SECONDS = 7200;

export interface IpvsSettings {
  /** Sets what differs; returns how many that were. */
  ensure(): number;
  /** Connections whose real server is not there during the action, but is before and after, stay. */
  keepingConnections(action: () => void): void;
}

export class DirectorIpvsSettings implements IpvsSettings {
  readonly #netns: string;
  readonly #ipvs: Ipvs;
  readonly #log: Log;

  constructor(netns: string, ipvs: Ipvs, log: Log) {
    this.#netns = netns;
    this.#ipvs = ipvs;
    this.#log = log;
  }

  ensure(): number {
    const changes = ensureSysctls(this.#netns, ipvsSysctls, this.#log);
    const { tcp } = this.#ipvs.getTimeouts();
    if (tcp === TCP_TIMEOUT_SECONDS) return changes;
    this.#ipvs.setTimeouts({ tcp: TCP_TIMEOUT_SECONDS });
    this.#log.info({ netns: this.#netns, before: tcp, seconds: TCP_TIMEOUT_SECONDS }, 'IPVS TCP timeout changed');
    return changes + 1;
  }

  /** The kernel finds a real server again among those that it has just deleted, if it was not told to end its connections. */
  keepingConnections(action: () => void): void {
    withSysctl(this.#netns, 'net/ipv4/vs/expire_nodest_conn', '0', action);
  }
}
