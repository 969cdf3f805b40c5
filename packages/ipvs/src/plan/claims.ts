/**
 * Who has which virtual server (VIP:port/protocol): the first by name of those that want it, so that the winner does not depend on
 * the order in which a watch delivered the Services.
 */
export class Claims {
  /** Claimants by name, ascending. */
  readonly #claimants = new Map<string, string[]>();

  winner(key: string): string | undefined {
    return this.#claimants.get(key)?.[0];
  }

  /** The others that want it: they may win or lose by it. */
  add(key: string, service: string): readonly string[] {
    const others = this.#claimants.get(key);
    if (!others) {
      this.#claimants.set(key, [service]);
      return [];
    }
    this.#claimants.set(key, [...others, service].sort());
    return others;
  }

  /** As `add`. */
  remove(key: string, service: string): readonly string[] {
    const others = (this.#claimants.get(key) ?? []).filter((claimant) => claimant !== service);
    if (others.length === 0) this.#claimants.delete(key);
    else this.#claimants.set(key, others);
    return others;
  }
}
