/**
 * A map by address whose entries may come and go a million times.
 *
 * V8's Map leaves a hole in the bucket's chain for every deleted entry until the table grows or shrinks. One address that is
 * given out and returned again and again (lowest first does just that) therefore makes a chain of tens of thousands of
 * holes, and each look at it takes 200 µs. So entries are not deleted but emptied, and the table is made anew when most of it
 * is empty.
 */

/** Emptied entries that are not worth a new table. */
const SPARE = 1024;

export class AddressMap<T extends object> {
  #map = new Map<bigint, T | undefined>();
  #size = 0;

  get(value: bigint): T | undefined {
    return this.#map.get(value);
  }

  has(value: bigint): boolean {
    return this.#size > 0 && this.#map.get(value) !== undefined;
  }

  set(value: bigint, entry: T): void {
    if (!this.has(value)) this.#size++;
    this.#map.set(value, entry);
  }

  /** Whether it was there. */
  delete(value: bigint): boolean {
    if (!this.has(value)) return false;
    this.#map.set(value, undefined);
    this.#size--;
    if (this.#map.size > 2 * this.#size + SPARE) this.#map = new Map(this.entries());
    return true;
  }

  *entries(): Generator<[bigint, T]> {
    for (const [value, entry] of this.#map) if (entry !== undefined) yield [value, entry];
  }

  *keys(): Generator<bigint> {
    for (const [value] of this.entries()) yield value;
  }

  get size(): number {
    return this.#size;
  }
}
