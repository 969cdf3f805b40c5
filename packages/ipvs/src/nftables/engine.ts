/**
 * The engine for kernels without ip_vs: nftables' own address translation, in a table of its own in the director.
 *
 * What it has not got, compared with IPVS: schedulers that look at connections (they become chance),
 * and persistence with a timeout (it becomes a hash of the client's address).
 */
import { Nftables } from '@fairlead/netlink';
import type { Operation } from '../diff.js';
import type { Engine, Reading, Refusal } from '../engine.js';
import type { Flow, FlowCounts, Flows } from '../flows.js';
import { type VirtualServer, type VirtualServerStats, virtualServerName } from '../forwarder.js';
import type { Nft } from '../nft.js';
import { sortVirtualServers } from '../order.js';
import { type ParsedServer, parseListing } from './listing.js';
import { baseScript, changeScript, deleteTableScript, TABLE } from './ruleset.js';

/** What is in the kernel. `damaged`: there is a table of our name, but not as we write it. */
type TableState = 'absent' | 'damaged' | 'ours';

export class NftablesEngine implements Engine {
  readonly kind = 'nftables';
  readonly ordered = false;
  readonly #nft: Nft;
  readonly #flows: Flows;
  readonly #director: string;
  #rulesets: Nftables | undefined;
  #table: TableState = 'absent';

  constructor(nft: Nft, flows: Flows, director: string) {
    this.#nft = nft;
    this.#flows = flows;
    this.#director = director;
  }

  generation(): number {
    this.#rulesets ??= new Nftables({ netns: this.#director });
    return this.#rulesets.generation();
  }

  normalize(server: VirtualServer): VirtualServer {
    return server;
  }

  canDrain({ protocol }: VirtualServer): boolean {
    return protocol !== 'udp';
  }

  prepare(): number {
    return 0;
  }

  read(): Reading {
    const { table, servers } = this.#list();
    this.#table = table;
    const virtualServers = servers.map((server) => ({
      ...server,
      realServers: server.realServers.map(({ address, port, weight }) => ({ address, port, weight })),
    }));
    return { virtualServers, repairs: table === 'ours' ? 0 : 1 };
  }

  apply(
    operations: readonly Operation[],
    before: ReadonlyMap<string, VirtualServer>,
    after: ReadonlyMap<string, VirtualServer>,
  ): Refusal[] {
    const [first = [], ...more] = transactions(operations);
    const script = [
      this.#table === 'damaged' ? deleteTableScript : '',
      this.#table === 'ours' ? '' : baseScript,
      changeScript(first, before, after),
    ];
    this.#nft.run(script.join(''));
    this.#table = 'ours';
    for (const operations of more) this.#nft.run(changeScript(operations, before, after));
    return [];
  }

  /** Translation is connection tracking's, and so is the knowledge of who is connected. */
  connections(flows: readonly Flow[]): FlowCounts {
    return this.#flows.count(flows);
  }

  stats(): VirtualServerStats[] {
    return this.#list().servers.map(({ flags: _, persistenceSeconds: __, ...server }) => server);
  }

  close(): void {
    this.#rulesets?.close();
  }

  #list(): { table: TableState; servers: ParsedServer[] } {
    const objects = this.#nft.eachOfTable('inet', TABLE);
    if (!objects) return { table: 'absent', servers: [] };
    const servers = parseListing(objects);
    if (!servers) return { table: 'damaged', servers: [] };
    return { table: 'ours', servers: sortVirtualServers(servers) };
  }
}

/** What a transaction costs grows faster than it does, and nft has two minutes for it. */
const MAX_SERVICES = 2_000;

/** Parts of the operations; those of one virtual server stay together. */
function transactions(operations: readonly Operation[]): Operation[][] {
  const byService = new Map<string, Operation[]>();
  for (const operation of operations) {
    const name = virtualServerName(operation.service);
    const list = byService.get(name);
    if (list) list.push(operation);
    else byService.set(name, [operation]);
  }
  const lists = [...byService.values()];
  const count = Math.ceil(lists.length / MAX_SERVICES);
  return Array.from({ length: count }, (_, n) => lists.slice(n * MAX_SERVICES, (n + 1) * MAX_SERVICES).flat());
}
