/**
 * Conntrack: the connections which the kernel tracks in one network namespace.
 *
 * All calls are synchronous. Needs CAP_NET_ADMIN over the network namespace. A namespace tracks connections only while
 * something in it asks for that (a rule with `ct` or NAT, net.ipv4.vs.conntrack).
 */
import { type Encoder, NLA_F_NESTED } from '../attribute.js';
import { hasCode, MalformedMessageError } from '../errors.js';
import { familyNumber } from '../ip.js';
import {
  type NetfilterMessage,
  type NetfilterOptions,
  NFNL_SUBSYS_CTNETLINK,
  Nfnetlink,
} from '../netfilter/nfnetlink.js';
import { commands, entryAttributes, globalAttributes } from './constants.js';
import { decodeCpuStatistics, decodeEntry } from './entry.js';
import { type CheckedFilter, checkFilter, describeFilter, isEmpty, matches, putFilter } from './filter.js';
import type { ConntrackCpuStatistics, ConntrackEntry, ConntrackFilter } from './types.js';

const AF_UNSPEC = 0;

interface Found {
  entry: ConntrackEntry;
  message: NetfilterMessage;
}

export class Conntrack {
  readonly #netlink: Nfnetlink;

  constructor(options: NetfilterOptions = {}) {
    this.#netlink = new Nfnetlink(NFNL_SUBSYS_CTNETLINK, options);
  }

  /** The connections that `filter` describes; without it, all. The kernel goes through its whole table either way. */
  list(filter: ConntrackFilter = {}): ConntrackEntry[] {
    return this.#find(checkFilter(filter), `list connections (${describeFilter(filter)})`).map(({ entry }) => entry);
  }

  /**
   * Forgets the connections that `filter` describes, or those of them which `only` chooses: their next packet begins a
   * new one. Returns how many there were.
   * Those that begin meanwhile may stay. Throws TypeError for a filter that says nothing, NetlinkError if the kernel
   * refuses.
   */
  delete(filter: ConntrackFilter, only: (entry: ConntrackEntry) => boolean = () => true): number {
    const checked = checkFilter(filter);
    if (isEmpty(checked)) throw new TypeError('delete of connections needs a filter that says which');
    const operation = `delete connections (${describeFilter(filter)})`;
    const found = this.#find(checked, operation).filter(({ entry }) => only(entry));
    const failures = this.#netlink.batch(
      found.map(({ entry, message }) => ({
        command: commands.delete,
        family: message.family,
        attributes: (encoder: Encoder) => putIdentity(encoder, entry, message),
        operation,
      })),
    );
    for (const { error } of failures) {
      // It ended by itself meanwhile.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
    return found.length - failures.length;
  }

  /** How many connections this network namespace has, and how many the machine allows each namespace. */
  count(): { entries: number; maximum: number } {
    const [answer] = this.#netlink.request({
      command: commands.getStatistics,
      family: AF_UNSPEC,
      operation: 'count connections',
    });
    const entries = answer?.attributes.u32be(globalAttributes.entries);
    if (entries === undefined) throw new MalformedMessageError('connection statistics without a count');
    // Since Linux 4.18.
    return { entries, maximum: answer?.attributes.u32be(globalAttributes.maximum) ?? 0 };
  }

  /** Counters of this network namespace, for each CPU: add them up. */
  stats(): ConntrackCpuStatistics[] {
    return this.#netlink
      .dump({ command: commands.getCpuStatistics, family: AF_UNSPEC, operation: 'get connection statistics' })
      .map(decodeCpuStatistics);
  }

  close(): void {
    this.#netlink.close();
  }

  #find(filter: CheckedFilter, operation: string): Found[] {
    return this.#netlink
      .dump({
        command: commands.get,
        family: filter.family ? familyNumber(filter.family) : AF_UNSPEC,
        attributes: (encoder) => putFilter(encoder, filter),
        operation,
      })
      .flatMap((message) => {
        const entry = decodeEntry(message);
        return entry && matches(filter, entry) ? [{ entry, message }] : [];
      });
  }
}

/** The tuple as the kernel gave it, and the number: not another connection that has the same tuple by now. */
function putIdentity(encoder: Encoder, { id, zone }: ConntrackEntry, { attributes }: NetfilterMessage): void {
  const tuple = attributes.binary(entryAttributes.original);
  if (!tuple) throw new MalformedMessageError('a connection without its original direction');
  encoder.binary(entryAttributes.original | NLA_F_NESTED, tuple);
  encoder.u32be(entryAttributes.id, id);
  if (zone !== 0) encoder.u16be(entryAttributes.zone, zone);
}
