/**
 * Which routing table each virtual router has on this host. A number once given stays for the life of the process, and a restarted
 * process arrives at the same numbers (as far as names do not collide), so that it finds the rules of its predecessor. Pure.
 */

import { stableHash } from '@fairlead/api';

/** How many virtual routers a host can have; packages/ipvs, routes/tables.ts, says where in the kernel's numbers they lie. */
export const TABLES = 1024;

export class TableSlots {
  readonly #byName = new Map<string, number>();
  readonly #taken = new Set<number>();

  get current(): ReadonlyMap<string, number> {
    return this.#byName;
  }

  /** Keeps the slots of exactly these virtual routers, and gives new ones theirs. Throws RangeError when there are too many. */
  assign(names: readonly string[]): ReadonlyMap<string, number> {
    const wanted = new Set(names);
    for (const [name, slot] of this.#byName) {
      if (wanted.has(name)) continue;
      this.#byName.delete(name);
      this.#taken.delete(slot);
    }
    if (wanted.size > TABLES)
      throw new RangeError(`${wanted.size} virtual routers are more than the ${TABLES} a host can have`);
    for (const name of [...wanted].sort()) {
      if (!this.#byName.has(name)) this.#give(name);
    }
    return this.#byName;
  }

  #give(name: string): void {
    let slot = stableHash(name) % TABLES;
    while (this.#taken.has(slot)) slot = (slot + 1) % TABLES;
    this.#byName.set(name, slot);
    this.#taken.add(slot);
  }
}
