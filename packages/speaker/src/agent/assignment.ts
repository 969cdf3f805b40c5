/**
 * From what the cluster says to what the wire thread has to contest: every VIP in its virtual router, on its interface. Pure.
 * The same on every node but for the interfaces, so that all speakers contest the same virtual routers.
 *
 * Told one Service at a time: a new VIP costs no more where there are many. Pools, nodes and interfaces concern every VIP.
 */

import {
  type AnnouncementSettings,
  findPool,
  formatAddress,
  type IpAddress,
  type Labels,
  leaseName,
  matchesInterface,
  matchesSelector,
  type ParsedPool,
  rankVirtualRouters,
  type ServiceLike,
  type VipOrigin,
  vipsOf,
} from '@fairlead/api';
import type { Engine } from '../election/election.js';
import { TABLES } from './tables.js';
import { type HostInterface, isHostRoute, uplinkFor } from './uplinks.js';

export interface AssignedService extends ServiceLike {
  metadata?: { name?: string; namespace?: string };
}

export interface AssignedRouter {
  /** `<pool>.<n>` */
  name: string;
  pool: string;
  leaseName: string;
  ranking: string[];
  engine: Engine;
  preempt: boolean;
  announcement: AnnouncementSettings;
}

export interface AssignedVip {
  address: string;
  /** Undefined where this node cannot announce it. */
  uplink: string | undefined;
}

/** A virtual router that is new, or may have changed: what it is now, and what became of its VIPs. */
export interface RouterChange extends AssignedRouter {
  /** New to it, or with another interface than before. */
  added: AssignedVip[];
  /** Addresses. */
  removed: string[];
}

export interface Unannounceable {
  service: AssignedService;
  address: string;
  /** What is wrong and what to do. */
  why: string;
}

/** What all VIPs depend on. */
export interface Ground {
  pools: readonly ParsedPool[];
  /** Names of the nodes that speakers run on. */
  nodes: readonly string[];
  /** Those of them that are excluded from load balancers. */
  excluded?: ReadonlySet<string>;
  /** Labels of these nodes by name: pools choose by them. */
  labels?: ReadonlyMap<string, Labels>;
  /** This node. */
  self?: string;
  interfaces: readonly HostInterface[];
}

/** What became of an assignment since it was last taken. */
export interface Reassignment {
  /** By name, ascending. */
  changed: RouterChange[];
  /** Names of those that have no VIP any more. */
  removed: string[];
}

interface Vip {
  ip: IpAddress;
  address: string;
  /** Services that have it. */
  services: Set<string>;
  origin: VipOrigin | undefined;
  uplink: string | undefined;
}

interface TakenVip {
  virtualRouter: string;
  uplink: string | undefined;
}

interface Router {
  origin: VipOrigin;
  vips: Map<string, Vip>;
}

export class Assignment {
  #ground: Ground = { pools: [], nodes: [], interfaces: [] };
  #rankings: ReadonlyMap<string, string[]> = new Map();
  /** Of all nodes the one that says what all of them would say alike. */
  #isSpokesman = false;
  readonly #services = new Map<string, { service: AssignedService; vips: string[] }>();
  readonly #vips = new Map<string, Vip>();
  readonly #routers = new Map<string, Router>();
  /** Of virtual routers for which there is no room: until there is, they are treated as those that no pool has. */
  readonly #crowdedOut = new Set<Vip>();
  readonly #unannounceable = new Map<string, Unannounceable[]>();
  #unannounceableList: readonly Unannounceable[] | undefined = [];
  /** Virtual routers that may differ from what was taken. */
  readonly #touched = new Set<string>();
  readonly #touchedVips = new Set<string>();
  /** VIP → its virtual router and interface, and the virtual routers, as they were taken. */
  readonly #takenVips = new Map<string, TakenVip>();
  readonly #takenRouters = new Set<string>();

  /** @param key `namespace/name` */
  setService(key: string, service: AssignedService): void {
    const before = this.#services.get(key)?.vips ?? [];
    const ips = new Map(vipsOf(service).map((ip) => [formatAddress(ip), ip]));
    if (ips.size === 0) this.#services.delete(key);
    else this.#services.set(key, { service, vips: [...ips.keys()] });
    for (const [address, ip] of ips) if (!before.includes(address)) this.#add(address, ip, key);
    for (const address of before) if (!ips.has(address)) this.#remove(address, key);
    this.#judge(key);
  }

  deleteService(key: string): void {
    for (const address of this.#services.get(key)?.vips ?? []) this.#remove(address, key);
    this.#services.delete(key);
    this.#judge(key);
  }

  /** Looks at every VIP again. */
  setGround(ground: Ground): void {
    this.#ground = ground;
    this.#isSpokesman = ground.nodes.every((node) => ground.self !== undefined && ground.self <= node);
    this.#rankings = rankVirtualRouters(
      ground.pools,
      ground.nodes,
      (node) => ground.labels?.get(node),
      ground.excluded,
    );
    for (const name of this.#routers.keys()) this.#touched.add(name);
    this.#routers.clear();
    this.#crowdedOut.clear();
    for (const vip of this.#vips.values()) this.#place(vip);
    for (const key of this.#services.keys()) this.#judge(key);
  }

  /** VIPs that this node cannot announce; the same array until something in it changes. */
  get unannounceable(): readonly Unannounceable[] {
    this.#unannounceableList ??= [...this.#unannounceable.values()].flat();
    return this.#unannounceableList;
  }

  /** Keys of the Services that have a VIP. */
  servicesWith(address: string): Iterable<string> {
    return this.#vips.get(address)?.services ?? [];
  }

  /** What changed since the last call; the first one gives everything. undefined: nothing. */
  take(): Reassignment | undefined {
    this.#admit();
    if (this.#touched.size + this.#touchedVips.size === 0) return undefined;
    const vips = this.#takeVips();
    const changed: RouterChange[] = [];
    const removed: string[] = [];
    for (const name of [...this.#touched].sort()) {
      const router = this.#routers.get(name);
      if (router) {
        const { added = [], removed = [] } = vips.get(name) ?? {};
        changed.push({ ...this.#assigned(name, router), added, removed });
        this.#takenRouters.add(name);
      } else if (this.#takenRouters.delete(name)) removed.push(name);
    }
    this.#touched.clear();
    return { changed, removed };
  }

  /** By virtual router. */
  #takeVips(): Map<string, Pick<RouterChange, 'added' | 'removed'>> {
    const changes = new Map<string, Pick<RouterChange, 'added' | 'removed'>>();
    const of = (name: string) => {
      const change = changes.get(name) ?? { added: [], removed: [] };
      changes.set(name, change);
      return change;
    };
    for (const address of this.#touchedVips) {
      const before = this.#takenVips.get(address);
      const vip = this.#vips.get(address);
      const now = vip?.origin && { virtualRouter: vip.origin.virtualRouter, uplink: vip.uplink };
      if (before?.virtualRouter === now?.virtualRouter && before?.uplink === now?.uplink) continue;
      if (before && before.virtualRouter !== now?.virtualRouter) of(before.virtualRouter).removed.push(address);
      if (now) of(now.virtualRouter).added.push({ address, uplink: now.uplink });
      if (now) this.#takenVips.set(address, now);
      else this.#takenVips.delete(address);
    }
    this.#touchedVips.clear();
    return changes;
  }

  #add(address: string, ip: IpAddress, service: string): void {
    const known = this.#vips.get(address);
    if (known) {
      known.services.add(service);
      return;
    }
    const vip: Vip = { ip, address, services: new Set([service]), origin: undefined, uplink: undefined };
    this.#vips.set(address, vip);
    this.#place(vip);
  }

  #remove(address: string, service: string): void {
    const vip = this.#vips.get(address)!;
    vip.services.delete(service);
    if (vip.services.size > 0) return;
    this.#vips.delete(address);
    this.#crowdedOut.delete(vip);
    this.#touchedVips.add(address);
    if (!vip.origin) return;
    const { virtualRouter } = vip.origin;
    const router = this.#routers.get(virtualRouter)!;
    router.vips.delete(address);
    if (router.vips.size === 0) this.#routers.delete(virtualRouter);
    this.#touched.add(virtualRouter);
  }

  #place(vip: Vip): void {
    vip.origin = this.#originOf(vip);
    vip.uplink = this.#uplinkFor(vip.ip, vip.origin?.pool);
    this.#touchedVips.add(vip.address);
    if (!vip.origin) return;
    const { virtualRouter } = vip.origin;
    const router = this.#routers.get(virtualRouter) ?? { origin: vip.origin, vips: new Map() };
    this.#routers.set(virtualRouter, router);
    router.vips.set(vip.address, vip);
    this.#touched.add(virtualRouter);
  }

  /** Who came first has its virtual router, where there is no room for all. */
  #originOf(vip: Vip): VipOrigin | undefined {
    const origin = findPool(this.#ground.pools, vip.ip);
    if (!origin || this.#routers.has(origin.virtualRouter) || this.#routers.size < TABLES) return origin;
    this.#crowdedOut.add(vip);
    return undefined;
  }

  /** Those for which there is room by now. */
  #admit(): void {
    if (this.#routers.size >= TABLES) return;
    for (const vip of [...this.#crowdedOut]) {
      this.#crowdedOut.delete(vip);
      this.#place(vip);
      for (const key of vip.services) this.#judge(key);
    }
  }

  /** The interface to announce on; undefined where there is none, or where the pool has not chosen this node. */
  #uplinkFor(ip: IpAddress, pool: ParsedPool | undefined): string | undefined {
    const { interfaces } = this.#ground;
    if (!pool) return uplinkFor(ip, interfaces)?.name;
    if (!this.#isChosenBy(pool)) return undefined;
    const patterns = pool.interfaces;
    const usable = patterns
      ? interfaces.filter(({ name }) => patterns.some((pattern) => matchesInterface(pattern, name)))
      : interfaces;
    return uplinkFor(ip, usable)?.name;
  }

  #isChosenBy({ nodeSelector }: ParsedPool): boolean {
    const { self, labels } = this.#ground;
    return !nodeSelector || (self !== undefined && matchesSelector(nodeSelector, labels?.get(self)));
  }

  #assigned(name: string, { origin: { pool, n } }: Router): AssignedRouter {
    return {
      name,
      pool: pool.name,
      leaseName: leaseName(pool.name, n),
      ranking: this.#rankings.get(name) ?? [],
      engine: pool.election,
      preempt: pool.preempt,
      announcement: pool.announcement,
    };
  }

  #judge(key: string): void {
    const known = this.#services.get(key);
    const found = (known?.vips ?? []).flatMap((address): Unannounceable[] => {
      const vip = this.#vips.get(address)!;
      if (vip.origin && vip.uplink !== undefined) return [];
      if (vip.origin && !this.#isChosenBy(vip.origin.pool)) {
        // That others are to announce it is what the pool wants.
        if (!this.#isSpokesman || this.#rankings.get(vip.origin.virtualRouter)?.length !== 0) return [];
        return [{ service: known!.service, address, why: nobodyChosen(address, vip.origin.pool) }];
      }
      const why = this.#crowdedOut.has(vip) ? crowdedOut(address) : reason(vip, vip.origin?.pool, this.#ground);
      return [{ service: known!.service, address, why }];
    });
    if (found.length === 0 && !this.#unannounceable.has(key)) return;
    if (found.length === 0) this.#unannounceable.delete(key);
    else this.#unannounceable.set(key, found);
    this.#unannounceableList = undefined;
  }
}

/** Addresses named in one message at most. */
const MAX_NAMED = 5;

function crowdedOut(address: string): string {
  return (
    `${address} belongs to a virtual router for which a node has no routing table: there are ${TABLES}, and the pools have more virtual ` +
    'routers in use; lower spec.virtualRouters of AddressPools'
  );
}

function reason({ ip, address }: Vip, pool: ParsedPool | undefined, { interfaces }: Ground): string {
  if (pool === undefined) {
    return `${address} is in no AddressPool; add a pool that has it, or let the Service get another address`;
  }
  const which = pool.interfaces ? ` that the pool names (${pool.interfaces.join(', ')})` : '';
  const protocol = ip.family === 'ipv4' ? 'ARP' : 'Neighbour Discovery';
  return (
    `no interface of this node${which} has an address in the subnet of ${address} (AddressPool "${pool.name}"); ` +
    `${whatThereIs(interfaces, ip.family)}; ` +
    `${protocol} only works within a subnet, so give the pool addresses of the nodes' own LAN`
  );
}

/** `there are eth0 192.0.2.1/24, eth1 198.51.100.1/24`: those with a subnet, which Pods' interfaces do not have. */
function whatThereIs(interfaces: readonly HostInterface[], family: IpAddress['family']): string {
  if (interfaces.length === 0) return 'there is none to announce on (is the --uplink of its speaker right?)';
  const named = interfaces.flatMap(({ name, addresses }) =>
    addresses
      .filter(({ address, prefixLength }) => !isHostRoute(address, prefixLength))
      .filter(({ address }) => address.includes(':') === (family === 'ipv6'))
      .map(({ address, prefixLength }) => `${name} ${address}/${prefixLength}`),
  );
  if (named.length === 0) return `none has an ${family === 'ipv4' ? 'IPv4' : 'IPv6'} subnet`;
  const rest = named.length > MAX_NAMED ? `, and ${named.length - MAX_NAMED} more` : '';
  return `there ${named.length === 1 ? 'is' : 'are'} ${named.slice(0, MAX_NAMED).join(', ')}${rest}`;
}

function nobodyChosen(address: string, pool: ParsedPool): string {
  return (
    `no node has the labels that AddressPool "${pool.name}" asks for (spec.nodeSelector), so nobody announces ${address}; ` +
    'label a node, or change the selector'
  );
}
