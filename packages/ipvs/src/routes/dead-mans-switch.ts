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
 *
 * Whoever holds it for long leaves that to the sockets (`keepHolding`; RawSocket.repeat). To prolong an address that is gone is to add it, without
 * the routes that went with it; so it is not done so late that it may be gone, and a removal is told as one even where the address is there again.
 */
import {
  type AddressOptions,
  AddressWatch,
  hasCode,
  Nftables,
  type NftOperation,
  type NftTable,
  Rtnetlink,
} from '@fairlead/netlink';
import type { Repeated, Repetition } from '@fairlead/raw-socket';
import { type DirectorLink, directorLink, IPV4_PREFIX_LENGTH } from '../director/link.js';
import { HELD, HELD_SET, TABLE } from '../second-chance/rules.js';
import { holdFrames } from '../second-chance/signs.js';
import { SignsOfLife, type SignsOfLifeOptions } from '../second-chance/signs-of-life.js';
import { orWithoutRules } from '../second-chance/without-rules.js';

export interface DeadMansSwitchOptions extends SignsOfLifeOptions {
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** How long the kernel goes on without `hold`, whole seconds. */
  seconds: number;
}

const ipv6: NftTable = { family: 'ip6', name: TABLE };

export class DeadMansSwitch {
  readonly #rtnetlink: Rtnetlink;
  readonly #nftables: Nftables;
  readonly #removals: AddressWatch;
  readonly #signs: SignsOfLife;
  readonly #link: DirectorLink;
  readonly #options: DeadMansSwitchOptions;
  /** Of the interface, as long as it is known to have its address. */
  #index: number | undefined;
  /** Ends what is held by the sockets: IPv4, and IPv6 unless its rules are not there (yet). */
  #held: { ipv4: () => void; ipv6: Repeated | undefined } | undefined;

  constructor(options: DeadMansSwitchOptions) {
    this.#options = options;
    const host = options.hostNetns === undefined ? {} : { netns: options.hostNetns };
    this.#rtnetlink = new Rtnetlink(host);
    this.#nftables = new Nftables(host);
    this.#link = directorLink(options.hostInterface);
    this.#removals = new AddressWatch({ ...host, address: this.#link.host.ipv4 });
    this.#signs = new SignsOfLife(options);
  }

  /**
   * Once, for so long. Tells whether the switch had not gone off; when it has, or there is no director yet, `Director.ensure` and a `HostRoutes`
   * that reads the kernel anew put things right. Ends what `keepHolding` began.
   */
  hold(seconds = this.#options.seconds): boolean {
    return !this.#hasGone() && this.#hold(seconds);
  }

  /** It shall not go off: for a node that has handed everything over and stops. */
  holdForGood(): boolean {
    return !this.#hasGone() && this.#hold(undefined);
  }

  /**
   * Holds it from now on, every `everyMs`, for as long as the event loop of this thread turns. To be called several times in the seconds that it
   * takes, which costs next to nothing: begins again what was ended, by a turn that came too late, a removal or another director, and tells what
   * `hold` tells.
   */
  keepHolding(everyMs: number): boolean {
    if (this.#signs.isLost()) this.#beginAgain();
    if (this.#hasGone()) return false;
    if (this.#held === undefined) {
      if (!this.#hold(this.#options.seconds)) return false;
      this.#held = { ipv4: this.#repeatIpv4(everyMs), ipv6: undefined };
    }
    this.#held.ipv6 ??= this.#repeatIpv6(everyMs);
    return true;
  }

  /** To be called now and then: looks whether IPv6 is held by that, which nobody tells. Rules of an earlier version heed no signs. */
  check(): void {
    if (this.#held !== undefined && !this.#holdsIpv6()) this.#holdIpv6(this.#options.seconds);
  }

  close(): void {
    this.#beginAgain();
    this.#removals.close();
    this.#rtnetlink.close();
    this.#nftables.close();
  }

  /** Whether it was up and has been removed since, even if it is there again: its routes are not. */
  #hasGone(): boolean {
    if (!this.#removals.removed()) return false;
    const wasUp = this.#index !== undefined;
    this.#letGo();
    this.#index = undefined;
    return wasUp;
  }

  /** As if nothing had been held by the sockets. */
  #beginAgain(): void {
    this.#letGo();
    this.#signs.close();
  }

  #letGo(): void {
    this.#held?.ipv4();
    this.#held?.ipv6?.end();
    this.#held = undefined;
  }

  #hold(seconds: number | undefined): boolean {
    this.#letGo();
    this.#index ??= this.#find();
    if (this.#index === undefined) return false;
    try {
      this.#rtnetlink.replaceAddress(this.#address(this.#index, seconds));
    } catch (error) {
      // While an interface is being removed, its addresses can be read until it is gone; a change of them waits.
      this.#index = undefined;
      if (hasCode(error, 'ENODEV')) return false;
      throw error;
    }
    this.#holdIpv6(seconds);
    return true;
  }

  /** The interface, if it has its address. */
  #find(): number | undefined {
    const { host } = this.#link;
    const index = this.#rtnetlink.link(host.name)?.index;
    if (index === undefined) return undefined;
    try {
      const addresses = this.#rtnetlink.addresses({ index, family: 'ipv4' });
      return addresses.some(({ address }) => address === host.ipv4) ? index : undefined;
    } catch (error) {
      if (hasCode(error, 'ENODEV')) return undefined;
      throw error;
    }
  }

  #address(index: number, seconds: number | undefined): AddressOptions {
    const life = seconds === undefined ? {} : { validLifetimeSeconds: seconds };
    return { index, address: this.#link.host.ipv4, prefixLength: IPV4_PREFIX_LENGTH, ...life };
  }

  #repeatIpv4(everyMs: number): () => void {
    const address = this.#address(this.#index!, this.#options.seconds);
    return this.#rtnetlink.repeatReplaceAddress(address, this.#repetition(everyMs), () => this.#letGo());
  }

  #repeatIpv6(everyMs: number): Repeated | undefined {
    const frames = holdFrames(this.#link, HELD);
    return orWithoutRules(() => this.#signs.repeat(frames, this.#repetition(everyMs), () => this.#beginAgain()));
  }

  #holdsIpv6(): boolean {
    return orWithoutRules(() => this.#nftables.element(ipv6, HELD_SET, HELD.slice(0, 1))) !== undefined;
  }

  #holdIpv6(seconds: number | undefined): void {
    orWithoutRules(() => this.#nftables.apply(held(seconds)));
  }

  /** No more where the address may be gone by then. */
  #repetition(everyMs: number): Repetition {
    return { everyMs, withinMs: this.#options.seconds * 1_000 - everyMs };
  }
}

function held(seconds: number | undefined): NftOperation[] {
  const life = seconds === undefined ? {} : { timeoutMs: seconds * 1_000 };
  const elements = HELD.map((protocol) => ({ key: [protocol], ...life }));
  // Older kernels do not prolong an element that is there.
  return [
    { kind: 'flush', table: ipv6, set: HELD_SET },
    { kind: 'add', table: ipv6, set: HELD_SET, elements },
  ];
}
