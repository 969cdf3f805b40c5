/**
 * HTTP to one API server: keep-alive connections (undici), TLS with files that may change.
 *
 * - Requests share at most `maxConnections` connections, in order of arrival. Watches are not counted: each one
 *   occupies a connection for minutes and must never keep a request waiting.
 * - undici's pool and nothing else of it is loaded: its main file costs 80-115 ms at start, the pool 26 ms.
 * - Its parser is WebAssembly. V8 would compile that once more, optimized, as soon as it has run for a while, and take 35 MiB and half a
 *   second of processor time for it, in every thread that has a client; answers are not parsed measurably faster.
 * - A request that gets no byte before its deadline may have gone into a connection whose other end is gone without a
 *   FIN (half open). All idle connections are as suspect, so later requests get a new pool; the old one drains.
 */
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import type { Dispatcher } from 'undici';
import { closedError } from '../error.js';
import { Aborts } from './aborts.js';
import { connector, type TlsFiles } from './connector.js';
import { Deadlines } from './deadlines.js';
import {
  type Carrier,
  type Exchange,
  type HttpReply,
  type HttpRequest,
  RequestExchange,
  StreamExchange,
  type StreamReply,
  type StreamSink,
} from './exchange.js';
import { Fifo } from './fifo.js';

setFlagsFromString('--liftoff-only'); // the baseline compiler for WebAssembly; before undici compiles its parser
const Pool = createRequire(import.meta.url)('undici/lib/dispatcher/pool.js') as typeof import('undici').Pool;
type Pool = InstanceType<typeof Pool>;
type Kind = 'request' | 'stream';

export interface TransportOptions extends TlsFiles {
  /** `http://host:port` or `https://host:port` */
  server: string;
  socketPath?: string | undefined;
  /** Connections that requests (not watches) may use at once. */
  maxConnections?: number | undefined;
  connectTimeoutMs?: number;
}

/** A pool, and what exchanges tell of it. */
interface Lane extends Carrier {
  readonly pool: Pool;
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #origin: string;
  readonly #lanes: Record<Kind, Lane>;
  readonly #retired = new Set<Pool>();
  readonly #watchers = { deadlines: new Deadlines(), aborts: new Aborts() };
  #closed = false;
  #running = 0;
  /** Requests that wait for a connection, in order of arrival; some may be over. */
  readonly #waiting = new Fifo<Exchange>();
  readonly #maxConnections: number;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#origin = options.socketPath === undefined ? options.server : 'http://localhost';
    this.#maxConnections = options.maxConnections ?? 16;
    this.#lanes = { request: this.#newLane('request'), stream: this.#newLane('stream') };
  }

  /** Sends a request and reads the whole answer, whatever its status. Rejects with KubeError when there is none. */
  request(request: HttpRequest): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(new RequestExchange(request, this.#watchers, resolve, reject));
      this.#serve();
    });
  }

  /**
   * Sends a request whose answer never ends by itself. Resolves when its header is there.
   * `sink` hears from the body only if the answer is 2xx. The signal ends the stream (onEnd with FL_KUBE_ABORTED).
   */
  stream(request: HttpRequest, sink: StreamSink): Promise<StreamReply> {
    return new Promise((resolve, reject) => {
      this.#dispatch('stream', new StreamExchange(request, this.#watchers, sink, resolve, reject));
    });
  }

  /** Cuts all connections; whatever runs or waits fails with FL_KUBE_CLOSED. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#serve();
    const pools = [...Object.values(this.#lanes).map(({ pool }) => pool), ...this.#retired];
    await Promise.all(pools.map((pool) => pool.destroy(closedError())));
  }

  /** Whoever waits longest goes next, as long as there are connections. */
  #serve(): void {
    while (this.#running < this.#maxConnections || this.#closed) {
      const exchange = this.#waiting.shift();
      if (!exchange) return;
      this.#dispatch('request', exchange);
    }
  }

  #dispatch(kind: Kind, exchange: Exchange): void {
    const { method, path, headers, body = null, signal } = exchange.request;
    if (signal?.aborted) exchange.onAbort(signal);
    if (this.#closed) exchange.fail(closedError());
    if (exchange.done) return;
    const lane = this.#lanes[kind];
    exchange.carrier = lane;
    if (kind === 'request') this.#running++;
    lane.pool.dispatch({ method: method as Dispatcher.HttpMethod, path, headers, body }, exchange);
  }

  #newLane(kind: Kind): Lane {
    const lane = {
      pool: this.#newPool(kind),
      onSilence: () => this.#suspect(kind, lane),
      onEnd: () => {
        if (kind === 'stream') return;
        this.#running--;
        this.#serve();
      },
    };
    return lane;
  }

  #newPool(kind: Kind): Pool {
    const connectTimeoutMs = this.#options.connectTimeoutMs ?? 5_000;
    return new Pool(this.#origin, {
      connect: connector({ ...this.#options, connectTimeoutMs }),
      // With the gate in #serve at most a moment is spent in the pool's own queue: undici uses a connection again
      // one turn of the event loop after its last answer.
      connections: kind === 'request' ? this.#maxConnections : null,
      // undici closes idle connections after 4 s; a Lease renewed every 5 s would pay a TLS handshake each time.
      // The API server keeps them for 90 s.
      keepAliveTimeout: 60_000,
      keepAliveMaxTimeout: 90_000,
      headersTimeout: 0, // deadlines are ours, per request
      bodyTimeout: 0,
      pipelining: 1,
    });
  }

  #suspect(kind: Kind, lane: Lane): void {
    if (lane !== this.#lanes[kind] || this.#closed) return;
    this.#lanes[kind] = this.#newLane(kind);
    this.#retired.add(lane.pool);
    void lane.pool.close().finally(() => this.#retired.delete(lane.pool));
  }
}
