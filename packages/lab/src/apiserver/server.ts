/**
 * The API server: HTTP in front of the store. It runs in its own process (main.ts) or inside a test.
 *
 *   const server = new ApiServer();
 *   const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
 *   ...
 *   await server.close();
 */
import { EventEmitter } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { addBuiltins } from './builtins.js';
import { crdStrategy } from './crds.js';
import { ApiError, noSuchResource } from './errors.js';
import { Faults, type RequestInfo } from './faults.js';
import { type Answer, describeRequest, ResourceHandler } from './handler.js';
import { Pager } from './lists.js';
import { OpenApi } from './openapi.js';
import { parseTarget } from './request.js';
import { RequestCounts } from './request-counts.js';
import { Registry } from './resources.js';
import { Rest } from './rest.js';
import { seedCluster } from './seed.js';
import { staticAnswer } from './static.js';
import { Store } from './store.js';
import { ClusterIpAllocator } from './strategies/allocators.js';
import type { KubeObject, WallClock } from './types.js';
import type { WatchStream } from './watch.js';

export interface ApiServerOptions {
  /** Wall clock in ms; for timestamps and ages. */
  now?: WallClock;
  /** 0 <= x < 1; for generated names and allocated numbers. */
  random?: () => number;
  /** Changes of one resource that are kept at least, for watches that start in the past. Default 4096. */
  historySize?: number;
  /** How often a watch that wants bookmarks gets one. Default 30 s. */
  bookmarkIntervalMs?: number;
  /** A watch without timeoutSeconds ends after this time to twice this time. Default 30 min. */
  watchTimeoutMs?: number;
  /** Bytes that may wait for a slow watcher before it is cut off. Default 16 MiB. */
  watchBufferBytes?: number;
  /** Default 10.96.0.0/16; a second one of the other family makes the cluster dual-stack. */
  serviceCidrs?: readonly string[];
  /** Both ends inclusive. Default 30000-32767. */
  nodePortRange?: readonly [number, number];
}

/** Where to listen: a TCP address, or the path of a Unix socket. */
export type ListenAddress = { host: string; port: number } | { path: string };

/** Largest body that is read, as in the real server. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

export interface ApiServerEvents {
  /** A request has been read and is about to be handled. */
  request: [RequestInfo];
}

export class ApiServer extends EventEmitter<ApiServerEvents> {
  readonly store: Store;
  readonly registry = new Registry();
  readonly rest: Rest;
  readonly faults = new Faults();
  readonly #counts = new RequestCounts();

  readonly #handler: ResourceHandler;
  readonly #openApi = new OpenApi(this.registry);
  readonly #pager = new Pager();
  readonly #streams = new Set<WatchStream>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #bookmarks: NodeJS.Timeout;

  constructor(options: ApiServerOptions = {}) {
    super();
    const now = options.now ?? Date.now;
    const random = options.random ?? Math.random;
    this.store = new Store(options.historySize);
    this.rest = new Rest(this.store, this.registry, now, random);
    const cidrs = options.serviceCidrs ?? ['10.96.0.0/16'];
    addBuiltins(this.registry, {
      now,
      random,
      clusterIps: new Map(
        cidrs.map((cidr) => [cidr.includes(':') ? 'IPv6' : 'IPv4', new ClusterIpAllocator(cidr, random)] as const),
      ),
      nodePortRange: options.nodePortRange ?? [30000, 32767],
      crds: crdStrategy(this.store, this.registry, now),
    });
    this.#handler = new ResourceHandler({
      rest: this.rest,
      pager: this.#pager,
      now,
      random,
      watchBufferBytes: options.watchBufferBytes ?? 16 * 1024 * 1024,
      watchTimeoutMs: options.watchTimeoutMs ?? 30 * 60_000,
      streams: this.#streams,
    });
    seedCluster(this.rest, cidrs);
    this.#bookmarks = setInterval(() => this.sendBookmarks(), options.bookmarkIntervalMs ?? 30_000).unref();
  }

  /** May be called several times, for several addresses. `url` is what a client connects to. */
  async listen(address: ListenAddress): Promise<{ url: string; port?: number }> {
    const server = createServer({ keepAliveTimeout: 90_000, requestTimeout: 0 }, (request, response) => {
      void this.#serve(request, response);
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      // A client that vanished without a word, as a crashed node does, is noticed within minutes.
      socket.setKeepAlive(true, 30_000);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    if ('path' in address) await rm(address.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(address, resolve);
    });
    this.#servers.push(server);
    if ('path' in address) return { url: `unix:${address.path}` };
    const { port } = server.address() as AddressInfo;
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    return { url: `http://${host}:${port}`, port };
  }

  /** Stops listening and ends everything that is open. */
  async close(): Promise<void> {
    clearInterval(this.#bookmarks);
    this.faults.clear();
    this.endWatches();
    const closed = this.#servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  /** Open watch streams. */
  get watchCount(): number {
    return this.#streams.size;
  }

  /** Ends every watch; `abrupt`: by breaking its connection. */
  endWatches({ abrupt = false }: { abrupt?: boolean } = {}): void {
    for (const stream of [...this.#streams]) stream.end(abrupt);
  }

  /** Ends every watch with an ERROR event. */
  failWatches(error: ApiError): void {
    for (const stream of [...this.#streams]) stream.fail(error);
  }

  /** Forgets all history: a watch or a page that continues from before now gets 410. */
  compact(): void {
    this.store.compact();
    this.#pager.compact();
  }

  /** A bookmark to every watch that wants them; happens by itself every `bookmarkIntervalMs`. */
  sendBookmarks(): void {
    for (const stream of this.#streams) if (stream.wantsBookmarks) stream.bookmark();
  }

  /**
   * Creates objects without HTTP, with all defaults, allocations and checks; status is taken over too.
   * @returns the objects as they are stored.
   */
  seed(...objects: readonly KubeObject[]): KubeObject[] {
    return objects.map((object) => {
      const type = this.registry.ofKind(object.apiVersion, object.kind);
      if (!type) throw noSuchResource();
      const namespace = type.namespaced ? (object.metadata.namespace ?? 'default') : undefined;
      const { status } = object;
      const created = this.rest.create(type, namespace, structuredClone(object)).object;
      if (status === undefined || !type.status) return created;
      const make = (current: KubeObject): KubeObject => ({ ...current, status: structuredClone(status) });
      return this.rest.update(type, namespace, created.metadata.name, 'status', make).entry.object;
    });
  }

  /** Requests so far, by `verb resource`, such as `list services`. */
  get counts(): Map<string, number> {
    return this.#counts.byVerb;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.#answer(request, response);
      if (answer) send(response, answer);
    } catch (error) {
      if (response.destroyed) return;
      send(response, errorAnswer(error));
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> {
    const [path, search] = splitUrl(request.url ?? '/');
    const query = new URLSearchParams(search);
    const body = await readBody(request);
    const userAgent = request.headers['user-agent'];
    let target: ReturnType<typeof parseTarget>;
    let failure: unknown;
    try {
      target = parseTarget(path, this.registry);
    } catch (error) {
      failure = error;
    }
    const info: RequestInfo = target
      ? describeRequest(request.method!, target, query, userAgent)
      : { verb: request.method!.toLowerCase(), resource: path, ...(userAgent === undefined ? {} : { userAgent }) };
    this.#counts.add(info);
    this.emit('request', info);

    const fault = await this.faults.befall(info, request.socket);
    if (fault === 'cut') return undefined;
    if (failure) throw failure;
    const answer = target
      ? this.#handler.handle(request, response, target, query, body)
      : staticAnswer(request, path, this.registry, this.#openApi, this.#counts);
    if (fault === 'loseAnswer') {
      request.socket.destroy();
      return undefined;
    }
    return answer;
  }
}

function splitUrl(url: string): [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (request.method === 'GET' || request.method === 'HEAD') return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function errorAnswer(error: unknown): Answer {
  if (error instanceof ApiError) {
    const { retryAfterSeconds } = error.details;
    return {
      status: error.code,
      body: error.toStatus(),
      ...(retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(retryAfterSeconds) } }),
    };
  }
  // A mistake of this server: told to the client, and to whoever looks at stderr.
  console.error(error);
  const message = `Internal error occurred: ${(error as Error)?.message ?? String(error)}`;
  return { status: 500, body: new ApiError(500, 'InternalError', message).toStatus() };
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
    'content-length': bytes.length,
    ...headers,
  });
  response.end(bytes);
}
