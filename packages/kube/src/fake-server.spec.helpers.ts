/**
 * A scripted HTTP server for the specs of this package: every request is given to the test, which answers it, late,
 * wrongly or never. Awaiting the next request replaces sleeping.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export class FakeRequest {
  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly body: string,
  ) {}

  get method(): string {
    return this.request.method ?? '';
  }

  get url(): URL {
    return new URL(this.request.url ?? '/', 'http://fake');
  }

  get query(): Record<string, string> {
    return Object.fromEntries(this.url.searchParams);
  }

  get isWatch(): boolean {
    return this.query.watch === 'true';
  }

  get socket(): Socket {
    return this.request.socket;
  }

  /** The client went away (aborted, or closed its connection). */
  get closed(): Promise<unknown> {
    return this.response.closed ? Promise.resolve() : once(this.response, 'close');
  }

  reply(status: number, body: unknown, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, { 'content-type': 'application/json', ...headers });
    this.response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  /** A metav1.Status with that code. */
  refuse(code: number, reason: string, headers: Record<string, string> = {}): void {
    this.reply(code, { kind: 'Status', status: 'Failure', code, reason, message: `fake ${reason}` }, headers);
  }

  list(items: unknown[], resourceVersion = '100', next?: string): void {
    this.reply(200, { kind: 'List', metadata: { resourceVersion, continue: next }, items });
  }

  /** Begins a watch; its events follow with `send`. */
  open(): this {
    this.response.writeHead(200, { 'content-type': 'application/json' });
    this.response.flushHeaders();
    return this;
  }

  send(type: string, object: unknown): this {
    this.response.write(`${JSON.stringify({ type, object })}\n`);
    return this;
  }

  end(): void {
    this.response.end();
  }
}

export class FakeServer {
  readonly requests: FakeRequest[] = [];
  #server = createServer();
  readonly #unseen: FakeRequest[] = [];
  readonly #waiting: ((request: FakeRequest) => void)[] = [];
  connections = 0;

  /** @param where a port of its own by default; a unix socket's path; or where an earlier one was */
  static async start(
    where: string | { host: string; port: number } = { host: '127.0.0.1', port: 0 },
  ): Promise<FakeServer> {
    const server = new FakeServer();
    server.#server.on('connection', () => server.connections++);
    server.#server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => server.#arrived(new FakeRequest(request, response, Buffer.concat(chunks).toString())));
    });
    server.#server.listen(where);
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next request that no one has asked for yet, in order of arrival. */
  next(): Promise<FakeRequest> {
    const request = this.#unseen.shift();
    if (request) return Promise.resolve(request);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #arrived(request: FakeRequest): void {
    this.requests.push(request);
    const waiting = this.#waiting.shift();
    if (waiting) waiting(request);
    else this.#unseen.push(request);
  }
}

export function service(name: string, resourceVersion: string, uid = `uid-${name}`) {
  return { metadata: { namespace: 'default', name, uid, resourceVersion, managedFields: [{ manager: 'x' }] } };
}
