/**
 * What a former owner still forwards. Who has yielded is silent at once, but its routing rule stays until the next owner has announced
 * itself: clients that know this node's hardware address are served meanwhile, so a hand-over costs them nothing. From the announcement on
 * the rule does harm (packages/ipvs, owner-rules.ts): it takes replies of this node's own NodePorts into the wrong director. The stations of
 * a LAN hear an announcement all at once, so there is nobody to wait for: with a client that connects every 10 ms, 100 ms more cost three
 * connects of each hand-over.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */

/** After it became known who the next owner is, if its announcement cannot be heard, ms. */
const AFTER_TAKEOVER_MS = 1_000;

export class Lingering {
  /** Until when; Infinity while nobody has taken over. */
  readonly #until = new Map<string, number>();

  /** This node has yielded the virtual router. */
  begin(name: string): void {
    this.#until.set(name, Number.POSITIVE_INFINITY);
  }

  /** Another station announces its addresses. */
  announced(name: string, now: number): void {
    this.#shorten(name, now);
  }

  /** Another node is known to be the owner. */
  takenOver(name: string, now: number): void {
    this.#shorten(name, now + AFTER_TAKEOVER_MS);
  }

  /** It owns again, or there is nothing left to route. */
  end(name: string): void {
    this.#until.delete(name);
  }

  has(name: string): boolean {
    return this.#until.has(name);
  }

  /** Those whose time is over; they are forgotten. */
  due(now: number): string[] {
    const names = [...this.#until].filter(([, until]) => until <= now).map(([name]) => name);
    for (const name of names) this.#until.delete(name);
    return names;
  }

  /** When `due` has something next; undefined: not before something happens. */
  get nextAt(): number | undefined {
    const next = Math.min(...this.#until.values());
    return Number.isFinite(next) ? next : undefined;
  }

  get names(): IterableIterator<string> {
    return this.#until.keys();
  }

  get size(): number {
    return this.#until.size;
  }

  #shorten(name: string, until: number): void {
    const before = this.#until.get(name);
    if (before !== undefined && until < before) this.#until.set(name, until);
  }
}
