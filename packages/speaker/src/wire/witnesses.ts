/**
 * Who else is there: the other nodes, the gateways on their LAN and the API server, and when each was last heard of. When an owner falls
 * silent they tell which of the two has been cut off: somebody is heard of since, or it is this node, which then takes over from nobody.
 *
 * Silence means something only of those who were heard of before: where stations do not answer (arp_ignore), there is no gateway, or the
 * silent owner was the only other node, nobody would ever take over. A node that has never heard of anybody is cut off.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */

import type { VipKey } from './vip-key.js';

/** A witness that was silent for so long before the owner was is not missed. They are asked every minute. */
const MEMORY_MS = 180_000;
/** So many are asked at a time: one of them has to answer, and a LAN of a hundred nodes has better things to do. */
export const ASK_AT_MOST = 8;
export const ASK_EVERY_MS = 60_000;

export interface Station {
  ip: VipKey;
  /** Of the node; a gateway goes by its address. */
  name: string;
  /** undefined until it was heard. */
  mac?: Buffer;
}

export class Witnesses {
  #stations = new Map<VipKey, Station>();
  #hasPeers = false;
  readonly #heardAt = new Map<string, number>();

  /** @param peers whether there are other nodes, be they heard or not */
  configure(stations: readonly Pick<Station, 'ip' | 'name'>[], peers: boolean): void {
    const before = this.#stations;
    this.#stations = new Map(stations.map(({ ip, name }) => [ip, before.get(ip) ?? { ip, name }]));
    this.#hasPeers = peers;
  }

  /** A frame came from this address. */
  frame(ip: VipKey, mac: Buffer, now: number): void {
    const station = this.#stations.get(ip);
    if (station === undefined) return;
    // Copied, or it would keep the whole frame.
    if (!station.mac?.equals(mac)) station.mac = Buffer.from(mac);
    this.heard(station.name, now);
  }

  /** @param at what is told late is not the latest */
  heard(name: string, at: number): void {
    this.#heardAt.set(name, Math.max(at, this.#heardAt.get(name) ?? at));
  }

  /** Whom to ask for a sign of life: those that were heard of last, as they are the likeliest to answer. */
  toAsk(): Station[] {
    const heardAt = ({ name }: Station) => this.#heardAt.get(name) ?? Number.MIN_SAFE_INTEGER;
    return [...this.#stations.values()].sort((a, b) => heardAt(b) - heardAt(a)).slice(0, ASK_AT_MOST);
  }

  /**
   * Whether this node may trust its ears.
   * @param since since when the owner is silent; what was heard before that may have been the last there was
   * @param silent its name
   */
  hears(since: number, silent: string | undefined): boolean {
    if (!this.#hasPeers) return true;
    let missed = false;
    for (const [name, at] of this.#heardAt) {
      if (at > since) return true;
      missed ||= name !== silent && since - at < MEMORY_MS;
    }
    return this.#heardAt.size > 0 && !missed;
  }
}
