/**
 * HTTP to one API server: keep-alive connections (undici), deadlines, abort, TLS with files that may change.
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
import { connector, type TlsFiles } from './connector.js';
import { KubeError } from './error.js';

setFlagsFromString('--liftoff-only'); // the baseline compiler for WebAssembly; before undici compiles its parser
const Pool = createRequire(import.meta.url)('undici/lib/dispatcher/pool.js') as typeof import('undici').Pool;
type Pool = InstanceType<typeof Pool>;
type Kind = 'request' | 'stream';

export interface TransportOptions extends TlsFiles {
  /** `http://host:port` or `https://host:port` */
  server: string;
  socketPath?: string;
  /** Connections that requests (not watches) may use at once. */
  maxConnections?: number;
  connectTimeoutMs?: number;
}

export interface HttpRequest {
  method: string;
  /** With query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
  /** From now until the whole answer is there (request), or until its header is there (stream). */
  timeoutMs: number;
}

export interface HttpReply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** Control over a running stream. */
export interface StreamControl {
  pause(): void;
  resume(): void;
}

export interface StreamSink {
  onData(chunk: Buffer): void;
  /** The answer is complete (no argument) or broken. Called once, after which nothing else is. */
  onEnd(error?: KubeError): void;
}

export type StreamReply =
  | { ok: true; control: StreamControl }
  /** The server refused; the body was read. */
  | { ok: false; reply: HttpReply };

export class Transport {
  readonly #options: TransportOptions;
  readonly #origin: string;
  readonly #pools: Record<Kind, Pool>;
  readonly #retired = new Set<Pool>();
  #closed = false;
  #running = 0;
  /** Requests that wait for a connection, in order of arrival. */
  readonly #waiting = new Set<() => void>();
  readonly #maxConnections: number;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#origin = options.socketPath === undefined ? options.server : 'http://localhost';
    this.#maxConnections = options.maxConnections ?? 16;
    this.#pools = { request: this.#newPool('request'), stream: this.#newPool('stream') };
  }

  /** Sends a request and reads the whole answer, whatever its status. Rejects with KubeError when there is none. */
  async request(request: HttpRequest): Promise<HttpReply> {
    const deadline = performance.now() + request.timeoutMs;
    await this.#acquire(request);
    try {
      return await this.#exchange({ ...request, timeoutMs: Math.max(1, deadline - performance.now()) });
    } finally {
      this.#running--;
      const next = this.#waiting.values().next();
      if (!next.done) next.value();
    }
  }

  /**
   * Sends a request whose answer never ends by itself. Resolves when its header is there.
   * `sink` hears from the body only if the answer is 2xx. The signal ends the stream (onEnd with FL_KUBE_ABORTED).
   */
  stream(request: HttpRequest, sink: StreamSink): Promise<StreamReply> {
    return new Promise((resolve, reject) => {
      let opened = false;
      const chunks: Buffer[] = [];
      this.#dispatch('stream', request, {
        onHeader: (status, control, disarm) => {
          if (status < 200 || status >= 300) return;
          disarm();
          opened = true;
          resolve({ ok: true, control });
        },
        onData: (chunk) => {
          if (opened) sink.onData(chunk);
          else chunks.push(chunk);
        },
        onEnd: (status, headers) => {
          if (opened) sink.onEnd();
          else resolve({ ok: false, reply: { status, headers, body: Buffer.concat(chunks) } });
        },
        onError: (error) => {
          if (opened) sink.onEnd(error);
          else reject(error);
        },
      });
    });
  }

  /** Cuts all connections; whatever runs or waits fails with FL_KUBE_CLOSED. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const wake of [...this.#waiting]) wake();
    const reason = closedError();
    await Promise.all([...Object.values(this.#pools), ...this.#retired].map((pool) => pool.destroy(reason)));
  }

  #exchange(request: HttpRequest): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      this.#dispatch('request', request, {
        onHeader: () => {},
        onData: (chunk) => chunks.push(chunk),
        onEnd: (status, headers) =>
          resolve({ status, headers, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }),
        onError: reject,
      });
    });
  }

  #dispatch(kind: Kind, request: HttpRequest, events: ExchangeEvents): void {
    const pool = this.#pools[kind];
    const what = `${request.method} ${request.path}`;
    if (this.#closed) {
      events.onError(closedError());
      return;
    }
    const handler = new ExchangeHandler(what, request, events, () => this.#suspect(kind, pool));
    if (handler.done) return;
    pool.dispatch(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: request.path,
        headers: request.headers,
        body: request.body ?? null,
      },
      handler,
    );
  }

  #newPool(kind: Kind): Pool {
    const connectTimeoutMs = this.#options.connectTimeoutMs ?? 5_000;
    return new Pool(this.#origin, {
      connect: connector({ ...this.#options, connectTimeoutMs }),
      // With the gate in #acquire at most a moment is spent in the pool's own queue: undici uses a connection again
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

  #suspect(kind: Kind, pool: Pool): void {
    if (pool !== this.#pools[kind] || this.#closed) return;
    this.#pools[kind] = this.#newPool(kind);
    this.#retired.add(pool);
    void pool.close().finally(() => this.#retired.delete(pool));
  }

  #acquire({ signal, timeoutMs, method, path }: HttpRequest): Promise<void> {
    const what = `${method} ${path}`;
    if (this.#closed) return Promise.reject(closedError());
    if (signal?.aborted) return Promise.reject(abortedError(what, signal));
    if (this.#running < this.#maxConnections) {
      this.#running++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(wake);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const wake = () => {
        leave();
        if (this.#closed) return reject(closedError());
        this.#running++;
        resolve();
      };
      const onAbort = () => {
        leave();
        reject(abortedError(what, signal!));
      };
      const timer = setTimeout(() => {
        leave();
        reject(timeoutError(what, timeoutMs, 'all connections were busy'));
      }, timeoutMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(wake);
    });
  }
}

interface ExchangeEvents {
  onHeader(status: number, control: StreamControl, disarm: () => void): void;
  onData(chunk: Buffer): void;
  onEnd(status: number, headers: HttpReply['headers']): void;
  onError(error: KubeError): void;
}

/** One request with its deadline and abort signal; tells its caller about the end exactly once, and at once. */
class ExchangeHandler implements Dispatcher.DispatchHandler {
  done = false;
  #controller: Dispatcher.DispatchController | undefined;
  #failure: KubeError | undefined;
  #heard = false;
  #status = 0;
  #headers: HttpReply['headers'] = {};
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort: () => void;

  constructor(
    readonly what: string,
    readonly request: HttpRequest,
    readonly events: ExchangeEvents,
    onSilence: () => void,
  ) {
    const { signal, timeoutMs } = request;
    this.#onAbort = () => this.#fail(abortedError(what, signal!));
    if (signal?.aborted) {
      this.#fail(abortedError(what, signal));
      return;
    }
    this.#timer = setTimeout(() => {
      if (!this.#heard) onSilence();
      this.#fail(timeoutError(what, timeoutMs, this.#heard ? 'the answer was not complete' : 'no answer'));
    }, timeoutMs);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Ends the exchange for the caller now, and for undici as soon as it has given us the means. */
  #fail(error: KubeError): void {
    if (this.done) return;
    this.#finish();
    this.#failure = error;
    this.#controller?.abort(error);
    this.events.onError(error);
  }

  #finish(): void {
    this.done = true;
    clearTimeout(this.#timer);
    this.request.signal?.removeEventListener('abort', this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure) controller.abort(this.#failure);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.done || status < 200) return;
    this.#heard = true;
    this.#status = status;
    this.#headers = headers;
    this.events.onHeader(status, controller, () => clearTimeout(this.#timer));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.done) this.events.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.done) return;
    this.#finish();
    this.events.onEnd(this.#status, this.#headers);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.done) return;
    this.#finish();
    this.events.onError(error instanceof KubeError ? error : networkError(this.what, error));
  }
}

function abortedError(what: string, signal: AbortSignal): KubeError {
  return new KubeError({ code: 'FL_KUBE_ABORTED', message: `${what}: aborted by the caller`, cause: signal.reason });
}

function timeoutError(what: string, timeoutMs: number, detail: string): KubeError {
  const message = `${what}: ${detail} within ${Math.round(timeoutMs)} ms; is the API server reachable and not overloaded?`;
  return new KubeError({ code: 'FL_KUBE_TIMEOUT', message, reason: 'Timeout' });
}

function closedError(): KubeError {
  return new KubeError({ code: 'FL_KUBE_CLOSED', message: 'the Kubernetes client was closed', reason: 'Closed' });
}

function networkError(what: string, cause: Error): KubeError {
  // An AggregateError (several addresses tried) has its text in its parts only.
  const causes: Error[] = cause instanceof AggregateError ? cause.errors : [cause];
  const text = causes.map((part) => part.message).join(', ');
  const reason = String((cause as NodeJS.ErrnoException).code ?? cause.name);
  const message = `${what}: no answer: ${text || reason}; is the API server up and reachable from here?`;
  return new KubeError({ code: 'FL_KUBE_NETWORK', message, reason, cause });
}
