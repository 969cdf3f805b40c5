/**
 * Who has which virtual server (VIP:port/protocol): the first by name of those that want it, so that the winner does not depend on
 * the order in which a watch delivered the Services.
 */
export class Claims {
  /** Claimants by name, ascending; mostly there is one, and then it is not in an array: there may be tens of thousands of keys. */
  readonly #claimants = new Map<string, string | readonly string[]>();

  winner(key: string): string | undefined {
    const claimants = this.#claimants.get(key);
    return typeof claimants === 'string' ? claimants : claimants?.[0];
  }

  /** The others that want it: they may win or lose by it. */
  add(key: string, service: string): readonly string[] {
    const others = this.#of(key);
    this.#set(key, [...others, service].sort());
    return others;
  }

  /** As `add`. */
  remove(key: string, service: string): readonly string[] {
    const others = this.#of(key).filter((claimant) => claimant !== service);
    this.#set(key, others);
    return others;
  }

  #of(key: string): readonly string[] {
    const claimants = this.#claimants.get(key) ?? [];
    return typeof claimants === 'string' ? [claimants] : claimants;
  }

  #set(key: string, claimants: readonly string[]): void {
    const [first, ...more] = claimants;
    if (first === undefined) this.#claimants.delete(key);
    else this.#claimants.set(key, more.length > 0 ? claimants : first);
  }
}
