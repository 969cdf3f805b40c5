/**
 * The switch of a takeover: one policy-routing rule for each virtual router that this node owns. With it, packets for
 * the virtual router's VIPs go into the director; without it, they are routed like any others.
 *
 * It selects `from all`, because all have to come in here while this node owns the VIP: the LAN, this node itself, and
 * its pods. And it exists on the owner alone, with nothing in its place elsewhere. A rule for what comes in from the
 * LAN (`iif eth0`) on the other nodes would let a former owner still serve its stragglers, but would do harm: when a
 * node's kube-proxy sends a connection on to a pod on a third node, it masquerades it, and the pod's reply comes back
 * through eth0 with its destination rewritten to the VIP before routing. That rule would pull it into the director of
 * the wrong node. Without it the reply goes out to the LAN, to the owner; and so does a straggler. That helps datagrams.
 * What TCP needs more than that is ../second-chance.
 *
 * One netlink message each way and family, on a socket of its own: made for the thread that elects.
 */
import { existsSync } from 'node:fs';
import { hasCode, Rtnetlink, type RuleOptions } from '@fairlead/netlink';
import { indexOf, ROUTE_PROTOCOL, TABLE_BASE, tableOf } from './tables.js';

export interface OwnerRulesOptions {
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** See tables.ts. */
  tableBase?: number;
}

export class OwnerRules {
  readonly #rtnetlink: Rtnetlink;
  readonly #base: number;
  readonly #families: ('ipv4' | 'ipv6')[];

  constructor(options: OwnerRulesOptions = {}) {
    this.#rtnetlink = new Rtnetlink(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
    this.#base = options.tableBase ?? TABLE_BASE;
    // The directory is not there when the kernel was booted with IPv6 off.
    this.#families = existsSync('/proc/sys/net/ipv6') ? ['ipv4', 'ipv6'] : ['ipv4'];
  }

  /** From now on packets for the VIPs of this virtual router go into the director. */
  claim(index: number): void {
    for (const rule of this.#rules(index)) unless('EEXIST', () => this.#rtnetlink.addRule(rule));
  }

  /** From now on they do not. */
  release(index: number): void {
    for (const rule of this.#rules(index)) unless('ENOENT', () => this.#rtnetlink.deleteRule(rule));
  }

  /** The virtual routers that are claimed, ascending; also by an earlier process. */
  list(): number[] {
    const claimed = this.#families
      .flatMap((family) => this.#rtnetlink.rules(family))
      .filter((rule) => rule.protocol === ROUTE_PROTOCOL && rule.priority === rule.table)
      .map((rule) => indexOf(rule.table, this.#base))
      .filter((index) => index !== undefined);
    return [...new Set(claimed)].sort((a, b) => a - b);
  }

  close(): void {
    this.#rtnetlink.close();
  }

  #rules(index: number): RuleOptions[] {
    const table = tableOf(index, this.#base);
    return this.#families.map((family) => ({ family, priority: table, table, protocol: ROUTE_PROTOCOL }));
  }
}

function unless(code: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!hasCode(error, code)) throw error;
  }
}
