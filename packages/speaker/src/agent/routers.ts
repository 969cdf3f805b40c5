/** The virtual routers of this node: which VIPs each has, which routing table, and which of them this node can serve. */
import { isDeepStrictEqual } from 'node:util';
import { familyOf, type RoutesChange, type VirtualRouterVips } from '@fairlead/ipvs';
import type { ConfigurationChange, VirtualRouterChange, WireUplink, WireVirtualRouter } from '../wire/messages.js';
import type { AssignedRouter, Reassignment } from './assignment.js';
import { contestable, type Family, VipUplinks } from './contestable.js';
import type { ObstacleInput } from './obstacle-watch.js';
import { TableSlots } from './tables.js';
import type { HostInterface } from './uplinks.js';

interface Known {
  router: AssignedRouter;
  vips: VipUplinks;
  /** Families that this node announces; none: it cannot serve the virtual router. */
  families: readonly Family[];
}

/** What the wire thread knows of one. */
interface Told {
  router: WireVirtualRouter;
  /** Address → interface */
  vips: Map<string, string>;
}

export class Routers {
  readonly #slots = new TableSlots();
  readonly #known = new Map<string, Known>();
  #uplinks: WireUplink[] = [];
  readonly #told = new Map<string, Told>();
  #toldUplinks: WireUplink[] | undefined;
  /** What the wire thread may know otherwise: virtual routers, and addresses of each. */
  readonly #untold = new Map<string, Set<string>>();

  /** Takes over what changed; says what that means for routes. Throws RangeError when there are more virtual routers than tables. */
  apply({ changed, removed }: Reassignment, interfaces: readonly HostInterface[]): RoutesChange {
    const before = new Map(this.#slots.current);
    const routes = { added: new Map<string, string[]>(), removed: new Map<string, string[]>() };
    for (const name of removed) {
      routes.removed.set(name, this.#known.get(name)?.vips.addresses() ?? []);
      this.#known.delete(name);
      this.#touch(name, []);
    }
    const slots = this.#slots.assign([...new Set([...this.#known.keys(), ...changed.map(({ name }) => name)])]);
    for (const { added, removed, ...router } of changed) {
      const known = this.#known.get(router.name) ?? { router, vips: new VipUplinks(), families: [] };
      const { vips } = known;
      routes.removed.set(
        router.name,
        removed.filter((address) => vips.delete(address)),
      );
      routes.added.set(
        router.name,
        added.flatMap(({ address }) => (vips.has(address) ? [] : [address])),
      );
      for (const { address, uplink } of added) vips.set(address, uplink);
      const families = contestable(vips, interfaces);
      const isOther = !isDeepStrictEqual(families, known.families);
      this.#known.set(router.name, { router, vips, families });
      this.#touch(router.name, isOther ? vips.addresses() : added.map(({ address }) => address));
      this.#touch(router.name, removed);
    }
    this.#uplinks = this.#usedOf(interfaces);
    return { added: byTable(routes.added, slots), removed: byTable(routes.removed, before) };
  }

  /** All of them, and the routes that they need: as much work as there are VIPs. */
  get tables(): VirtualRouterVips[] {
    return this.#all().map(({ router: { name }, vips }) => ({
      index: this.#slots.current.get(name)!,
      vips: vips.addresses(),
    }));
  }

  /** Names and numbers of VIPs of all of them. */
  get sizes(): { name: string; vips: number }[] {
    return this.#all().map(({ router: { name }, vips }) => ({ name, vips: vips.size }));
  }

  /** What the wire thread has to be told of those that this node stands for; undefined: it knows. The first call tells everything. */
  takeWire(): ConfigurationChange | undefined {
    const changed: VirtualRouterChange[] = [];
    const removed: string[] = [];
    for (const [name, addresses] of this.#untold) {
      const change = this.#wireChange(name, addresses);
      if (change) changed.push(change);
      else if (!this.#known.get(name)?.families.length && this.#told.delete(name)) removed.push(name);
    }
    this.#untold.clear();
    const sameUplinks = isDeepStrictEqual(this.#uplinks, this.#toldUplinks);
    this.#toldUplinks = this.#uplinks;
    if (sameUplinks && changed.length + removed.length === 0) return undefined;
    return { changed, removed, ...(!sameUplinks && { uplinks: this.#uplinks }) };
  }

  /** Names of the interfaces that VIPs are announced on. */
  get uplinks(): readonly string[] {
    return this.#uplinks.map(({ name }) => name);
  }

  /** What has to be able to pass this host, on its way to nodes with these addresses. */
  passage(nodes: readonly string[]): ObstacleInput {
    const examples = new Map<Family, string>();
    for (const { vips } of this.#all()) {
      for (const family of vips.families) examples.set(family, vips.example(family)!);
    }
    const families = [...examples.keys()].sort();
    const example = (family: Family) => {
      const node = nodes.find((address) => familyOf(address) === family);
      return { vip: examples.get(family)!, ...(node !== undefined && { node }) };
    };
    return {
      examples: Object.fromEntries(families.map((family) => [family, example(family)])),
      uplinks: this.uplinks,
      families,
      virtualRouters: this.#all().map(({ router: { name } }) => this.#slots.current.get(name)!),
    };
  }

  /** Of one that this node stands for. */
  vipsOf(name: string): string[] {
    const known = this.#known.get(name);
    return known?.vips.addresses(known.families) ?? [];
  }

  #touch(name: string, addresses: Iterable<string>): void {
    const touched = this.#untold.get(name) ?? new Set();
    this.#untold.set(name, touched);
    for (const address of addresses) touched.add(address);
  }

  #wireChange(name: string, addresses: ReadonlySet<string>): VirtualRouterChange | undefined {
    const known = this.#known.get(name);
    if (!known || known.families.length === 0) return undefined;
    const router = { ...known.router, table: this.#slots.current.get(name)! };
    const told = this.#told.get(name);
    const vips = told?.vips ?? new Map<string, string>();
    const change: VirtualRouterChange = { ...router, added: [], removed: [] };
    for (const address of told ? addresses : known.vips.addresses()) {
      const uplink = known.families.includes(familyOf(address)) ? known.vips.get(address) : undefined;
      if (uplink === vips.get(address)) continue;
      if (uplink === undefined) {
        vips.delete(address);
        change.removed.push(address);
      } else {
        vips.set(address, uplink);
        change.added.push({ address, uplink });
      }
    }
    this.#told.set(name, { router, vips });
    const isSame = change.added.length + change.removed.length === 0 && isDeepStrictEqual(router, told?.router);
    return isSame ? undefined : change;
  }

  /** Those of the interfaces that something is announced on. */
  #usedOf(interfaces: readonly HostInterface[]): WireUplink[] {
    const used = new Set(this.#all().flatMap(({ vips, families }) => families.flatMap((each) => vips.uplinksOf(each))));
    return interfaces
      .filter(({ name }) => used.has(name))
      .map(({ name, index, addresses }) => ({ name, index, addresses: addresses.map(({ address }) => address) }));
  }

  /** By name, ascending. */
  #all(): Known[] {
    return [...this.#known.values()].sort((a, b) => (a.router.name < b.router.name ? -1 : 1));
  }
}

/** Virtual routers with their VIPs. */
function byTable(vips: ReadonlyMap<string, string[]>, slots: ReadonlyMap<string, number>): VirtualRouterVips[] {
  return [...vips].flatMap(([name, addresses]) =>
    addresses.length > 0 ? [{ index: slots.get(name)!, vips: addresses }] : [],
  );
}
