/**
 * What is due when: a binary heap by time, so that thousands of bursts cost no look at all of them whenever one is due. What was put
 * off or taken out stays in the heap until its former time comes, and is passed over then.
 */

interface Slot<K> {
  at: number;
  key: K;
}

export class TimerQueue<K> {
  readonly #at = new Map<K, number>();
  readonly #heap: Slot<K>[] = [];

  /** Once for each key: a later call replaces the former one. */
  set(key: K, at: number): void {
    this.#at.set(key, at);
    this.#heap.push({ at, key });
    this.#rise(this.#heap.length - 1);
  }

  delete(key: K): void {
    this.#at.delete(key);
  }

  /** The key that is due first, if that is at `now` or before; it is taken out. */
  takeDue(now: number): K | undefined {
    const first = this.#first();
    if (first === undefined || first.at > now) return undefined;
    this.#drop();
    this.#at.delete(first.key);
    return first.key;
  }

  /** When something is due next. */
  get nextAt(): number | undefined {
    return this.#first()?.at;
  }

  #first(): Slot<K> | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || this.#at.get(first.key) === first.at) return first;
      this.#drop();
    }
  }

  #drop(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(index: number): void {
    const slot = this.#heap[index]!;
    let at = index;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#heap[parent]!.at <= slot.at) break;
      this.#heap[at] = this.#heap[parent]!;
      at = parent;
    }
    this.#heap[at] = slot;
  }

  #sink(index: number): void {
    const slot = this.#heap[index]!;
    let at = index;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.at < this.#heap[child]!.at) child++;
      if (this.#heap[child]!.at >= slot.at) break;
      this.#heap[at] = this.#heap[child]!;
      at = child;
    }
    this.#heap[at] = slot;
  }
}
