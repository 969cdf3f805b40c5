/** A queue in which whoever comes first goes first, at the same price however many wait. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length || this.#head >= SPARE) {
      // Array.prototype.shift would move all that wait, each time.
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** So many places are given up at once. */
const SPARE = 1024;
