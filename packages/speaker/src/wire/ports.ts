/**
 * The interfaces on the LAN that VIPs belong to, as this node has them at present. One that cannot be opened is tried again with the next
 * configuration.
 */

import type { Guard } from './guard.js';
import type { WireUplink } from './messages.js';
import type { Outlet } from './outbox.js';
import type { Vip, VipChange } from './virtual-routers.js';

/** A LAN interface as the wire uses it; LanPort is the real one. */
export interface Port extends Outlet {
  readonly index: number;
  /** IPv6 addresses (as VipKeys) whose solicitations have to reach this interface from now on, or no longer. */
  listenFor(added: readonly string[], removed: readonly string[]): void;
  /** Looks what its hardware address is. */
  refresh(): void;
  matches(uplink: WireUplink): boolean;
  close(): void;
}

export class Ports {
  readonly #open: (uplink: WireUplink) => Port;
  readonly #guard: Guard;
  readonly #ports = new Map<string, Port>();
  #uplinks: readonly WireUplink[] = [];

  constructor(open: (uplink: WireUplink) => Port, guard: Guard) {
    this.#open = open;
    this.#guard = guard;
  }

  /** Tells which interfaces are new, or not what they were. @param uplinks default: the same as before */
  configure(uplinks: readonly WireUplink[] = this.#uplinks): Set<string> {
    this.#uplinks = uplinks;
    const opened = new Set<string>();
    const wanted = new Map(uplinks.map((uplink) => [uplink.name, uplink]));
    for (const port of [...this.#ports.values()]) {
      const uplink = wanted.get(port.name);
      if (uplink !== undefined && port.matches(uplink)) continue;
      port.close();
      this.#ports.delete(port.name);
    }
    for (const uplink of uplinks) {
      if (this.#ports.has(uplink.name)) continue;
      this.#guard.run(`listen to neighbours on ${uplink.name}`, () => {
        this.#ports.set(uplink.name, this.#open(uplink));
        opened.add(uplink.name);
      });
    }
    return opened;
  }

  /** For solicitations. @param opened those that listen for nothing yet, and are to for all VIPs */
  listen({ added, removed }: VipChange, opened: ReadonlySet<string>, all: () => Iterable<Vip>): void {
    const known = opened.size > 0 ? [...all()] : [];
    for (const port of this.#ports.values()) {
      const isNew = opened.has(port.name);
      const joined = ipv6On(port, isNew ? known : added);
      const left = ipv6On(port, isNew ? [] : removed);
      this.#guard.run(`listen for neighbour solicitations on ${port.name}`, () => port.listenFor(joined, left));
    }
  }

  get(name: string): Port | undefined {
    return this.#ports.get(name);
  }

  [Symbol.iterator](): IterableIterator<Port> {
    return this.#ports.values();
  }

  /** Whether this is the hardware address of any. */
  has(mac: Buffer): boolean {
    return [...this.#ports.values()].some((port) => port.mac.equals(mac));
  }

  /** This node's own, as text. */
  addressesOn({ name }: Port): readonly string[] {
    return this.#uplinks.find((uplink) => uplink.name === name)?.addresses ?? [];
  }

  close(): void {
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
  }
}

function ipv6On(port: Port, vips: readonly Vip[]): string[] {
  return vips.flatMap(({ ip, uplink }) => (typeof ip === 'string' && uplink === port.name ? [ip] : []));
}
