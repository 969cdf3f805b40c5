/**
 * The verbs of the Kubernetes API on plain objects.
 *
 * Every call has a deadline, takes an AbortSignal and rejects with a KubeError. A request that the server turned away
 * with Retry-After (429, or 5xx: it was not executed) is sent again after that time, as long as its deadline allows.
 * Nothing else is retried here: after a lost connection only the caller knows what sending twice would do.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { ClientConfig } from './config.js';
import { errorFromReply, isKubeError, KubeError } from './error.js';
import type { HttpReply } from './http/exchange.js';
import { Transport } from './http/transport.js';
import type { KubeList, KubeListPage, KubeObject, ObjectKey, WatchEvent } from './objects.js';
import { apiVersionOf, collectionPath, objectPath, type Resource } from './resources.js';
import { watchStream } from './watch/watch-stream.js';

export interface CallOptions {
  signal?: AbortSignal;
  /** Deadline of the whole call, with its retries. */
  timeoutMs?: number;
}

export interface Scope {
  /** All namespaces when left out. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ListOptions extends Scope, CallOptions {
  /** Objects fetched per request; `list` returns all pages nevertheless. The deadline is per page. */
  limit?: number;
}

export interface ListAllOptions<T> extends ListOptions {
  /** What is kept of an object; may change and return the same one. Default: all of it. */
  transform?: (object: T) => T;
}

export interface ListPageOptions extends ListOptions {
  continue?: string;
}

export interface WatchOptions extends Scope {
  signal?: AbortSignal;
  /** Deadline for the server to begin its answer. */
  timeoutMs?: number;
  resourceVersion?: string;
  /** The server ends the watch after this time. */
  timeoutSeconds?: number;
  /** Default true. */
  bookmarks?: boolean;
  /** A watch on which nothing was heard for so long is given up with FL_KUBE_TIMEOUT (half-open connection). */
  idleTimeoutMs?: number;
  /** Changes to versions that the caller knows already come as bookmarks: nobody has to parse them. */
  isKnown?: (resourceVersion: string) => boolean;
}

export interface WriteOptions extends CallOptions {
  fieldManager?: string;
  dryRun?: boolean;
}

export interface PatchOptions extends WriteOptions {
  /** merge: RFC 7386; json: RFC 6902; apply: server-side apply (needs fieldManager). */
  type: 'merge' | 'json' | 'strategic' | 'apply';
  subresource?: string | undefined;
  /** apply only: take over fields that another manager owns. */
  force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  gracePeriodSeconds?: number;
  /** Delete only this very object. */
  preconditions?: { uid?: string; resourceVersion?: string };
}

/** What consumers depend on: a fake for tests implements as much of it as they use (`Pick<KubeApi, 'get'>`). */
export interface KubeApi {
  get<T extends KubeObject>(resource: Resource, key: ObjectKey, options?: CallOptions): Promise<T>;
  list<T extends KubeObject>(resource: Resource, options?: ListAllOptions<T>): Promise<KubeList<T>>;
  create<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>;
  update<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>;
  updateStatus<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(resource: Resource, key: ObjectKey, body: unknown, options: PatchOptions): Promise<T>;
  delete(resource: Resource, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  watch<T extends KubeObject>(resource: Resource, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** The page size of kubectl and client-go. */
const DEFAULT_PAGE = 500;
const MAX_ATTEMPTS = 5;
const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

type Query = Record<string, string | number | boolean | undefined>;
type Headers = Record<string, string>;

export class KubeClient implements KubeApi {
  readonly #config: ClientConfig;
  readonly #transport: Transport;
  /** Path before `/api`, for API servers behind a proxy. */
  readonly #prefix: string;
  readonly #headersByType = new Map<string | undefined, Headers>();

  constructor(config: ClientConfig) {
    this.#config = config;
    const url = new URL(config.server);
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#transport = new Transport({
      server: url.origin,
      socketPath: config.socketPath,
      maxConnections: config.maxConnections,
      ca: config.ca,
      caFile: config.caFile,
      cert: config.clientCert,
      certFile: config.clientCertFile,
      key: config.clientKey,
      keyFile: config.clientKeyFile,
      serverName: config.serverName,
      insecure: config.insecureSkipTlsVerify,
    });
  }

  get<T extends KubeObject>(resource: Resource, key: ObjectKey, options: CallOptions = {}): Promise<T> {
    return this.#call<T>('GET', objectPath(resource, key), {}, undefined, options);
  }

  /**
   * All objects, fetched in pages. The server makes the next page while this one is transformed.
   * @see listPage for one page at a time
   */
  async list<T extends KubeObject>(resource: Resource, options: ListAllOptions<T> = {}): Promise<KubeList<T>> {
    const { transform = (object) => object, ...pageOptions } = options;
    const items: T[] = [];
    let page = await this.listPage<T>(resource, pageOptions);
    for (;;) {
      const { resourceVersion, continue: token } = page;
      const next = token === undefined ? undefined : this.listPage<T>(resource, { ...pageOptions, continue: token });
      next?.catch(() => {}); // it is waited for below, unless `transform` throws
      await turn(); // the request is on its way
      for (const item of page.items) items.push(transform(item));
      if (!next) return { resourceVersion, items };
      try {
        page = await next;
      } catch (error) {
        // The token of the next page has expired (etcd compaction): the only consistent way on is all at once.
        if (!isKubeError(error, 'FL_KUBE_GONE')) throw error;
        const all = await this.listPage<T>(resource, { ...pageOptions, limit: 0 });
        return { ...all, items: all.items.map((item) => transform(item)) };
      }
    }
  }

  async listPage<T extends KubeObject>(resource: Resource, options: ListPageOptions = {}): Promise<KubeListPage<T>> {
    const { namespace, labelSelector, fieldSelector, limit = DEFAULT_PAGE } = options;
    const query = { labelSelector, fieldSelector, limit: limit || undefined, continue: options.continue };
    const path = collectionPath(resource, namespace);
    const list = await this.#call<WireList<T>>('GET', path, query, undefined, options);
    const apiVersion = apiVersionOf(resource);
    const items = list.items ?? [];
    // In lists the server leaves them out; here an object is the same wherever it came from.
    for (const item of items) {
      item.apiVersion = apiVersion;
      item.kind = resource.kind;
    }
    const page: KubeListPage<T> = { resourceVersion: list.metadata?.resourceVersion ?? '', items };
    if (list.metadata?.continue) page.continue = list.metadata.continue;
    return page;
  }

  create<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    const namespace = object.metadata?.namespace;
    if (resource.namespaced && !namespace) throw new TypeError(`a ${resource.kind} needs metadata.namespace`);
    return this.#call<T>('POST', collectionPath(resource, namespace), writeQuery(options), object, options);
  }

  /** Replaces the object; with its resourceVersion only if it has not changed since (FL_KUBE_CONFLICT). */
  update<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    return this.#call<T>('PUT', objectPath(resource, keyOfBody(object)), writeQuery(options), object, options);
  }

  updateStatus<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    return this.#call<T>(
      'PUT',
      objectPath(resource, keyOfBody(object), 'status'),
      writeQuery(options),
      object,
      options,
    );
  }

  patch<T extends KubeObject>(resource: Resource, key: ObjectKey, body: unknown, options: PatchOptions): Promise<T> {
    const { fieldManager, dryRun, force } = options;
    const query: Query = { fieldManager, dryRun: dryRun ? 'All' : undefined, force: force || undefined };
    const path = objectPath(resource, key, options.subresource);
    return this.#call<T>('PATCH', path, query, body, options, PATCH_TYPES[options.type]);
  }

  async delete(resource: Resource, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const { propagationPolicy, gracePeriodSeconds, preconditions } = options;
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy, gracePeriodSeconds, preconditions };
    await this.#call('DELETE', objectPath(resource, key), {}, body, options);
  }

  /**
   * Changes as they happen. Ends when the server ends the watch (normal, after minutes); throws KubeError when it
   * breaks, FL_KUBE_GONE when `resourceVersion` is too old. Leaving the loop closes the connection.
   */
  watch<T extends KubeObject>(resource: Resource, options: WatchOptions = {}): AsyncIterable<WatchEvent<T>> {
    const { namespace, labelSelector, fieldSelector, resourceVersion, timeoutSeconds } = options;
    const allowWatchBookmarks = options.bookmarks ?? true;
    const query = { watch: true, labelSelector, fieldSelector, resourceVersion, timeoutSeconds, allowWatchBookmarks };
    const path = this.#prefix + withQuery(collectionPath(resource, namespace), query);
    const timeoutMs = options.timeoutMs ?? this.#config.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    return watchStream<T>({
      transport: this.#transport,
      what: `GET ${path}`,
      request: async (signal) => ({ method: 'GET', path, headers: await this.#headers(), signal, timeoutMs }),
      signal: options.signal,
      idleTimeoutMs: options.idleTimeoutMs,
      isKnown: options.isKnown,
    });
  }

  /** A request to any path (`/version`, `/readyz?verbose`), without retries; for what has no resource. */
  async raw(method: string, path: string, options: CallOptions = {}): Promise<HttpReply> {
    const headers = await this.#headers();
    return this.#transport.request({ method, path: this.#prefix + path, headers, ...this.#limits(options) });
  }

  /** Cuts all connections; running calls reject with FL_KUBE_CLOSED. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  async #call<T>(
    method: string,
    path: string,
    query: Query,
    body: unknown,
    options: CallOptions,
    contentType = body === undefined ? undefined : 'application/json',
  ): Promise<T> {
    const { signal, timeoutMs } = this.#limits(options);
    const target = withQuery(path, query);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const deadline = performance.now() + timeoutMs;
    for (let attempt = 1; ; attempt++) {
      const headers = this.#fixedHeaders(contentType) ?? (await this.#headers(contentType));
      const remaining = Math.max(1, deadline - performance.now());
      const request = { method, path: this.#prefix + target, headers, body: text, signal, timeoutMs: remaining };
      const reply = await this.#transport.request(request);
      if (reply.status < 400) return parseReply(method, target, reply) as T;
      const what = `${method} ${target}`;
      const error = errorFromReply(what, reply);
      const retryable = error.status === 429 || error.status >= 500;
      const retryAt = performance.now() + (error.retryAfterMs ?? Number.POSITIVE_INFINITY);
      if (!retryable || retryAt >= deadline || attempt === MAX_ATTEMPTS) throw error;
      try {
        await sleep(error.retryAfterMs, undefined, { signal });
      } catch (cause) {
        throw new KubeError({ code: 'FL_KUBE_ABORTED', message: `${what}: aborted while waiting to retry`, cause });
      }
    }
  }

  #limits(options: CallOptions): { signal: AbortSignal | undefined; timeoutMs: number } {
    return { signal: options.signal, timeoutMs: options.timeoutMs ?? this.#config.timeoutMs ?? DEFAULT_TIMEOUT_MS };
  }

  /** The same object for all requests with this type of body; undefined when there are credentials to ask for. */
  #fixedHeaders(contentType: string | undefined): Headers | undefined {
    const { authorization, token } = this.#config;
    if (authorization || token) return undefined;
    let headers = this.#headersByType.get(contentType);
    if (!headers) {
      headers = this.#plainHeaders(contentType);
      this.#headersByType.set(contentType, headers);
    }
    return headers;
  }

  async #headers(contentType?: string): Promise<Headers> {
    const headers = this.#plainHeaders(contentType);
    const { authorization, token } = this.#config;
    const bearer = authorization ? undefined : await token?.();
    const value = authorization ? await authorization() : bearer && `Bearer ${bearer}`;
    if (value) headers.authorization = value;
    return headers;
  }

  #plainHeaders(contentType: string | undefined): Headers {
    const headers: Headers = { accept: 'application/json', 'user-agent': this.#config.userAgent ?? 'fairlead' };
    if (contentType !== undefined) headers['content-type'] = contentType;
    return headers;
  }
}

interface WireList<T> {
  metadata?: { resourceVersion?: string; continue?: string };
  items?: T[] | null;
}

function parseReply(method: string, target: string, reply: HttpReply): unknown {
  try {
    return JSON.parse(reply.body.toString('utf8'));
  } catch (cause) {
    const message = `${method} ${target}: the answer is not JSON: ${(cause as Error).message}; is this an API server?`;
    throw new KubeError({ code: 'FL_KUBE_BAD_REPLY', status: reply.status, message, cause });
  }
}

function keyOfBody(object: KubeObject): ObjectKey {
  return { namespace: object.metadata?.namespace, name: object.metadata?.name ?? '' };
}

function writeQuery({ fieldManager, dryRun }: WriteOptions): Query {
  return { fieldManager, dryRun: dryRun ? 'All' : undefined };
}

function withQuery(path: string, query: Query): string {
  const parameters: [string, string][] = [];
  for (const name in query) {
    const value = query[name];
    if (value !== undefined && value !== '') parameters.push([name, String(value)]);
  }
  return parameters.length === 0 ? path : `${path}?${new URLSearchParams(parameters)}`;
}
