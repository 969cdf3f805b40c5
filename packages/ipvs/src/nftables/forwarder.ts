/**
 * The forwarder for kernels without ip_vs: nftables' own address translation, in a table of its own in the director.
 *
 * What it has not got, compared with IPVS: schedulers that look at connections or hash clients (they become chance),
 * and a reset for the connections of a deleted real server (they end by their own time-outs).
 */
import { diff } from '../diff.js';
import type { DesiredState, Forwarder, SyncResult, VirtualServer, VirtualServerStats } from '../forwarder.js';
import type { Nft } from '../nft.js';
import { sortVirtualServers } from '../order.js';
import { parseListing } from './listing.js';
import { baseScript, changeScript, deleteTableScript, TABLE } from './ruleset.js';

/** What is in the kernel. `damaged`: there is a table of our name, but not as we write it. */
interface Kernel<Server extends VirtualServer> {
  table: 'absent' | 'damaged' | 'ours';
  servers: Server[];
}

export class NftablesForwarder implements Forwarder {
  readonly kind = 'nftables';
  readonly #nft: Nft;
  /** What the kernel holds, as of the last reading or writing; undefined when that is not known. */
  #known: Kernel<VirtualServer> | undefined;

  constructor(nft: Nft) {
    this.#nft = nft;
  }

  sync(desired: DesiredState): SyncResult {
    const actual = this.#known ?? this.#readKernel();
    const servers = desired.virtualServers;
    const operations = diff(servers, actual.servers);
    if (operations.length === 0 && actual.table === 'ours') return { operations: 0 };
    const script = [
      actual.table === 'damaged' ? deleteTableScript : '',
      actual.table === 'ours' ? '' : baseScript,
      changeScript(operations, servers, actual.servers),
    ];
    this.#known = undefined; // until the kernel has taken it
    this.#nft.run(script.join(''));
    this.#known = { table: 'ours', servers };
    return { operations: operations.length + (actual.table === 'ours' ? 0 : 1) };
  }

  read(): VirtualServer[] {
    return this.#readKernel().servers;
  }

  stats(): VirtualServerStats[] {
    return this.#list().servers;
  }

  close(): void {
    this.#known = undefined;
  }

  #readKernel(): Kernel<VirtualServer> {
    const { table, servers } = this.#list();
    const plain = servers.map((server) => ({
      ...server,
      realServers: server.realServers.map(({ address, port, weight }) => ({ address, port, weight })),
    }));
    this.#known = { table, servers: plain };
    return this.#known;
  }

  #list(): Kernel<VirtualServerStats> {
    const objects = this.#nft.listTable('inet', TABLE);
    if (!objects) return { table: 'absent', servers: [] };
    const servers = parseListing(objects);
    if (!servers) return { table: 'damaged', servers: [] };
    return { table: 'ours', servers: sortVirtualServers(servers) };
  }
}
