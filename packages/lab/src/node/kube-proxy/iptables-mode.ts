/** kube-proxy's iptables mode, over nf_tables: one `iptables-restore` for each change. */
import { buildTables, IPTABLES_JUMPS, renderTables, type Tables } from './iptables.js';
import type { ProxyMode } from './mode.js';
import type { ProxyNode, ServicePort } from './service-ports.js';

/** `--noflush`: the rules of others stay. */
export const IPTABLES_RESTORE = ['iptables-nft-restore', '--noflush'];

type ChainNames = Record<keyof Tables, readonly string[]>;

export class IptablesMode implements ProxyMode {
  readonly #node: ProxyNode;
  readonly #feed: (argv: readonly string[], text: string) => Promise<void>;
  #loaded: { text: string; chains: ChainNames } | undefined;

  constructor(node: ProxyNode, feed: (argv: readonly string[], text: string) => Promise<void>) {
    this.#node = node;
    this.#feed = feed;
  }

  async load(ports: readonly ServicePort[]): Promise<void> {
    const tables = buildTables(ports, this.#node);
    const chains: ChainNames = { nat: Object.keys(tables.nat), filter: Object.keys(tables.filter) };
    const gone = (table: keyof Tables) =>
      this.#loaded?.chains[table].filter((name) => !chains[table].includes(name)) ?? [];
    const text = renderTables(tables, { nat: gone('nat'), filter: gone('filter') });
    if (text === this.#loaded?.text) return;
    if (this.#loaded === undefined) await this.#feed(IPTABLES_RESTORE, IPTABLES_JUMPS);
    await this.#feed(IPTABLES_RESTORE, text);
    this.#loaded = { text: renderTables(tables, { nat: [], filter: [] }), chains };
  }
}
