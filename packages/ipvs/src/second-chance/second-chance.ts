/**
 * What a second chance (rules.ts) needs in the kernels of a host and its director, but for who the former owners are: rules, and which
 * virtual router each VIP belongs to. The same on every node, all the time.
 *
 * It is an extra: where the kernel cannot (it takes nf_tables' netdev family with `fwd` and `fib`, and `dup`), that is said once, and a
 * hand-over cuts the connections that are open.
 */
import { isDeepStrictEqual } from 'node:util';
import { hasCode, Nftables, type NftOperation, type NftTable, Rtnetlink } from '@fairlead/netlink';
import { directorLink } from '../director/link.js';
import { editionsIn } from '../director/rules.js';
import { ForwardingError } from '../errors.js';
import { familyOf, type SyncResult } from '../forwarder.js';
import { type Log, silent } from '../log.js';
import { NftCommand } from '../nft.js';
import { type Counter, NftReader } from '../nft-reader.js';
import { canonicalAddress } from '../order.js';
import type { RoutesChange, VirtualRouterVips } from '../routes/host-routes.js';
import { MAIN_TABLE, ROUTE_PROTOCOL, TABLE_BASE } from '../routes/tables.js';
import {
  CHANCE_GATEWAY,
  CHANCE_MAC,
  type ChanceCounter,
  type ChanceUplink,
  counterNames,
  directorTables,
  editionOf,
  hostTables,
  OFF_MARK,
  script,
  TABLE,
  type Table,
} from './rules.js';
import type { SignLives } from './signs.js';

export interface SecondChanceOptions extends SignLives {
  /** Name of the director's network namespace. */
  director: string;
  /** The host's network namespace; by default that of this process. */
  hostNetns?: string;
  /** The interface to the director; default fairlead0. */
  hostInterface?: string;
  log?: Log;
}

/** On the host, and in the director. */
interface Place {
  nft: NftCommand;
  reader: NftReader;
}

const netdev: NftTable = { family: 'netdev', name: TABLE };

export class SecondChance {
  readonly #options: SecondChanceOptions;
  readonly #log: Log;
  readonly #host: Place;
  readonly #director: Place;
  readonly #hostLinks: Rtnetlink;
  readonly #directorLinks: Rtnetlink;
  readonly #nftables: Nftables;
  readonly #sockets: { close(): void }[] = [];
  /** Of the host, and of the director. */
  readonly #rulesets: readonly Nftables[];
  /** Their generations when everything was found as it should be. */
  #audited: readonly number[] | undefined;
  #uplinks: readonly ChanceUplink[] = [];
  /** The rules stand, as far as is known. */
  #offered = false;
  /** The kernel cannot. */
  #impossible = false;
  /** Virtual routers by VIP in the kernel; undefined when that is not known. */
  #known: Map<string, number> | undefined;

  constructor(options: SecondChanceOptions) {
    const { director, hostNetns, log = silent } = options;
    this.#options = options;
    this.#log = log;
    const opened = <T extends { close(): void }>(socket: T): T => {
      this.#sockets.push(socket);
      return socket;
    };
    const host = hostNetns === undefined ? {} : { netns: hostNetns };
    this.#host = { nft: new NftCommand(hostNetns), reader: opened(new NftReader(hostNetns)) };
    this.#director = { nft: new NftCommand(director), reader: opened(new NftReader(director)) };
    this.#hostLinks = opened(new Rtnetlink(host));
    this.#directorLinks = opened(new Rtnetlink({ netns: director }));
    this.#nftables = opened(new Nftables(host));
    this.#rulesets = [this.#nftables, opened(new Nftables({ netns: director }))];
  }

  /**
   * These are the interfaces to the LAN, by name; `unchanged`: the host's interfaces are what they were. Returns how many things had to
   * be made.
   */
  offer(names: readonly string[], { unchanged = false } = {}): number {
    const sameNames = names.join() === this.#uplinks.map(({ name }) => name).join();
    if (this.#offered && unchanged && sameNames) return 0;
    const uplinks = names.flatMap((name): ChanceUplink[] => {
      const link = this.#hostLinks.link(name);
      return link ? [{ name, index: link.index, mac: link.address }] : [];
    });
    if (this.#offered && isDeepStrictEqual(uplinks, this.#uplinks)) return 0;
    this.#uplinks = uplinks;
    this.#offered = false;
    if (uplinks.length === 0 || this.#impossible) return 0;
    try {
      const changes = this.#ensure();
      this.#offered = true;
      return changes;
    } catch (error) {
      if (!hasCode(error, 'FL_NFT_FAILED') && !hasCode(error, 'FL_FOREIGN_TABLE')) throw error;
      this.#impossible = hasCode(error, 'FL_NFT_FAILED');
      this.#log.warn(
        { err: error },
        "connections that are open will not outlive a hand-over: this kernel cannot pass segments on to a VIP's former owner. It takes " +
          `nf_tables with the modules nft_fwd_netdev, nft_fib_netdev, nft_dup_ipv4 and nft_dup_ipv6: ${(error as Error).message}`,
      );
      return 0;
    }
  }

  /** These VIPs and no others. */
  sync(virtualRouters: readonly VirtualRouterVips[]): SyncResult {
    if (!this.#offered) return { operations: 0 };
    const desired = byVip(virtualRouters);
    const known = this.#known ?? this.#read();
    const remove = [...known].filter(([vip, index]) => desired.get(vip) !== index);
    const add = [...desired].filter(([vip, index]) => known.get(vip) !== index);
    return this.#write(remove, add, known);
  }

  /** Whether `sync` has to be called before the next `update`: the rules are offered (again), and may know other VIPs, or none. */
  get wantsAll(): boolean {
    return this.#offered && this.#known === undefined;
  }

  /** Work in proportion to the change; nothing before the first `sync`. What goes with the last interface to the LAN is a change, too. */
  update({ added, removed }: RoutesChange): SyncResult {
    const known = this.#known;
    if (!known) return { operations: 0 };
    const desired = byVip(added);
    const gone = [...byVip(removed)].filter(([vip, index]) => known.get(vip) === index);
    const moved = [...desired].flatMap(([vip, index]) => {
      const before = known.get(vip);
      return before === undefined || before === index ? [] : [[vip, before] as [string, number]];
    });
    const remove = [...new Map([...gone.filter(([vip, index]) => desired.get(vip) !== index), ...moved])];
    const add = [...desired].filter(([vip, index]) => known.get(vip) !== index);
    return this.#write(remove, add, known);
  }

  /** Repairs what others changed, and tells how much that was. */
  audit(virtualRouters: readonly VirtualRouterVips[]): SyncResult {
    // Before anything is read, as somebody may change it then.
    const generations = this.#rulesets.map((nftables) => nftables.generation());
    const isUnchanged = isDeepStrictEqual(generations, this.#audited);
    if (!isUnchanged) {
      this.#offered = false;
      this.#known = undefined;
    }
    let operations = this.offer(this.#uplinks.map(({ name }) => name));
    if (isUnchanged && this.#offered) operations += this.#ensureRouting();
    operations += this.sync(virtualRouters).operations;
    this.#audited = operations === 0 ? generations : undefined;
    return { operations };
  }

  /** What has been passed on and taken in since the rules were made; undefined where there are none. */
  counters(): Record<ChanceCounter, Counter> | undefined {
    if (!this.#offered) return undefined;
    const { reader } = this.#host;
    const counted = [
      ...reader.counters('netdev', TABLE),
      ...reader.counters('ip', TABLE),
      ...reader.counters('ip6', TABLE),
    ];
    return Object.fromEntries(
      counterNames.map((name) => {
        const parts = counted.filter(([counter]) => counter === name).map(([, value]) => value);
        const sum = (of: keyof Counter) => parts.reduce((total, part) => total + part[of], 0n);
        return [name, { packets: sum('packets'), bytes: sum('bytes') }];
      }),
    ) as Record<ChanceCounter, Counter>;
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #ensure(): number {
    const link = directorLink(this.#options.hostInterface);
    const hostEnd = this.#hostLinks.link(link.host.name);
    if (!hostEnd) {
      const message = `cannot give segments a second chance: there is no interface ${link.host.name} on this host; make the director first`;
      throw new ForwardingError('FL_NO_DIRECTOR', message);
    }
    // The host first: what a director sends there without its rules is lost.
    const here = hostTables(link, this.#uplinks, this.#options);
    const own = { name: hostEnd.name, index: hostEnd.index, mac: link.host.mac };
    let changes = ensureTables(this.#host, here, editionOf(here, [own, ...this.#uplinks]), () => {
      this.#known = undefined;
    });
    changes += this.#ensureRouting();
    const there = directorTables(link);
    changes += ensureTables(this.#director, there, editionOf(there, []));
    if (changes > 0)
      this.#log.info({ changes, uplinks: this.#uplinks.map(({ name }) => name) }, 'second chance offered');
    return changes;
  }

  #ensureRouting(): number {
    return this.#ensureOffRule() + this.#ensureGateways(directorLink(this.#options.hostInterface).director.name);
  }

  /** What the dead man's switch of IPv6 has marked is routed before any owner's rule. */
  #ensureOffRule(): number {
    try {
      this.#hostLinks.addRule({
        family: 'ipv6',
        priority: TABLE_BASE - 1,
        table: MAIN_TABLE,
        mark: OFF_MARK,
        protocol: ROUTE_PROTOCOL,
      });
      return 1;
    } catch (error) {
      // There already; or IPv6 is off in this kernel.
      if (hasCode(error, 'EEXIST') || hasCode(error, 'EAFNOSUPPORT')) return 0;
      throw error;
    }
  }

  /** How a director addresses what it does not know to these rules. */
  #ensureGateways(interfaceName: string): number {
    const links = this.#directorLinks;
    const index = links.link(interfaceName)!.index;
    let changes = 0;
    for (const family of ['ipv4', 'ipv6'] as const) {
      const address = CHANCE_GATEWAY[family];
      const known = links.neighbours({ index, family }).find((neighbour) => neighbour.address === address);
      if (known?.state !== 'permanent' || known.hardwareAddress !== CHANCE_MAC) {
        links.replaceNeighbour({ index, address, hardwareAddress: CHANCE_MAC, state: 'permanent' });
        changes++;
      }
      const prefixLength = family === 'ipv4' ? 32 : 128;
      const routed = links
        .routes({ family, table: MAIN_TABLE })
        .some((route) => route.destination === address && route.index === index);
      if (routed) continue;
      links.replaceRoute({ family, destination: address, prefixLength, index, protocol: ROUTE_PROTOCOL });
      changes++;
    }
    return changes;
  }

  #read(): Map<string, number> {
    const elements = ['router4', 'router6'].flatMap((map) => this.#nftables.elements(netdev, map));
    return new Map(elements.map(({ key, value }) => [String(key[0]), Number((value as [number])[0])]));
  }

  #write(
    remove: readonly (readonly [string, number])[],
    add: readonly (readonly [string, number])[],
    known: Map<string, number>,
  ): SyncResult {
    this.#known = undefined; // until the kernel has taken it
    this.#nftables.apply([...changes('delete', remove), ...changes('add', add)]);
    for (const [vip] of remove) known.delete(vip);
    for (const [vip, index] of add) known.set(vip, index);
    this.#known = known;
    return { operations: remove.length + add.length };
  }
}

/** Returns how many tables were made; `onMade` is told before. */
function ensureTables({ nft, reader }: Place, tables: readonly Table[], edition: string, onMade = () => {}): number {
  const stand = tables.every(({ family, chains }) => {
    if (!reader.hasChain(family, TABLE, edition)) return false;
    const counts = reader.ruleCounts(family, TABLE);
    return chains.every(({ name, rules }) => (counts.get(name) ?? 0) === rules.length);
  });
  if (stand) return 0;
  for (const { family } of tables) {
    if (editionsIn(nft.listTable(family, TABLE, { elements: false }))?.length !== 0) continue;
    throw new ForwardingError(
      'FL_FOREIGN_TABLE',
      `somebody else has an nftables table ${family} ${TABLE}: if nobody needs it, delete it (nft delete table ${family} ${TABLE})`,
    );
  }
  onMade();
  nft.run(script(tables, edition));
  return tables.length;
}

function byVip(virtualRouters: readonly VirtualRouterVips[]): Map<string, number> {
  return new Map(virtualRouters.flatMap(({ index, vips }) => vips.map((vip) => [canonicalAddress(vip), index])));
}

function changes(kind: 'add' | 'delete', entries: readonly (readonly [string, number])[]): NftOperation[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family): NftOperation[] => {
    const elements = entries
      .filter(([vip]) => familyOf(vip) === family)
      .map(([vip, index]) => (kind === 'add' ? { key: [vip], value: [index] } : { key: [vip] }));
    if (elements.length === 0) return [];
    return [{ kind, table: netdev, set: family === 'ipv4' ? 'router4' : 'router6', elements }];
  });
}
