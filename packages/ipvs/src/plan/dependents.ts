/** Which Services a node decides about. */
export class Dependents {
  readonly #byNode = new Map<string, Set<string>>();

  of(node: string): Iterable<string> {
    return this.#byNode.get(node) ?? [];
  }

  /** From the nodes that a Service depended on to those that it depends on. */
  change(service: string, before: ReadonlySet<string>, after: ReadonlySet<string>): void {
    for (const node of after) {
      if (before.has(node)) continue;
      const services = this.#byNode.get(node);
      if (services) services.add(service);
      else this.#byNode.set(node, new Set([service]));
    }
    for (const node of before) {
      if (after.has(node)) continue;
      const services = this.#byNode.get(node)!;
      services.delete(service);
      if (services.size === 0) this.#byNode.delete(node);
    }
  }
}
