/**
 * What the wire thread was told to contest: virtual routers and their VIPs. It is told changes, and what a change costs does not
 * depend on how many VIPs there are (but for copies of the lists of one virtual router). Pure.
 */

import type { Contested } from '../election/election.js';
import type { VirtualRouterChange, WireVip, WireVirtualRouter } from './messages.js';
import { type VipKey, vipKey } from './vip-key.js';

export interface Vip extends WireVip {
  ip: VipKey;
  virtualRouter: string;
  /** It was another virtual router's: whoever owns that may not have heard of it yet. */
  inherited: boolean;
}

/** The VIPs on each interface, as packets carry them. */
export type Places = ReadonlyMap<string, Readonly<{ ipv4: readonly number[]; ipv6: readonly string[] }>>;

export function placesOf(vips: readonly Vip[]): Places {
  const places = new Map<string, { ipv4: number[]; ipv6: string[] }>();
  for (const { ip, uplink } of vips) {
    let place = places.get(uplink);
    if (place === undefined) {
      place = { ipv4: [], ipv6: [] };
      places.set(uplink, place);
    }
    if (typeof ip === 'number') place.ipv4.push(ip);
    else place.ipv6.push(ip);
  }
  return places;
}

interface Entry {
  spec: WireVirtualRouter;
  /** Ascending, IPv4 first. */
  vips: readonly Vip[];
  /** Of these: made beforehand, as a takeover has no time for it. */
  places: Places;
  /** As elections have it; another object whenever anything of it is another. */
  contested: Contested;
}

/** What a change has made of the VIPs. One that has got another interface is in both. */
export interface VipChange {
  added: Vip[];
  removed: Vip[];
}

export class VirtualRouters {
  readonly #entries = new Map<string, Entry>();
  readonly #vips = new Map<VipKey, Vip>();

  /** Takes a change over. A virtual router that is gone has no VIPs any more, and is known until `forget`. */
  apply(changed: readonly VirtualRouterChange[], gone: readonly string[]): VipChange {
    const change: VipChange = { added: [], removed: [] };
    const added = changed.map(({ name, added }) =>
      added
        // Each property by itself: objects that are made by spreading another one have a hidden class each.
        .map(({ address, uplink }): Vip => {
          const ip = vipKey(address);
          const inherited = (this.#vips.get(ip)?.virtualRouter ?? name) !== name;
          return { address, uplink, ip, virtualRouter: name, inherited };
        })
        .sort(byAddress),
    );
    // Who leaves goes first: a VIP may have moved from one virtual router to another.
    for (const name of gone) this.#replace(name, [], this.#entries.get(name)?.vips ?? [], change);
    for (const [index, { name, removed }] of changed.entries()) {
      const before = added[index]!.flatMap(({ ip }) => this.#vipOf(name, ip) ?? []);
      const leaving = removed.flatMap((address) => this.#vipOf(name, vipKey(address)) ?? []);
      this.#replace(name, [], [...new Set([...before, ...leaving])], change);
    }
    for (const [index, { added: _, removed: __, ...spec }] of changed.entries()) {
      const { vips, places } = this.#entries.get(spec.name) ?? { vips: [], places: new Map() };
      this.#entries.set(spec.name, { spec, vips, places, contested: { ...spec, vips } });
      this.#replace(spec.name, added[index]!, [], change);
    }
    return change;
  }

  forget(names: readonly string[]): void {
    for (const name of names) this.#entries.delete(name);
  }

  get(name: string): WireVirtualRouter | undefined {
    return this.#entries.get(name)?.spec;
  }

  has(ip: VipKey): boolean {
    return this.#vips.has(ip);
  }

  vip(ip: VipKey): Vip | undefined {
    return this.#vips.get(ip);
  }

  /** Ascending, IPv4 first. */
  vipsOf(name: string): readonly Vip[] {
    return this.#entries.get(name)?.vips ?? [];
  }

  placesOf(name: string): Places {
    return this.#entries.get(name)?.places ?? new Map();
  }

  all(): IterableIterator<Vip> {
    return this.#vips.values();
  }

  /** How many there are. */
  get count(): number {
    return this.#entries.size;
  }

  /** Those that have VIPs. One that has not changed is the same object as before. */
  get contested(): Contested[] {
    return [...this.#entries.values()].flatMap(({ contested, vips }) => (vips.length > 0 ? [contested] : []));
  }

  #vipOf(name: string, ip: VipKey): Vip | undefined {
    const vip = this.#vips.get(ip);
    return vip?.virtualRouter === name ? vip : undefined;
  }

  #replace(name: string, added: readonly Vip[], removed: readonly Vip[], change: VipChange): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || added.length + removed.length === 0) return;
    for (const vip of removed) this.#vips.delete(vip.ip);
    for (const vip of added) this.#vips.set(vip.ip, vip);
    const leaving = new Set(removed);
    entry.vips = merge(leaving.size > 0 ? entry.vips.filter((vip) => !leaving.has(vip)) : entry.vips, added);
    entry.places = placesOf(entry.vips);
    entry.contested = { ...entry.spec, vips: entry.vips };
    for (const vip of added) change.added.push(vip);
    for (const vip of removed) change.removed.push(vip);
  }
}

/** Of two ascending lists. */
function merge(a: readonly Vip[], b: readonly Vip[]): readonly Vip[] {
  if (a.length === 0 || b.length === 0) return b.length === 0 ? a : b;
  const merged: Vip[] = [];
  let next = 0;
  for (const vip of a) {
    while (next < b.length && byAddress(b[next]!, vip) < 0) merged.push(b[next++]!);
    merged.push(vip);
  }
  return [...merged, ...b.slice(next)];
}

function byAddress({ ip: a }: Vip, { ip: b }: Vip): number {
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}
