/**
 * Spreads what has to be done once per interval over the interval, so that ten thousand probes are no burst and a hundred are not
 * a hundred timers. Pure.
 *
 *      0   1   2   3  …  63        every key has a slot, by its hash; slots come round in turn,
 *    [ab] [ ] [c] [ ]    [d]       one revolution an interval; empty ones cost nothing
 *
 * A few are no burst, and have one slot together: a thread that is at rest pays more for waking up than for what it does then.
 */

export const SLOTS = 64;
/** So many have one slot. */
export const FEW = 16;
/** Those that are spread are put together again when they are as few as this. */
const VERY_FEW = FEW / 2;

export class Wheel {
  readonly #slots = Array.from({ length: SLOTS }, () => new Set<string>());
  #size = 0;
  #spread = false;

  get size(): number {
    return this.#size;
  }

  add(key: string): void {
    const slot = this.slot(this.#slotOf(key));
    if (slot.has(key)) return;
    slot.add(key);
    this.#size++;
  }

  delete(key: string): void {
    if (this.slot(this.#slotOf(key)).delete(key)) this.#size--;
  }

  /** To be called after either: whether that many should be spread, or put together, and now are. All but a few have other slots then. */
  settle(): boolean {
    const spread = this.#size > (this.#spread ? VERY_FEW : FEW);
    if (spread === this.#spread) return false;
    const keys = this.#slots.flatMap((slot) => [...slot]);
    for (const slot of this.#slots) slot.clear();
    this.#spread = spread;
    for (const key of keys) this.slot(this.#slotOf(key)).add(key);
    return true;
  }

  slot(index: number): Set<string> {
    return this.#slots[index % SLOTS]!;
  }

  /** How many slots after `index` the next one is that has keys: 1 to SLOTS; undefined when all are empty. */
  distance(index: number): number | undefined {
    for (let distance = 1; distance <= SLOTS; distance++) if (this.slot(index + distance).size > 0) return distance;
    return undefined;
  }

  #slotOf(key: string): number {
    return this.#spread ? hashed(key) : 0;
  }
}

/** FNV-1a, folded: neighbouring addresses must not share a slot. */
function hashed(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return ((hash >>> 16) ^ hash) & (SLOTS - 1);
}
