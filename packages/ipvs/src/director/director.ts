/**
 * The director: a network namespace of its own for forwarding, beside the host's.
 *
 * In it: the VIPs, as local addresses of `lo`; SNAT to the VIP and the firewall (rules.ts); the virtual servers,
 * which a Forwarder programs; and eth0, the other end of fairlead0 on the host, with the default route through it
 * (link.ts). kube-proxy cannot collide with any of it, nothing of the node answers on a VIP, and the node's own
 * NodePorts can be real servers, because packets from here enter the host like anyone's.
 *
 * Everything is adopted if it is there, whoever (of ours) made it, and nothing is flushed: connections outlive the
 * process. What is not ours is never touched: a namespace, interface or table of the same name is a clear error.
 */
import { statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type BatchFailure, ChangeWatch, Conntrack, Nftables, Rtnetlink } from '@fairlead/netlink';
import { createNetns, listNetns, netnsPath } from '@fairlead/raw-socket';
import { ForwardingError } from '../errors.js';
import { type DesiredChange, type DesiredState, familyOf, type SyncResult } from '../forwarder.js';
import { type Log, silent } from '../log.js';
import { NftCommand } from '../nft.js';
import { NftReader } from '../nft-reader.js';
import { sortAddresses } from '../order.js';
import { checkCapabilities, directorWork } from './capabilities.js';
import {
  type Access,
  accessOf,
  type Elements,
  elementChanges,
  elementsOf,
  type Guarded,
  operations,
  serviceElement,
} from './elements.js';
import { Firewall, type FirewallCounters } from './firewall.js';
import {
  checkInterfaceFree,
  ensureMtu,
  ensureNetwork,
  LOOPBACK_INDEX,
  type NetworkOptions,
  ownNode,
} from './network.js';
import type { OwnNode } from './source-ranges.js';
import { conntrackSysctls, ensureSysctls, ipvsSysctls, readSysctl } from './sysctls.js';

export interface DirectorOptions extends NetworkOptions {
  log?: Log;
}

/** What is to be in the kernel as far as it depends on Services. */
interface Desired {
  vips: Set<string>;
  /** By serviceElement(). The planner's own objects, of which there may be thousands. */
  servers: Map<string, Guarded>;
  /** Whom source ranges may let in. */
  node: OwnNode;
}

/** What is in the kernel. */
interface Actual {
  addresses: ReadonlySet<string>;
  elements: Elements;
}

export class Director {
  /** Of the network namespace: a Forwarder and `ip netns exec` find it by this name. */
  readonly name: string;
  /** How many things `ensure` had to make or set; 0 when it found all in place. */
  readonly changes: number;
  readonly #options: DirectorOptions;
  readonly #log: Log;
  readonly #host: Rtnetlink;
  readonly #inside: Rtnetlink;
  readonly #sockets: { close(): void }[];
  readonly #firewall: Firewall;
  /** Of what has VIPs. */
  readonly #addressWatch: ChangeWatch;
  /** The namespace's inode: another one of the same name is not this director. */
  readonly #identity: number;
  #desired: Desired | undefined;
  /** The kernel may not hold what is desired: it has to be read before the next change. */
  #inDoubt = true;
  #rulesInDoubt = true;
  /** The firewall's generation when VIPs and elements were found as they should be. */
  #audited: number | undefined;

  /** Makes what is missing, sets what differs. Throws ForwardingError, NetlinkError, NftError. */
  static ensure(options: DirectorOptions): Director {
    checkName(options.name);
    checkCapabilities(directorWork);
    checkHost(options.hostNetns);
    return new Director(options);
  }

  private constructor(options: DirectorOptions) {
    const { name, hostNetns, log = silent } = options;
    this.name = name;
    this.#options = options;
    this.#log = log;
    const opened: { close(): void }[] = [];
    this.#sockets = opened;
    const open = <T extends { close(): void }>(socket: T): T => {
      opened.push(socket);
      return socket;
    };
    try {
      this.#host = open(new Rtnetlink(hostNetns === undefined ? {} : { netns: hostNetns }));
      const made = makeNetns(options, this.#host, log);
      this.#identity = statSync(netnsPath(name)).ino;
      this.#inside = open(new Rtnetlink({ netns: name }));
      this.#addressWatch = open(new ChangeWatch({ netns: name, of: ['addresses', 'links'] }));
      this.#firewall = new Firewall(name, {
        nft: new NftCommand(name),
        reader: open(new NftReader(name)),
        nftables: open(new Nftables({ netns: name })),
        conntrack: open(new Conntrack({ netns: name })),
      });
      this.changes = made + this.#ensureSurroundings();
    } catch (error) {
      for (const socket of opened) socket.close();
      throw error;
    }
  }

  /**
   * Makes the director answer for exactly these VIPs, and let through exactly these virtual servers. To be done before
   * a Forwarder's sync, because a connection that is forwarded before its SNAT stands cannot be mended. The first call
   * compares with the kernel, so that a restarted process adopts what it finds. The pair follows the uplink's MTU.
   */
  sync({ vips, virtualServers }: Pick<DesiredState, 'vips' | 'virtualServers'>): SyncResult {
    const node = ownNode(this.#options, this.#host);
    const widened = ensureMtu(this.#options, this.#host, this.#inside, this.#log);
    const servers = new Map<string, Guarded>();
    for (const server of virtualServers) servers.set(serviceElement(server), server);
    return { operations: widened + this.#become({ vips: new Set(vips), servers, node }).operations };
  }

  /** Only what changed, by as much work as that is. Throws FL_NOT_SYNCED before the first `sync`. */
  update({ changed, removed, addedVips, removedVips }: DesiredChange): SyncResult {
    const desired = this.#desired;
    if (!desired) {
      throw new ForwardingError('FL_NOT_SYNCED', `cannot change the director "${this.name}" before its first sync`);
    }
    const { node } = desired;
    const known = [...changed, ...removed].flatMap((key) => desired.servers.get(serviceElement(key)) ?? []);
    const vips = [...addedVips, ...removedVips].filter((vip) => desired.vips.has(vip));
    const before = accessOf(vips, known, node);
    merge(desired, { changed, removed, addedVips, removedVips });
    if (this.#inDoubt) return this.#become(desired);
    return this.#write(accessOf(addedVips, changed, node), { addresses: before.vips, elements: elementsOf(before) });
  }

  /**
   * To be called when this host's interfaces have changed: the pair follows the uplink's MTU, and source ranges follow the
   * node's addresses.
   */
  follow(): SyncResult {
    const widened = ensureMtu(this.#options, this.#host, this.#inside, this.#log);
    return { operations: widened + this.#followAddresses() };
  }

  /**
   * Compares everything with the kernel, and repairs what others changed: interfaces, routes, settings, rules, VIPs and
   * elements. Tells how many things that were. Throws FL_NO_DIRECTOR when the namespace itself was removed.
   */
  audit(): { repaired: number } {
    this.#mustBeThere();
    const generation = this.#firewall.generation();
    const sameElements = !this.#inDoubt && generation === this.#audited;
    this.#audited = undefined; // until all of it has been looked at
    const sameAddresses = !this.#addressWatch.changed() && sameElements;
    let repaired = this.#ensureSurroundings();
    const desired = this.#desired;
    if (desired) {
      const node = ownNode(this.#options, this.#host);
      const sameNode = isDeepStrictEqual(node, desired.node);
      if (!sameAddresses || !sameNode) {
        this.#inDoubt = true;
        repaired += this.#become({ ...desired, node }, { elements: !sameElements || !sameNode }).operations;
      }
      // What this process writes from now on counts, too: then the next audit reads addresses and elements again.
      if (repaired === 0) this.#audited = generation;
    }
    if (repaired > 0) this.#log.warn({ netns: this.name, repaired }, 'the director was not as it was left: repaired');
    return { repaired };
  }

  /** What the rules counted since they were first made (they outlive processes), and what connection tracking did. */
  counters(): FirewallCounters {
    return this.#firewall.counters();
  }

  /** The VIPs that are local here now. The next `sync` or `update` compares with the kernel. */
  vips(): string[] {
    this.#inDoubt = this.#rulesInDoubt = true;
    return sortAddresses(this.#addresses());
  }

  /** Gives up the sockets. The director goes on forwarding. */
  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #followAddresses(): number {
    const desired = this.#desired;
    if (!desired) return 0;
    const node = ownNode(this.#options, this.#host);
    return isDeepStrictEqual(node, desired.node) ? 0 : this.#become({ ...desired, node }).operations;
  }

  /** All that does not depend on Services. Returns how many things had to be made or set. */
  #ensureSurroundings(): number {
    let changes = ensureNetwork(this.#options, this.#host, this.#inside, this.#log);
    changes += this.#ensureRules();
    changes += ensureSysctls(this.name, conntrackSysctls, this.#log);
    // Those of IPVS are the forwarder's to set; here they are looked after, once there.
    return changes + ensureSysctls(this.name, ipvsSysctls, this.#log, { where: 'present' });
  }

  #ensureRules(): number {
    const done = this.#firewall.ensureRules();
    this.#rulesInDoubt = false;
    if (!done) return 0;
    this.#log.info({ netns: this.name }, `firewall and SNAT ${done}`);
    return 1;
  }

  /** `elements` false: the firewall's are known to be as they are desired. */
  #become(desired: Desired, { elements: alsoElements = true } = {}): SyncResult {
    const known = this.#inDoubt ? undefined : this.#desired;
    this.#desired = desired;
    if (known) return this.#write(whole(desired), { addresses: known.vips, elements: elementsOf(whole(known)) });
    const mended = this.#rulesInDoubt ? this.#ensureRules() : 0;
    const wanted = alsoElements ? whole(desired) : accessOf(desired.vips, [], desired.node);
    const elements = alsoElements ? this.#firewall.read() : elementsOf(wanted);
    return { operations: mended + this.#write(wanted, { addresses: this.#addresses(), elements }).operations };
  }

  /** From `actual` to `desired`, both whole or both the same part. */
  #write(desired: Access, actual: Actual): SyncResult {
    const added = [...desired.vips].filter((vip) => !actual.addresses.has(vip));
    const removed = [...actual.addresses].filter((vip) => !desired.vips.has(vip));
    const changes = elementChanges(elementsOf(desired), actual.elements);
    this.#inDoubt = this.#rulesInDoubt = true; // until the kernel has taken it
    // A VIP that the firewall lets through and that is not local would go round between host and director: so
    // addresses come before what lets them through, and go after it.
    mustAll('add VIPs to', this.#inside.addAddresses(added.map(onLoopback)), 'EEXIST');
    if (changes.length > 0) this.#firewall.write(changes);
    mustAll('remove VIPs from', this.#inside.deleteAddresses(removed.map(onLoopback)), 'EADDRNOTAVAIL');
    this.#inDoubt = this.#rulesInDoubt = false;
    return { operations: added.length + removed.length + operations(changes) };
  }

  #addresses(): Set<string> {
    const addresses = this.#inside.addresses({ index: LOOPBACK_INDEX }).map(({ address }) => address);
    return new Set(addresses.filter((address) => !isLoopbackAddress(address)));
  }

  #mustBeThere(): void {
    const now = statSync(netnsPath(this.name), { throwIfNoEntry: false })?.ino;
    if (now === this.#identity) return;
    throw new ForwardingError(
      'FL_NO_DIRECTOR',
      `the network namespace "${this.name}" was ${now === undefined ? 'removed' : 'replaced by another one'} behind our back: ` +
        'the director has to be made anew',
    );
  }
}

/** Throws FL_BAD_NAME for what does not name a file under /run/netns, and nothing else. */
export function checkName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) return;
  throw new ForwardingError(
    'FL_BAD_NAME',
    `"${name}" cannot be the name of a director: it names a network namespace under /run/netns, so up to 64 letters, digits, ` +
      '"-", "_" and "." are allowed, the first a letter or digit',
  );
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

function makeNetns(options: DirectorOptions, host: Rtnetlink, log: Log): number {
  const { name } = options;
  if (listNetns().includes(name)) return 0;
  checkInterfaceFree(options, host);
  createNetns(name);
  log.info({ netns: name }, 'network namespace made');
  return 1;
}

function whole({ vips, servers, node }: Desired): Access {
  return accessOf(vips, servers.values(), node);
}

function merge(desired: Desired, { changed, removed, addedVips, removedVips }: Omit<DesiredChange, 'dead'>): void {
  for (const server of changed) desired.servers.set(serviceElement(server), server);
  for (const key of removed) desired.servers.delete(serviceElement(key));
  for (const vip of removedVips) desired.vips.delete(vip);
  for (const vip of addedVips) desired.vips.add(vip);
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
