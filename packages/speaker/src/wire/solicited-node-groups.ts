/**
 * Membership in the solicited-node groups of VIPs (RFC 4291 §2.7.1) on one interface. Joining as a host does, rather than on the
 * AF_PACKET socket, makes the kernel send the MLD reports without which a snooping switch would withhold the solicitations.
 *
 * A socket is charged for its memberships (net.core.optmem_max, 20 KiB and more), hence one for every hundred.
 */

import { constants, RawSocket } from '@fairlead/raw-socket';
import { ipv6Membership } from './ipv6-membership.js';
import { solicitedNodeGroup } from './ndp.js';

const GROUPS_PER_SOCKET = 100;

export class SolicitedNodeGroups {
  readonly #ifindex: number;
  /** How many of the addresses have it. */
  readonly #wanted = new Map<string, number>();
  readonly #joined = new Map<string, Member>();
  /** Wanted, and not joined yet. */
  readonly #missing = new Set<string>();
  readonly #members: Member[] = [];

  constructor(ifindex: number) {
    this.#ifindex = ifindex;
  }

  /** Addresses of 32 hexadecimal digits each, once each; `join` does it. */
  add(ips: readonly string[]): void {
    for (const group of ips.map(solicitedNodeGroup)) {
      const count = this.#wanted.get(group) ?? 0;
      this.#wanted.set(group, count + 1);
      if (count === 0) this.#missing.add(group);
    }
  }

  /** Leaves the groups that no address has any more. Throws a SystemError. */
  remove(ips: readonly string[]): void {
    for (const group of ips.map(solicitedNodeGroup)) {
      const count = this.#wanted.get(group) ?? 0;
      if (count > 1) this.#wanted.set(group, count - 1);
      if (count !== 1) continue;
      this.#wanted.delete(group);
      this.#missing.delete(group);
      const member = this.#joined.get(group);
      this.#joined.delete(group);
      member?.leave(group);
    }
  }

  /** Joins what is wanted. Throws a SystemError; then it is in some of them, and another call goes on. */
  join(): void {
    for (const group of this.#missing) {
      const member = this.#vacant();
      member.join(group);
      this.#joined.set(group, member);
      this.#missing.delete(group);
    }
  }

  get isEmpty(): boolean {
    return this.#wanted.size === 0;
  }

  close(): void {
    for (const member of this.#members) member.close();
  }

  #vacant(): Member {
    const vacant = this.#members.find(({ count }) => count < GROUPS_PER_SOCKET);
    if (vacant) return vacant;
    const member = new Member(this.#ifindex);
    this.#members.push(member);
    return member;
  }
}

class Member {
  count = 0;
  readonly #ifindex: number;
  readonly #socket = new RawSocket({ domain: constants.AF_INET6, type: constants.SOCK_DGRAM, protocol: 0 });

  constructor(ifindex: number) {
    this.#ifindex = ifindex;
  }

  join(group: string): void {
    this.#socket.setsockopt(
      constants.IPPROTO_IPV6,
      constants.IPV6_JOIN_GROUP,
      ipv6Membership(Buffer.from(group, 'hex'), this.#ifindex),
    );
    this.count++;
  }

  leave(group: string): void {
    this.#socket.setsockopt(
      constants.IPPROTO_IPV6,
      constants.IPV6_LEAVE_GROUP,
      ipv6Membership(Buffer.from(group, 'hex'), this.#ifindex),
    );
    this.count--;
  }

  close(): void {
    this.#socket.close();
  }
}
