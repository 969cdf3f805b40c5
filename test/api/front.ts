/**
 * A proxy before a real API server that behaves towards a spec like the lab's server: it makes faults on order, counts
 * requests, breaks watches. It authenticates towards the server, and notes what is created through it, so that exactly
 * this can be removed.
 */
import { EventEmitter } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { ClientConfig, KubeObject, Resource } from '@fairlead/kube';
import { ApiError, Faults, type RequestInfo } from '@fairlead/lab';

/** What a spec may do to its API server. */
export interface TestServer {
  readonly faults: Faults;
  /** Requests so far, by `verb resource`. */
  readonly counts: Map<string, number>;
  readonly watchCount: number;
  on(event: 'request', listener: (request: RequestInfo) => void): unknown;
  listen(address: { host: string; port: number }): Promise<{ url: string }>;
  endWatches(options?: { abrupt?: boolean }): void;
  close(): Promise<void>;
}

/** Something that was created through the proxy. */
export interface Creation {
  resource: Resource;
  object: KubeObject;
}

interface Target {
  resource: Resource;
  info: RequestInfo;
}

const VERBS: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
/** These belong to one connection, or are the proxy's to say. */
const OWN_HEADERS = ['host', 'connection', 'authorization', 'accept-encoding', 'content-length', 'transfer-encoding'];

export class Front extends EventEmitter<{ request: [RequestInfo] }> implements TestServer {
  readonly faults = new Faults();
  readonly counts = new Map<string, number>();
  readonly #config: ClientConfig;
  readonly #onClose: (created: Creation[]) => Promise<void>;
  readonly #created: Creation[] = [];
  readonly #watches = new Map<ServerResponse, IncomingMessage>();
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer({ keepAliveTimeout: 90_000, requestTimeout: 0 }, (request, response) => {
    this.#serve(request, response).catch((error: Error) => {
      if (error instanceof ApiError) refuse(response, error);
      else response.destroy(error);
    });
  });

  /** @param onClose removes what was created */
  constructor(config: ClientConfig, onClose: (created: Creation[]) => Promise<void>) {
    super();
    this.#config = config;
    this.#onClose = onClose;
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  async listen(address: { host: string; port: number }): Promise<{ url: string }> {
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server.listen(address, resolve));
    return { url: `http://${address.host}:${(this.#server.address() as AddressInfo).port}` };
  }

  endWatches({ abrupt = false }: { abrupt?: boolean } = {}): void {
    for (const [response, upstream] of this.#watches) {
      this.#watches.delete(response);
      upstream.unpipe(response);
      upstream.destroy();
      if (abrupt) response.destroy();
      else response.end();
    }
  }

  async close(): Promise<void> {
    this.faults.clear();
    this.endWatches();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await this.#onClose(this.#created.splice(0));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { info, resource } = targetOf(request);
    const counter = `${info.verb} ${info.resource}`;
    this.counts.set(counter, (this.counts.get(counter) ?? 0) + 1);
    this.emit('request', info);
    const fault = await this.faults.befall(info, request.socket);
    if (fault === 'cut') return;
    const upstream = await this.#forward(request, body, info.verb === 'watch' ? response : undefined);
    const headers = Object.entries(upstream.headers).filter(([name]) => !OWN_HEADERS.includes(name));
    if (info.verb === 'watch' && upstream.statusCode === 200) {
      response.writeHead(200, Object.fromEntries(headers));
      response.flushHeaders();
      this.#watches.set(response, upstream);
      response.on('close', () => this.#watches.delete(response));
      upstream.on('error', () => response.destroy());
      upstream.pipe(response);
      return;
    }
    const answer = await buffer(upstream);
    if (upstream.statusCode === 201 && !info.resource.includes('/')) {
      this.#created.push({ resource, object: JSON.parse(answer.toString()) as KubeObject });
    }
    if (fault === 'loseAnswer') {
      request.socket.destroy();
      return;
    }
    response.writeHead(upstream.statusCode!, { ...Object.fromEntries(headers), 'content-length': answer.length });
    response.end(answer);
  }

  /** @param watcher takes the request to the server down with it */
  async #forward(request: IncomingMessage, body: Buffer, watcher?: ServerResponse): Promise<IncomingMessage> {
    const { server, socketPath, ca, clientCert, clientKey, serverName, insecureSkipTlsVerify } = this.#config;
    const url = new URL(server.replace(/\/+$/, '') + request.url);
    const headers: Record<string, string | string[] | number> = { 'content-length': body.length };
    for (const [name, value] of Object.entries(request.headers)) {
      if (value !== undefined && !OWN_HEADERS.includes(name)) headers[name] = value;
    }
    const token = await this.#config.token?.();
    const authorization = (await this.#config.authorization?.()) ?? (token && `Bearer ${token}`);
    if (authorization) headers.authorization = authorization;
    const options = {
      method: request.method!,
      headers,
      ...(socketPath && { socketPath }),
      ...(ca && { ca }),
      ...(clientCert && { cert: clientCert }),
      ...(clientKey && { key: clientKey }),
      ...(serverName && { servername: serverName }),
      ...(insecureSkipTlsVerify && { rejectUnauthorized: false }),
    };
    return new Promise((resolve, reject) => {
      const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, resolve);
      sent.on('error', reject);
      watcher?.on('close', () => sent.destroy());
      sent.end(body);
    });
  }
}

/** What the request is about: `/api/v1/namespaces/NS/services/NAME/status`, `/apis/GROUP/VERSION/PLURAL`. */
export function targetOf({ method, url, headers }: IncomingMessage): Target {
  const { pathname, searchParams } = new URL(url!, 'http://localhost');
  const userAgent = headers['user-agent'];
  const parts = pathname.split('/').slice(1).map(decodeURIComponent);
  const [group, version, ...path] = parts[0] === 'api' ? ['', ...parts.slice(1)] : parts.slice(1);
  const isIn = path[0] === 'namespaces' && path.length > 2 && !['status', 'finalize'].includes(path[2]!);
  const [plural = '', name, subresource] = isIn ? path.slice(2) : path;
  const resource = { group: group!, version: version ?? '', plural, kind: '', namespaced: isIn };
  const isWatch = ['true', '1'].includes(searchParams.get('watch') ?? '');
  const read = isWatch ? 'watch' : name === undefined ? 'list' : 'get';
  const info: RequestInfo = {
    verb: VERBS[method!] ?? read,
    resource: `${plural}${group ? `.${group}` : ''}${subresource ? `/${subresource}` : ''}`,
    ...(isIn && { namespace: path[1]! }),
    ...(name !== undefined && { name }),
    ...(userAgent !== undefined && { userAgent }),
  };
  return { info, resource };
}

/** Answers as an API server does that refuses. */
export function refuse(response: ServerResponse, error: ApiError): void {
  const { retryAfterSeconds } = error.details;
  response.writeHead(error.code, {
    'content-type': 'application/json',
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  });
  response.end(JSON.stringify(error.toStatus()));
}
