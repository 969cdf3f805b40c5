/**
 * Which virtual routers this node may stand for: those that it can announce whole, or an owner would leave some of its VIPs dark.
 * Whole is meant for each IP family: where a pool has IPv6 addresses and this LAN has none, IPv4 goes on without them (an Event on
 * the Service says so). Pure.
 */

import { familyOf } from '@fairlead/ipvs';
import type { HostInterface } from './uplinks.js';

export type Family = 'ipv4' | 'ipv6';
const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

interface OfFamily {
  /** Address → interface; undefined: none of this node. */
  uplinks: Map<string, string | undefined>;
  /** How many of them belong to each. */
  counts: Map<string | undefined, number>;
}

/** The VIPs of one virtual router with their interfaces. One more or one less costs the same however many there are. */
export class VipUplinks {
  readonly #families: Readonly<Record<Family, OfFamily>> = {
    ipv4: { uplinks: new Map(), counts: new Map() },
    ipv6: { uplinks: new Map(), counts: new Map() },
  };

  set(address: string, uplink: string | undefined): void {
    this.delete(address);
    const { uplinks, counts } = this.#families[familyOf(address)];
    uplinks.set(address, uplink);
    counts.set(uplink, (counts.get(uplink) ?? 0) + 1);
  }

  /** Whether it was there. */
  delete(address: string): boolean {
    const { uplinks, counts } = this.#families[familyOf(address)];
    if (!uplinks.has(address)) return false;
    const uplink = uplinks.get(address);
    const count = counts.get(uplink)!;
    if (count > 1) counts.set(uplink, count - 1);
    else counts.delete(uplink);
    return uplinks.delete(address);
  }

  has(address: string): boolean {
    return this.#families[familyOf(address)].uplinks.has(address);
  }

  get(address: string): string | undefined {
    return this.#families[familyOf(address)].uplinks.get(address);
  }

  addresses(families: readonly Family[] = FAMILIES): string[] {
    return families.flatMap((family) => [...this.#families[family].uplinks.keys()]);
  }

  get size(): number {
    return this.#families.ipv4.uplinks.size + this.#families.ipv6.uplinks.size;
  }

  /** Families that have VIPs. */
  get families(): Family[] {
    return FAMILIES.filter((family) => this.#families[family].uplinks.size > 0);
  }

  /** One of a family's VIPs, where it has any. */
  example(family: Family): string | undefined {
    return this.#families[family].uplinks.keys().next().value;
  }

  /** The interfaces of a family's VIPs. */
  uplinksOf(family: Family): (string | undefined)[] {
    return [...this.#families[family].counts.keys()];
  }
}

/** The families whose VIPs this node would announce; none: it does not stand. The carrier counts, too. */
export function contestable(vips: VipUplinks, interfaces: readonly HostInterface[]): Family[] {
  const running = new Set<string | undefined>(interfaces.filter((each) => each.running).map(({ name }) => name));
  const here = vips.families.filter((family) => vips.uplinksOf(family).some((uplink) => uplink !== undefined));
  return here.every((family) => vips.uplinksOf(family).every((uplink) => running.has(uplink))) ? here : [];
}
