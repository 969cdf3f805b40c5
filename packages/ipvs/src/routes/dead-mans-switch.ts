/**
 * What takes a node out of the VIPs' way when its speaker is dead or frozen, though its kernel lives on.
 *
 * A rule of an owner (owner-rules.ts) outlives its process, and so it should, for a while: clients that know the owner's
 * hardware address are served until another node takes over. From then on it does harm. This node's NodePorts are real
 * servers of the new owner; the rule would take their replies, which go to the VIP, into the wrong director.
 *
 * So the host's end of the veth pair has its IPv4 address only for some seconds at a time (IFA_CACHEINFO), and whoever
 * answers for the VIPs prolongs it. When nobody does, the kernel removes the address, and with the last address of an
 * interface every route over it, in all tables (fib_disable_ip in net/ipv4/fib_frontend.c). Then packets for the VIPs are
 * routed like any others: out to the LAN, to the new owner. No process has to be alive for that.
 *
 * The kernel looks every few hundred milliseconds, so the end comes up to half a second late. IPv6 routes do not go with an address: there the
 * same is done by elements with a lifetime in a set of nf_tables (../second-chance/rules.ts), where the kernel has what that takes.
 */
import { ChangeWatch, hasCode, Nftables, type NftTable, Rtnetlink } from '@fairlead/netlink';
import { directorLink, IPV4_PREFIX_LENGTH } from '../director/link.js';
import { HELD, HELD_SET, TABLE } from '../second-chance/rules.js';

export interface DeadMansSwitchOptions {
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** The interface to the director; default fairlead0. */
  hostInterface?: string;
  /** How long the kernel goes on without `hold`, whole seconds. */
  seconds: number;
}

const ipv6: NftTable = { family: 'ip6', name: TABLE };

export class DeadMansSwitch {
  readonly #rtnetlink: Rtnetlink;
  readonly #nftables: Nftables;
  /** It is held twice a second, and gone off hardly ever: addresses are read again only when one was removed, or an interface changed. */
  readonly #changes: ChangeWatch;
  readonly #options: DeadMansSwitchOptions;
  /** It was up when it was read last, and nothing has been announced since. */
  #isKnownUp = false;
  /** Of the interface, as long as it is known to be there. */
  #index: number | undefined;
  /** Holds that of IPv6 for so long. */
  #ipv6: { seconds: number | undefined; hold: () => void } | undefined;

  constructor(options: DeadMansSwitchOptions) {
    this.#options = options;
    const host = options.hostNetns === undefined ? {} : { netns: options.hostNetns };
    this.#rtnetlink = new Rtnetlink(host);
    this.#nftables = new Nftables(host);
    this.#changes = new ChangeWatch({ ...host, of: ['links', 'addresses'], newAddresses: false });
  }

  /**
   * To be called several times in `seconds`. Tells whether the switch had not gone off; when it has, or there is no
   * director yet, `Director.ensure` and a `HostRoutes` that reads the kernel anew put things right.
   */
  hold(seconds = this.#options.seconds): boolean {
    return this.#hold(seconds);
  }

  /** It shall not go off: for a node that has handed everything over and stops. */
  holdForGood(): boolean {
    return this.#hold(undefined);
  }

  /** Whether the interface that is known has the address. Another one of its name has another index. */
  #isUp(ipv4: string): boolean {
    if (this.#index === undefined) return false;
    try {
      return this.#rtnetlink.addresses({ index: this.#index, family: 'ipv4' }).some(({ address }) => address === ipv4);
    } catch (error) {
      if (hasCode(error, 'ENODEV')) return false;
      throw error;
    }
  }

  close(): void {
    this.#changes.close();
    this.#rtnetlink.close();
    this.#nftables.close();
  }

  #hold(validLifetimeSeconds: number | undefined): boolean {
    const { host } = directorLink(this.#options.hostInterface);
    if (this.#changes.changed()) this.#isKnownUp = false;
    if (!this.#isKnownUp && !this.#isUp(host.ipv4)) {
      this.#index = this.#rtnetlink.link(host.name)?.index;
      if (!this.#isUp(host.ipv4)) return false;
    }
    this.#isKnownUp = true;
    const index = this.#index!;
    const life = validLifetimeSeconds === undefined ? {} : { validLifetimeSeconds };
    try {
      this.#rtnetlink.replaceAddress({ index, address: host.ipv4, prefixLength: IPV4_PREFIX_LENGTH, ...life });
    } catch (error) {
      // While an interface is being removed, its addresses can be read until it is gone; a change of them waits.
      this.#isKnownUp = false;
      if (hasCode(error, 'ENODEV')) return false;
      throw error;
    }
    this.#holdIpv6(validLifetimeSeconds);
    return true;
  }

  #holdIpv6(seconds: number | undefined): void {
    try {
      if (this.#ipv6?.seconds !== seconds || this.#ipv6 === undefined) {
        this.#ipv6 = { seconds, hold: this.#prepareIpv6(seconds) };
      }
      this.#ipv6.hold();
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error; // the rules are not there (yet)
    }
  }

  #prepareIpv6(seconds: number | undefined): () => void {
    const life = seconds === undefined ? {} : { timeoutMs: seconds * 1000 };
    const elements = HELD.map((protocol) => ({ key: [protocol], ...life }));
    // Older kernels do not prolong an element that is there.
    return this.#nftables.prepare([
      { kind: 'flush', table: ipv6, set: HELD_SET },
      { kind: 'add', table: ipv6, set: HELD_SET, elements },
    ]);
  }
}
