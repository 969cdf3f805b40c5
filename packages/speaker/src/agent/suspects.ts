/**
 * Nodes that are not forwarded to for a while, because their claim to a virtual router has just run out. Most likely such a node is
 * dead, which the probes will need a second longer to find out; and if only its speaker is, its kernel still takes the replies of its
 * NodePorts into its own director, until the dead man's switch goes off. Pure: the clock is the caller's, monotonic ms.
 */

export class Suspects {
  readonly #until = new Map<string, number>();

  suspect(node: string, until: number): void {
    this.#until.set(node, Math.max(until, this.#until.get(node) ?? until));
  }

  has(node: string, now: number): boolean {
    return (this.#until.get(node) ?? Number.NEGATIVE_INFINITY) > now;
  }
}
