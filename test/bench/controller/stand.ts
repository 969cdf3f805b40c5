/** The processes of a measurement: an API server, and one of its clients at a time. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { installManifests } from '@fairlead/cli';
import { addressPools, KubeClient, type KubeObject, services } from '@fairlead/kube';
import { epochMs } from '@fairlead/lab';
import { deployedEnvironment } from '../deployed.js';
import type { Addressed, PatchRequest, ServerReport, ServerRequest } from './messages.js';
import { benchService, POOL, POOL_ADDRESSES } from './services.js';

const CLI = fileURLToPath(new URL('../../../../packages/cli/dist/main.js', import.meta.url));
const environment = deployedEnvironment('controller.yaml');
const programs = new URL('.', import.meta.url);

/** A fresh API server with our CRD, and a client to fill it. */
export class Stand {
  readonly url: string;
  readonly kube: KubeClient;
  readonly #server: ChildProcess;
  readonly #clients = new Set<Client>();

  static async start(): Promise<Stand> {
    const server = fork(new URL('api-server.js', programs), { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    const [url] = (await once(createInterface({ input: server.stdout! }), 'line')) as [string];
    const stand = new Stand(server, url);
    await installManifests(stand.kube);
    return stand;
  }

  private constructor(server: ChildProcess, url: string) {
    this.#server = server;
    this.url = url;
    this.kube = new KubeClient({ server: url, timeoutMs: 120_000 });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) await client.stop('SIGKILL');
    await this.kube.close();
    this.#server.disconnect();
    await once(this.#server, 'exit');
  }

  createPool(): Promise<KubeObject> {
    return this.kube.create(addressPools, {
      apiVersion: 'fairlead.dev/v1alpha1',
      kind: 'AddressPool',
      metadata: { name: POOL },
      spec: { addresses: [POOL_ADDRESSES] },
    } as KubeObject);
  }

  /** All at once: as many requests at a time as the client has connections. */
  async createServices(count: number, onCreated?: (n: number) => void): Promise<void> {
    const all = [...Array(count).keys()].map(async (n) => {
      await this.kube.create(services, benchService(n));
      onCreated?.(n);
    });
    await Promise.all(all);
  }

  async seed(count: number): Promise<void> {
    await this.#ask({ do: 'seed', count });
  }

  report(): Promise<ServerReport> {
    return this.#ask<ServerReport>({ do: 'report' });
  }

  /** When the last of so many Services got its address, ms since the epoch. */
  async addressed(count: number): Promise<number> {
    const { atMs } = await this.#ask<Addressed>({ do: 'awaitAddressed', count });
    return atMs;
  }

  controller(identity = 'controller'): Client {
    const args = ['controller', '--server', this.url, '--identity', identity];
    return this.#spawn(CLI, args);
  }

  /** `count`: begin with these at once, without being told. */
  barePatches(count?: number): Client {
    return this.#spawn(fileURLToPath(new URL('bare-patches.js', programs)), [
      this.url,
      ...(count ? [String(count)] : []),
    ]);
  }

  /** What Node alone takes. */
  emptyProcess(): Client {
    return this.#spawn(fileURLToPath(new URL('empty-process.js', programs)), []);
  }

  #spawn(program: string, args: string[]): Client {
    const client = new Client(program, args);
    this.#clients.add(client);
    return client;
  }

  async #ask<T>(request: ServerRequest): Promise<T> {
    this.#server.send(request);
    const [answer] = await once(this.#server, 'message');
    return answer as T;
  }
}

/** A process that works against the API server. */
export class Client {
  readonly startedMs = epochMs();
  readonly process: ChildProcess;
  readonly #lines: string[] = [];

  constructor(program: string, args: string[]) {
    const env = { ...process.env, ...environment };
    this.process = fork(program, args, { execArgv: [], env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    createInterface({ input: this.process.stderr! }).on('line', (line) => {
      this.#lines.push(line);
      this.process.emit('said', line);
    });
    this.process.on('exit', (code) => {
      if (code) console.error(`${program} ended with ${code}:\n${this.#lines.slice(-20).join('\n')}`);
    });
  }

  /** When it logs such a line: ms since the epoch. */
  async says(text: string): Promise<number> {
    while (!this.#lines.some((line) => line.includes(text))) await once(this.process, 'said');
    return epochMs();
  }

  send(request: PatchRequest): void {
    this.process.send(request);
  }

  /** Processor time so far, of all its threads. */
  cpuMs(): number {
    const fields = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    // utime and stime (proc(5)), in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** Resident set now and at its highest, MB (10^6 bytes). */
  memory(): { nowMb: number; peakMb: number } {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    const mb = (field: string) => (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024) / 1e6;
    return { nowMb: mb('VmRSS'), peakMb: mb('VmHWM') };
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill(signal);
    await once(this.process, 'exit');
  }
}
