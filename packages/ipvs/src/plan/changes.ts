/** What was handed over, and what may differ from it since: so that a change costs what changed, not a comparison of everything. */
import type { DesiredChange, VirtualServer } from '../forwarder.js';
import { sortAddresses, sortByKeys } from '../order.js';
import { sameServer } from './servers.js';

export class Changes {
  readonly #servers = new Map<string, VirtualServer>();
  readonly #vips = new Set<string>();
  readonly #touched = new Set<string>();
  readonly #touchedVips = new Set<string>();

  /** @param name of a virtual server that may have changed */
  touch(name: string): void {
    this.#touched.add(name);
  }

  touchVip(vip: string): void {
    this.#touchedVips.add(vip);
  }

  /** From what was handed over to what there is now, which is thereby handed over. */
  take(server: (name: string) => VirtualServer | undefined, hasVip: (vip: string) => boolean): DesiredChange {
    const changed: VirtualServer[] = [];
    const removed: VirtualServer[] = [];
    for (const name of this.#touched) {
      const now = server(name);
      const before = this.#servers.get(name);
      if (now) this.#servers.set(name, now);
      else this.#servers.delete(name);
      if (now && !(before && sameServer(now, before))) changed.push(now);
      else if (!now && before) removed.push(before);
    }
    const addedVips = [...this.#touchedVips].filter((vip) => hasVip(vip) && !this.#vips.has(vip));
    const removedVips = [...this.#touchedVips].filter((vip) => !hasVip(vip) && this.#vips.has(vip));
    for (const vip of addedVips) this.#vips.add(vip);
    for (const vip of removedVips) this.#vips.delete(vip);
    this.#touched.clear();
    this.#touchedVips.clear();
    return {
      changed: sortByKeys(changed),
      removed: sortByKeys(removed).map(({ address, port, protocol }) => ({ address, port, protocol })),
      addedVips: sortAddresses(addedVips),
      removedVips: sortAddresses(removedVips),
    };
  }
}
