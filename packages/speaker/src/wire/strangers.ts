/**
 * Stations that have VIPs of ours though nobody but this node can own them: they were heard while its Lease stood. An owner that cannot ask
 * an API server yields to whoever it hears; if it yielded to these, too, a misconfigured host that answers for one VIP would silence
 * all VIPs of the virtual router, for as long as the API server is gone.
 *
 * A peer may be among them: one that was a late owner in another part of the LAN, and may take over later. But a peer that takes over announces
 * every VIP. So somebody counts as a stranger only for the VIPs that it was heard for, and only where there is another VIP on the same
 * interface that nobody was heard for: by that one a peer is told.
 */

import type { VipKey } from './vip-key.js';
import type { Vip } from './virtual-routers.js';

/** A host with several interfaces on a LAN answers from each; beyond that, the one heard longest ago is forgotten. */
const STATIONS_PER_VIP = 8;

export class Strangers {
  /** Hardware addresses as text. */
  readonly #stations = new Map<VipKey, Set<string>>();

  /** A station has the address, while nobody but this node can own it. */
  heard(ip: VipKey, mac: string): void {
    let stations = this.#stations.get(ip);
    if (stations === undefined) {
      stations = new Set();
      this.#stations.set(ip, stations);
    }
    stations.delete(mac);
    stations.add(mac);
    if (stations.size > STATIONS_PER_VIP) stations.delete(stations.values().next().value!);
  }

  /** Whether a station that is heard for this VIP is surely no new owner. @param vips all of the virtual router's */
  isStranger(
    { ip, uplink }: Pick<Vip, 'ip' | 'uplink'>,
    mac: string,
    vips: readonly Pick<Vip, 'ip' | 'uplink'>[],
  ): boolean {
    if (!this.#stations.get(ip)?.has(mac)) return false;
    return vips.some((vip) => vip.uplink === uplink && !this.#stations.has(vip.ip));
  }

  /** Whether any was heard for the address. */
  has(ip: VipKey): boolean {
    return this.#stations.has(ip);
  }

  forget(ip: VipKey): void {
    this.#stations.delete(ip);
  }
}
