/** A binary min-heap of numbers or BigInts: lowest first in O(log n). */
export class MinHeap<T extends number | bigint> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The lowest, which stays. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let index = items.length;
    items.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (items[parent]! <= item) break;
      items[index] = items[parent]!;
      index = parent;
    }
    items[index] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const lowest = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return lowest;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= last) break;
      items[index] = items[child]!;
      index = child;
    }
    items[index] = last;
    return lowest;
  }
}
