/** A set whose members are in it once for everyone who put them there. */
export class Counted {
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#counts.size;
  }

  has(member: string): boolean {
    return this.#counts.has(member);
  }

  add(member: string): void {
    this.#counts.set(member, (this.#counts.get(member) ?? 0) + 1);
  }

  /** Of what was added. */
  remove(member: string): void {
    const left = this.#counts.get(member)! - 1;
    if (left === 0) this.#counts.delete(member);
    else this.#counts.set(member, left);
  }

  members(): Iterable<string> {
    return this.#counts.keys();
  }
}
