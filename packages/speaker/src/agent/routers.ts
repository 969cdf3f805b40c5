/** The virtual routers of this node: which VIPs each has, which routing table, and which of them this node can serve. */
import { familyOf, type RoutesChange, type VirtualRouterVips } from '@fairlead/ipvs';
import type { WireUplink, WireVirtualRouter } from '../wire/messages.js';
import type { AssignedRouter, Reassignment, RoutedVip } from './assignment.js';
import { contestable } from './contestable.js';
import type { ObstacleInput } from './obstacle-watch.js';
import { TableSlots } from './tables.js';
import type { HostInterface } from './uplinks.js';

/** What is worked out of a virtual router when it changes. */
interface Known {
  router: AssignedRouter;
  /** A VIP of each family that it has. */
  examples: ReadonlyMap<'ipv4' | 'ipv6', string>;
  /** undefined: this node cannot serve it. */
  wire: WireVirtualRouter | undefined;
  uplinks: ReadonlySet<string>;
}

export class Routers {
  readonly #slots = new TableSlots();
  readonly #known = new Map<string, Known>();
  #uplinks: WireUplink[] = [];

  /** Takes over what changed; says what that means for routes. Throws RangeError when there are more virtual routers than tables. */
  apply(
    { changed, removed, addedVips, removedVips }: Reassignment,
    interfaces: readonly HostInterface[],
  ): RoutesChange {
    const before = new Map(this.#slots.current);
    for (const name of removed) this.#known.delete(name);
    const slots = this.#slots.assign([...new Set([...this.#known.keys(), ...changed.map(({ name }) => name)])]);
    for (const router of changed) {
      const [stands] = contestable([router], interfaces);
      this.#known.set(router.name, {
        router,
        examples: new Map(router.vips.map(({ address }) => [familyOf(address), address])),
        wire: stands && { ...stands, table: slots.get(router.name)! },
        uplinks: new Set(stands?.vips.map(({ uplink }) => uplink)),
      });
    }
    const used = new Set(this.#all().flatMap(({ uplinks }) => [...uplinks]));
    this.#uplinks = interfaces
      .filter(({ name }) => used.has(name))
      .map(({ name, index, mac, addresses }) => ({
        name,
        index,
        mac,
        addresses: addresses.map(({ address }) => address),
      }));
    return { added: byTable(addedVips, slots), removed: byTable(removedVips, before) };
  }

  /** All of them, and the routes that they need: as much work as there are VIPs. */
  get tables(): VirtualRouterVips[] {
    return this.#all().map(({ router: { name, vips } }) => ({
      index: this.#slots.current.get(name)!,
      vips: vips.map(({ address }) => address),
    }));
  }

  /** Names and numbers of VIPs of all of them. */
  get sizes(): { name: string; vips: number }[] {
    return this.#all().map(({ router: { name, vips } }) => ({ name, vips: vips.length }));
  }

  /** Those that this node stands for, and where it announces them. */
  get wire(): { virtualRouters: WireVirtualRouter[]; uplinks: WireUplink[] } {
    return { virtualRouters: this.#all().flatMap(({ wire }) => wire ?? []), uplinks: this.#uplinks };
  }

  /** What has to be able to pass this host, on its way to nodes with these addresses. */
  passage(nodes: readonly string[]): ObstacleInput {
    const vips = new Map(this.#all().flatMap(({ examples }) => [...examples]));
    const families = [...vips.keys()].sort();
    const example = (family: 'ipv4' | 'ipv6') => {
      const node = nodes.find((address) => familyOf(address) === family);
      return { vip: vips.get(family)!, ...(node !== undefined && { node }) };
    };
    return {
      examples: Object.fromEntries(families.map((family) => [family, example(family)])),
      uplinks: this.#uplinks.map(({ name }) => name),
      families,
      virtualRouters: this.#all().map(({ router: { name } }) => this.#slots.current.get(name)!),
    };
  }

  /** Of one that this node stands for. */
  vipsOf(name: string): string[] {
    return this.#known.get(name)?.wire?.vips.map(({ address }) => address) ?? [];
  }

  /** By name, ascending. */
  #all(): Known[] {
    return [...this.#known.values()].sort((a, b) => (a.router.name < b.router.name ? -1 : 1));
  }
}

function byTable(vips: readonly RoutedVip[], slots: ReadonlyMap<string, number>): VirtualRouterVips[] {
  const tables = new Map<number, string[]>();
  for (const { virtualRouter, address } of vips) {
    const index = slots.get(virtualRouter)!;
    const there = tables.get(index);
    if (there) there.push(address);
    else tables.set(index, [address]);
  }
  return [...tables].map(([index, vips]) => ({ index, vips }));
}
