/**
 * Spreads what has to be done once per interval over the interval, so that ten thousand probes are no burst and a hundred are not
 * a hundred timers. Pure.
 *
 *      0   1   2   3  …  63        every key has a slot, by its hash; slots come round in turn,
 *    [ab] [ ] [c] [ ]    [d]       one revolution an interval; empty ones cost nothing
 */

export const SLOTS = 64;

export class Wheel {
  readonly #slots = Array.from({ length: SLOTS }, () => new Set<string>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(key: string): void {
    const slot = this.slot(slotOf(key));
    if (slot.has(key)) return;
    slot.add(key);
    this.#size++;
  }

  delete(key: string): void {
    if (this.slot(slotOf(key)).delete(key)) this.#size--;
  }

  slot(index: number): Set<string> {
    return this.#slots[index % SLOTS]!;
  }

  /** How many slots after `index` the next one is that has keys: 1 to SLOTS; undefined when all are empty. */
  distance(index: number): number | undefined {
    for (let distance = 1; distance <= SLOTS; distance++) if (this.slot(index + distance).size > 0) return distance;
    return undefined;
  }
}

/** FNV-1a, folded: neighbouring addresses must not share a slot. */
function slotOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return ((hash >>> 16) ^ hash) & (SLOTS - 1);
}
