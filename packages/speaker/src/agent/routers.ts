/** The virtual routers of this node: which VIPs each has, which routing table, and which of them this node can serve. */
import { familyOf, type VirtualRouterVips } from '@fairlead/ipvs';
import type { WireUplink, WireVirtualRouter } from '../wire/messages.js';
import type { Assignment } from './assignment.js';
import { contestable } from './contestable.js';
import type { ObstacleInput } from './obstacle-watch.js';
import { TableSlots } from './tables.js';
import type { HostInterface } from './uplinks.js';

export class Routers {
  readonly #slots = new TableSlots();
  #assignment: Assignment = { routers: [], unannounceable: [] };
  #contestable = new Map<string, WireVirtualRouter>();
  #uplinks: WireUplink[] = [];
  #tables: VirtualRouterVips[] = [];
  #families: ObstacleInput['families'] = [];

  /** Takes over an assignment. Throws RangeError when there are more virtual routers than tables. */
  assign(assignment: Assignment, interfaces: readonly HostInterface[]): void {
    const { routers } = assignment;
    const slots = this.#slots.assign(routers.map(({ name }) => name));
    this.#assignment = assignment;
    this.#tables = routers.map(({ name, vips }) => ({
      index: slots.get(name)!,
      vips: vips.map(({ address }) => address),
    }));
    this.#families = [...new Set(this.#tables.flatMap(({ vips }) => vips.map(familyOf)))].sort();
    this.#contestable = new Map(
      contestable(routers, interfaces).map((router) => [router.name, { ...router, table: slots.get(router.name)! }]),
    );
    const used = new Set([...this.#contestable.values()].flatMap(({ vips }) => vips.map(({ uplink }) => uplink)));
    this.#uplinks = interfaces
      .filter(({ name }) => used.has(name))
      .map(({ name, index, mac }) => ({ name, index, mac }));
  }

  get unannounceable(): Assignment['unannounceable'] {
    return this.#assignment.unannounceable;
  }

  /** All of them, and the routes that they need. */
  get tables(): readonly VirtualRouterVips[] {
    return this.#tables;
  }

  /** Names and numbers of VIPs of all of them. */
  get sizes(): { name: string; vips: number }[] {
    return this.#assignment.routers.map(({ name, vips }) => ({ name, vips: vips.length }));
  }

  /** Those that this node stands for, and where it announces them. */
  get wire(): { virtualRouters: WireVirtualRouter[]; uplinks: WireUplink[] } {
    return { virtualRouters: [...this.#contestable.values()], uplinks: this.#uplinks };
  }

  /** What has to be able to pass this host. */
  get passage(): ObstacleInput {
    return {
      uplinks: this.#uplinks.map(({ name }) => name),
      families: this.#families,
      virtualRouters: this.#tables.map(({ index }) => index),
    };
  }

  /** Of one that this node stands for. */
  vipsOf(name: string): string[] {
    return this.#contestable.get(name)?.vips.map(({ address }) => address) ?? [];
  }
}
