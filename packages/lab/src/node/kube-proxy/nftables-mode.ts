/** kube-proxy's nftables mode: one nft transaction for each change. */
import type { ProxyMode } from './mode.js';
import { renderRuleset } from './render.js';
import { buildRuleset, type Ruleset } from './ruleset.js';
import type { ProxyNode, ServicePort } from './service-ports.js';

const STALE_CHAIN_MS = 1_000; // how long a kernel before 6.2 may hold references of deleted elements (kube-proxy waits as long)

export class NftablesMode implements ProxyMode {
  readonly #node: ProxyNode;
  readonly #run: (text: string) => Promise<void>;
  readonly #leftovers = new Leftovers();
  #loaded = '';

  /** `run`: executes one nft transaction. */
  constructor(node: ProxyNode, run: (text: string) => Promise<void>) {
    this.#node = node;
    this.#run = run;
  }

  async load(ports: readonly ServicePort[]): Promise<void> {
    const ruleset = buildRuleset(ports, this.#node);
    const stale = this.#leftovers.removable(ruleset, performance.now());
    const text = renderRuleset(ruleset, stale);
    if (text === this.#loaded) return;
    await this.#run(text);
    this.#loaded = renderRuleset(ruleset);
    this.#leftovers.loaded(ruleset, stale, performance.now());
  }
}

/** What the table still holds of Services and endpoints that are gone. */
export class Leftovers {
  readonly #chains = new Map<string, number | undefined>(); // name → since when nothing refers to it
  readonly #affinitySets = new Set<string>();

  /** What the transaction that loads `ruleset` may delete. */
  removable(ruleset: Ruleset, nowMs: number): { chains: string[]; affinitySets: string[] } {
    return {
      chains: [...this.#chains]
        .filter(([name, since]) => since !== undefined && nowMs - since > STALE_CHAIN_MS && !ruleset.chains.has(name))
        .map(([name]) => name),
      affinitySets: [...this.#affinitySets].filter((name) => !ruleset.affinitySets.has(name)),
    };
  }

  /** That transaction went through. */
  loaded(ruleset: Ruleset, removed: { chains: string[]; affinitySets: string[] }, nowMs: number): void {
    for (const name of removed.chains) this.#chains.delete(name);
    for (const name of removed.affinitySets) this.#affinitySets.delete(name);
    for (const name of ruleset.affinitySets.keys()) this.#affinitySets.add(name);
    for (const [name, since] of this.#chains) if (!ruleset.chains.has(name)) this.#chains.set(name, since ?? nowMs);
    for (const name of ruleset.chains.keys()) this.#chains.set(name, undefined);
  }
}
