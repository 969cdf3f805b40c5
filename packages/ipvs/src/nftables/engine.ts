/**
 * The engine for kernels without ip_vs: nftables' own address translation, in a table of its own in the director.
 *
 * What it has not got, compared with IPVS: schedulers that look at connections (they become chance).
 */
import type { Operation } from '../diff.js';
import type { Engine, Flow, Reading } from '../engine.js';
import { type VirtualServer, type VirtualServerKey, type VirtualServerStats, virtualServerName } from '../forwarder.js';
import type { Nft } from '../nft.js';
import { sortVirtualServers } from '../order.js';
import { parseListing } from './listing.js';
import { baseScript, changeScript, deleteTableScript, TABLE } from './ruleset.js';

/** What is in the kernel. `damaged`: there is a table of our name, but not as we write it. */
type TableState = 'absent' | 'damaged' | 'ours';

export class NftablesEngine implements Engine {
  readonly kind = 'nftables';
  readonly ordered = false;
  readonly #nft: Nft;
  #table: TableState = 'absent';

  constructor(nft: Nft) {
    this.#nft = nft;
  }

  normalize(server: VirtualServer): VirtualServer {
    const { sourceRanges: _, flags: _flags, persistenceSeconds: _seconds, ...rest } = server;
    return rest;
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
  ): void {
    const script = [
      this.#table === 'damaged' ? deleteTableScript : '',
      this.#table === 'ours' ? '' : baseScript,
      changeScript(operations, before, after),
    ];
    this.#nft.run(script.join(''));
    this.#table = 'ours';
  }

  /** None: established connections are connection tracking's, and need nothing of this table. */
  connections(services: readonly VirtualServerKey[]): Map<string, ReadonlyMap<string, number>> {
    return new Map(services.map((service) => [virtualServerName(service), new Map()]));
  }

  forget(_flows: readonly Flow[]): void {}

  stats(): VirtualServerStats[] {
    return this.#list().servers;
  }

  close(): void {}

  #list(): { table: TableState; servers: VirtualServerStats[] } {
    const objects = this.#nft.listTable('inet', TABLE);
    if (!objects) return { table: 'absent', servers: [] };
    const servers = parseListing(objects);
    if (!servers) return { table: 'damaged', servers: [] };
    return { table: 'ours', servers: sortVirtualServers(servers) };
  }
}
