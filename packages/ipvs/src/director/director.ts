/**
 * The director: a network namespace of its own for forwarding, beside the host's.
 *
 * In it: the VIPs, as local addresses of `lo`; SNAT to the VIP and the firewall (firewall.ts); the virtual servers,
 * which a Forwarder programs; and eth0, the other end of fairlead0 on the host, with the default route through it
 * (link.ts). kube-proxy cannot collide with any of it, nothing of the node answers on a VIP, and the node's own
 * NodePorts can be real servers, because packets from here enter the host like anyone's.
 *
 * Everything is adopted if it is there, whoever (of ours) made it, and nothing is flushed: connections outlive the
 * process. What is not ours is never touched: a namespace or interface of the same name is a clear error.
 */
import { type BatchFailure, Rtnetlink } from '@fairlead/netlink';
import { createNetns, listNetns } from '@fairlead/raw-socket';
import { ForwardingError } from '../errors.js';
import { type DesiredState, familyOf, type SyncResult } from '../forwarder.js';
import { type Log, silent } from '../log.js';
import { type Nft, NftCommand } from '../nft.js';
import { sortAddresses } from '../order.js';
import { elementsScript, type FirewallState, firewallState, parseFirewall, rulesScript, TABLE } from './firewall.js';
import { checkInterfaceFree, ensureNetwork, LOOPBACK_INDEX, type NetworkOptions } from './network.js';
import { conntrackSysctls, ensureSysctls, readSysctl } from './sysctls.js';

export interface DirectorOptions extends NetworkOptions {
  log?: Log;
}

/** What a director holds, as far as it depends on Services. */
interface Known {
  addresses: Set<string>;
  firewall: FirewallState;
  /** What makes the rules current; '' when they are. */
  repair: string;
}

export class Director {
  /** Of the network namespace: a Forwarder and `ip netns exec` find it by this name. */
  readonly name: string;
  /** How many things `ensure` had to make or set; 0 when it found all in place. */
  readonly changes: number;
  readonly #rtnetlink: Rtnetlink;
  readonly #nft: Nft;
  #known: Known | undefined;

  private constructor(name: string, changes: number, rtnetlink: Rtnetlink, nft: Nft) {
    this.name = name;
    this.changes = changes;
    this.#rtnetlink = rtnetlink;
    this.#nft = nft;
  }

  /** Makes what is missing, sets what differs. Throws ForwardingError, NetlinkError, NftError. */
  static ensure(options: DirectorOptions): Director {
    checkHost(options.hostNetns);
    const { name, log = silent } = options;
    let changes = 0;
    const host = new Rtnetlink(options.hostNetns === undefined ? {} : { netns: options.hostNetns });
    let inside: Rtnetlink | undefined;
    try {
      if (!listNetns().includes(name)) {
        checkInterfaceFree(options, host);
        createNetns(name);
        log.info({ netns: name }, 'network namespace made');
        changes++;
      }
      inside = new Rtnetlink({ netns: name });
      changes += ensureNetwork(options, host, inside, log);
      const nft = new NftCommand(name);
      changes += ensureRules(nft, log);
      changes += ensureSysctls(name, conntrackSysctls, log);
      return new Director(name, changes, inside, nft);
    } catch (error) {
      inside?.close();
      throw error;
    } finally {
      host.close();
    }
  }

  /**
   * Makes the director answer for exactly these VIPs, and let through exactly these virtual servers. To be done before
   * a Forwarder's sync, because a connection that is forwarded before its SNAT stands cannot be mended.
   */
  sync(desired: DesiredState): SyncResult {
    const known = this.#known ?? this.#read();
    this.#known = undefined; // until the kernel has taken it
    const addresses = new Set(desired.vips);
    const firewall = firewallState(desired);
    const added = [...addresses].filter((vip) => !known.addresses.has(vip));
    const removed = [...known.addresses].filter((vip) => !addresses.has(vip));
    const elements = elementsScript(firewall, known.firewall);

    // A VIP that the firewall lets through and that is not local would go round between host and director: so
    // addresses come before what lets them through, and go after it.
    mustAll('add VIPs to', this.#rtnetlink.addAddresses(added.map(onLoopback)), 'EEXIST');
    if (known.repair + elements.script !== '') this.#nft.run(known.repair + elements.script);
    mustAll('remove VIPs from', this.#rtnetlink.deleteAddresses(removed.map(onLoopback)), 'EADDRNOTAVAIL');
    this.#known = { addresses, firewall, repair: '' };
    return { operations: added.length + removed.length + elements.operations + (known.repair ? 1 : 0) };
  }

  /** The VIPs that are local here now. The next `sync` compares with this: calling it first repairs drift. */
  vips(): string[] {
    return sortAddresses(this.#read().addresses);
  }

  /** Gives up the socket. The director goes on forwarding. */
  close(): void {
    this.#rtnetlink.close();
  }

  #read(): Known {
    const addresses = this.#rtnetlink
      .addresses({ index: LOOPBACK_INDEX })
      .map(({ address }) => address)
      .filter((address) => !isLoopbackAddress(address));
    const listing = parseFirewall(this.#nft.listTable('inet', TABLE));
    const known = {
      addresses: new Set(addresses),
      firewall: listing?.state ?? { vips: new Set(), services: new Set() },
      repair: listing?.current ? '' : rulesScript(listing),
    };
    this.#known = known;
    return known;
  }
}

/** Forwarding is for the host's owner to switch on: that decides about all its interfaces. */
function checkHost(hostNetns: string | undefined): void {
  if (readSysctl(hostNetns, 'net/ipv4/ip_forward') === '1') return;
  throw new ForwardingError(
    'FL_HOST_SYSCTL',
    'this host does not forward packets, so none could reach the director: net.ipv4.ip_forward is 0. ' +
      'A Kubernetes node needs it as well; set it with `sysctl -w net.ipv4.ip_forward=1`, and in /etc/sysctl.d',
  );
}

function ensureRules(nft: Nft, log: Log): number {
  const listing = parseFirewall(nft.listTable('inet', TABLE));
  if (listing?.current) return 0;
  nft.run(rulesScript(listing));
  log.info({ table: TABLE }, listing ? 'firewall and SNAT brought up to date' : 'firewall and SNAT made');
  return 1;
}

function onLoopback(vip: string): { index: number; address: string; prefixLength: number; noDad: boolean } {
  const isIpv6 = familyOf(vip) === 'ipv6';
  return { index: LOOPBACK_INDEX, address: vip, prefixLength: isIpv6 ? 128 : 32, noDad: isIpv6 };
}

function isLoopbackAddress(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function mustAll(what: string, failures: readonly BatchFailure[], harmless: string): void {
  const [first, ...more] = failures.filter(({ error }) => error.code !== harmless);
  if (!first) return;
  throw new ForwardingError(
    'FL_PARTLY_APPLIED',
    `could not ${what} the director: ${first.error.message}${more.length > 0 ? ` (and ${more.length} more)` : ''}`,
    { cause: first.error },
  );
}
