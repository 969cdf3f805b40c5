/** A table of virtual servers in a namespace of its own, and ipvsadm there: what Fairlead is measured against. */
import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { VirtualServer } from '@fairlead/ipvs';
import { Ipvs, Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns } from '@fairlead/raw-socket';

export interface TableSize {
  virtualServers: number;
  /** Of each virtual server. */
  realServers: number;
}

/** `1000x10` */
export function sizeName({ virtualServers, realServers }: TableSize): string {
  return `${virtualServers}x${realServers}`;
}

/** The same for the same size, wherever it is made. */
export function virtualServersOf({ virtualServers, realServers }: TableSize): VirtualServer[] {
  return Array.from({ length: virtualServers }, (_, i) => ({
    address: `10.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}`,
    port: 80,
    protocol: 'tcp',
    scheduler: 'rr',
    realServers: Array.from({ length: realServers }, (_, n) => ({
      address: `10.200.0.${n + 1}`,
      port: 30_000 + (i % 2_000),
      weight: 1,
    })),
  }));
}

/** As `ipvsadm --save -n` writes it. */
function saved(servers: readonly VirtualServer[]): string {
  const lines = servers.flatMap(({ address, port, scheduler, realServers }) => [
    `-A -t ${address}:${port} -s ${scheduler}`,
    ...realServers.map((real) => `-a -t ${address}:${port} -r ${real.address}:${real.port} -m -w ${real.weight}`),
  ]);
  return `${lines.join('\n')}\n`;
}

let count = 0;

export class BenchTable {
  readonly size: TableSize;
  readonly netns: string;
  readonly #saved: string;
  readonly #ipvs: Ipvs;

  constructor(size: TableSize) {
    this.size = size;
    this.#saved = saved(virtualServersOf(size));
    this.netns = `flbench-${process.pid}-${++count}`;
    createNetns(this.netns);
    const rtnetlink = new Rtnetlink({ netns: this.netns });
    // IPVS refuses real servers in a namespace without it.
    rtnetlink.setLink(1, { up: true });
    rtnetlink.close();
    this.#ipvs = new Ipvs({ netns: this.netns });
  }

  /** Leaves an empty table. */
  empty(): void {
    this.#ipvs.flush();
  }

  /** How long `ipvsadm --restore` takes, ms. */
  restore(): number {
    return this.#ipvsadm(['--restore'], this.#saved);
  }

  /** How long `ipvsadm -Ln > /dev/null` takes, ms. */
  list(): number {
    return this.#ipvsadm(['-Ln']);
  }

  /** How long a forwarder takes from its opening to the end of its first sync, in a process that just started. */
  async sync(signal: AbortSignal): Promise<{ ms: number; operations: number }> {
    const { virtualServers, realServers } = this.size;
    const script = fileURLToPath(new URL('sync-process.js', import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [script, this.netns, String(virtualServers), String(realServers)],
      { signal },
    );
    return JSON.parse(stdout) as { ms: number; operations: number };
  }

  /** Throws unless the kernel holds the whole table. */
  check(): void {
    const table = this.#ipvs.table();
    const destinations = table.reduce((sum, entry) => sum + entry.destinations.length, 0);
    const { virtualServers, realServers } = this.size;
    if (table.length === virtualServers && destinations === virtualServers * realServers) return;
    throw new Error(`the kernel has ${table.length} virtual servers with ${destinations} real servers in all`);
  }

  close(): void {
    this.#ipvs.close();
    deleteNetns(this.netns);
  }

  #ipvsadm(args: string[], input = ''): number {
    return inNetns(this.netns, () => {
      const start = performance.now();
      const { status, stderr, error } = spawnSync('ipvsadm', args, { input, stdio: ['pipe', 'ignore', 'pipe'] });
      const ms = performance.now() - start;
      if (status !== 0) throw error ?? new Error(`ipvsadm ${args.join(' ')} failed: ${stderr}`);
      return ms;
    });
  }
}
