/** From one HTTP request to one answer: reads the target and the options, calls the verb, shows the result in the form asked for. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, badRequest, methodNotAllowed, tooLargeResourceVersion } from './errors.js';
import type { RequestInfo } from './faults.js';
import { listJson, listMetadata, type Page, type Pager } from './lists.js';
import { formOf, parseBody } from './negotiate.js';
import { parsePatch } from './patches/patch.js';
import { booleanParameter, numberParameter, type Target } from './request.js';
import type { DeleteOptions, Rest, WriteOptions } from './rest.js';
import { parseFieldSelector, parseLabelSelector, type Selection } from './selectors.js';
import type { Entry } from './store.js';
import { partialOf, type TableOptions, tableOf } from './table.js';
import { isObject, type JsonObject, type WallClock } from './types.js';
import { WatchStream } from './watch.js';

export interface Answer {
  status: number;
  body: Buffer | JsonObject;
  headers?: Record<string, string | string[]>;
}

export interface HandlerOptions {
  rest: Rest;
  pager: Pager;
  now: WallClock;
  random: () => number;
  /** Bytes that may wait for a slow watcher. */
  watchBufferBytes: number;
  /** A watch without timeoutSeconds ends after this time to twice this time. */
  watchTimeoutMs: number;
  /** Streams that are open, for bookmarks and faults. */
  streams: Set<WatchStream>;
}

/** The verb of a request on a resource, as audit logs and RBAC name it. */
export function verbOf(method: string, target: Target, query: URLSearchParams): string {
  switch (method) {
    case 'GET':
      if (booleanParameter(query, 'watch')) return 'watch';
      return target.name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return target.name === undefined ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}

export function describeRequest(
  method: string,
  target: Target,
  query: URLSearchParams,
  userAgent?: string,
): RequestInfo {
  const { type, namespace, name, subresource } = target;
  const resource = type.group === '' ? type.plural : `${type.plural}.${type.group}`;
  return {
    verb: verbOf(method, target, query),
    resource: subresource === '' ? resource : `${resource}/${subresource}`,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(userAgent === undefined ? {} : { userAgent }),
  };
}

export class ResourceHandler {
  constructor(private readonly options: HandlerOptions) {}

  /** Undefined: the answer is a stream, which has begun. */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    query: URLSearchParams,
    body: Buffer,
  ): Answer | undefined {
    const { name } = target;
    switch (verbOf(request.method!, target, query)) {
      case 'get':
        return this.#get(request, target, query);
      case 'list':
        return this.#list(request, target, query);
      case 'watch':
        this.#watch(request, response, target, query);
        return undefined;
      case 'create':
        if (name !== undefined) throw methodNotAllowed();
        return this.#create(request, target, query, body);
      case 'update':
      case 'patch':
        if (name === undefined) throw methodNotAllowed();
        return this.#update(request, { ...target, name }, query, body);
      case 'delete':
        if (target.subresource !== '') throw methodNotAllowed();
        return this.#delete(request, { ...target, name: name! }, query, body);
      case 'deletecollection':
        return this.#deleteCollection(target, query, body);
      default:
        throw methodNotAllowed();
    }
  }

  #get(request: IncomingMessage, { type, namespace, name }: Target, query: URLSearchParams): Answer {
    this.#checkRevision(numberParameter(query, 'resourceVersion'));
    return this.#show(request, 200, type, this.options.rest.get(type, namespace, name!), query);
  }

  #list(request: IncomingMessage, target: Target, query: URLSearchParams): Answer {
    const { rest, pager, now } = this.options;
    const { type } = target;
    const wanted = numberParameter(query, 'resourceVersion');
    this.#checkRevision(wanted);
    const limit = numberParameter(query, 'limit');
    const token = query.get('continue');
    const selection = selectionOf(target, query);
    let page: Page;
    if (token) page = pager.next(type.collection, token, limit);
    else {
      const { revision } = rest.store;
      if (query.get('resourceVersionMatch') === 'Exact' && wanted !== revision) {
        throw new ApiError(
          410,
          'Expired',
          `The resourceVersion for the provided list is too old: ${wanted}, current: ${revision}`,
        );
      }
      page = pager.first(type.collection, rest.collection(type).select(selection), revision, limit);
    }
    const form = formOf(request.headers.accept);
    if (form === 'plain') return { status: 200, body: listJson(type, page) };
    const objects = page.entries.map((entry) => entry.object);
    if (form === 'table') {
      return {
        status: 200,
        body: tableOf(type, objects, listMetadata(page), { nowMs: now(), include: includeOf(query) }),
      };
    }
    return {
      status: 200,
      body: {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata: listMetadata(page),
        items: objects.map(partialOf),
      },
    };
  }

  #watch(request: IncomingMessage, response: ServerResponse, target: Target, query: URLSearchParams): void {
    const { rest, now, random, streams, watchBufferBytes, watchTimeoutMs } = this.options;
    const { type, name } = target;
    const selection = selectionOf(target, query);
    if (name !== undefined)
      selection.fields = [...selection.fields, { path: 'metadata.name', equal: true, value: name }];
    const since = numberParameter(query, 'resourceVersion');
    const initial = booleanParameter(query, 'sendInitialEvents');
    if (initial && query.get('resourceVersionMatch') !== 'NotOlderThan') {
      throw badRequest('sendInitialEvents needs resourceVersionMatch=NotOlderThan');
    }
    const seconds = numberParameter(query, 'timeoutSeconds');
    const fromNow = initial || since === undefined || since === 0;
    try {
      const stream: WatchStream = new WatchStream(response, {
        type,
        collection: rest.collection(type),
        selection,
        form: formOf(request.headers.accept),
        include: includeOf(query),
        since: fromNow ? undefined : since,
        markInitial: initial,
        bookmarks: booleanParameter(query, 'allowWatchBookmarks'),
        timeoutMs: seconds ? seconds * 1000 : watchTimeoutMs * (1 + random()),
        bufferBytes: watchBufferBytes,
        now,
        revision: () => rest.store.revision,
        onEnd: () => streams.delete(stream),
      });
      streams.add(stream);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 410) throw error;
      // A stream that cannot start where it should begins, and tells so, as the real server's watch cache does.
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ type: 'ERROR', object: error.toStatus() })}\n`);
    }
  }

  #create(
    request: IncomingMessage,
    { type, namespace, subresource }: Target,
    query: URLSearchParams,
    body: Buffer,
  ): Answer {
    if (subresource !== '' || (type.namespaced && namespace === undefined)) throw methodNotAllowed();
    const object = parseBody(body, request.headers['content-type']);
    const { options, warnings } = this.#writeOptions(type.kind, type.version, query);
    const entry = this.options.rest.create(type, namespace, object, options);
    return this.#show(request, 201, type, entry, query, warnings);
  }

  #update(
    request: IncomingMessage,
    { type, namespace, name, subresource }: Target & { name: string },
    query: URLSearchParams,
    body: Buffer,
  ): Answer {
    const contentType = request.headers['content-type'];
    const { options, warnings } = this.#writeOptions(type.kind, type.version, query);
    const { rest } = this.options;
    if (request.method === 'PUT') {
      const object = parseBody(body, contentType);
      const { entry, created } = rest.update(type, namespace, name, subresource, () => object, options);
      return this.#show(request, created ? 201 : 200, type, entry, query, warnings);
    }
    const patch = parsePatch(type, contentType, body);
    if (patch.creates && subresource === '' && !rest.exists(type, namespace, name)) {
      const object = patch.apply({ apiVersion: '', kind: '', metadata: { name } });
      const entry = rest.create(type, namespace, object, options);
      return this.#show(request, 201, type, entry, query, warnings);
    }
    const { entry } = rest.update(type, namespace, name, subresource, patch.apply, options);
    return this.#show(request, 200, type, entry, query, warnings);
  }

  #delete(
    request: IncomingMessage,
    { type, namespace, name }: Target & { name: string },
    query: URLSearchParams,
    body: Buffer,
  ): Answer {
    const { gone, entry } = this.options.rest.delete(type, namespace, name, deleteOptions(request, query, body));
    const { metadata } = entry.object;
    if (!gone || type.kind === 'Pod') return this.#show(request, 200, type, entry, query);
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name, ...(type.group === '' ? {} : { group: type.group }), kind: type.plural, uid: metadata.uid },
    };
    return { status: 200, body: status };
  }

  #deleteCollection(target: Target, query: URLSearchParams, body: Buffer): Answer {
    const { rest } = this.options;
    const { type } = target;
    if (type.namespaced && target.namespace === undefined) throw methodNotAllowed();
    const entries = rest.collection(type).select(selectionOf(target, query));
    const options = deleteOptions(undefined, query, body);
    for (const entry of entries)
      rest.delete(type, entry.object.metadata.namespace, entry.object.metadata.name, options);
    return { status: 200, body: listJson(type, { entries, revision: rest.store.revision }) };
  }

  #show(
    request: IncomingMessage,
    status: number,
    type: Target['type'],
    entry: Entry,
    query: URLSearchParams,
    warnings: readonly string[] = [],
  ): Answer {
    const headers =
      warnings.length === 0 ? {} : { headers: { warning: warnings.map((text) => `299 - ${JSON.stringify(text)}`) } };
    const form = formOf(request.headers.accept);
    if (form === 'plain' && !type.conversion) return { status, body: entry.json, ...headers };
    const object = type.conversion ? type.conversion.fromStorage(entry.object) : entry.object;
    if (form === 'plain') return { status, body: object, ...headers };
    if (form === 'metadata') return { status, body: partialOf(object), ...headers };
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    const table = tableOf(type, [entry.object], metadata, { nowMs: this.options.now(), include: includeOf(query) });
    return { status, body: table, ...headers };
  }

  /** `fieldValidation`: what happens to fields that the type does not have. */
  #writeOptions(kind: string, version: string, query: URLSearchParams): { options: WriteOptions; warnings: string[] } {
    const warnings: string[] = [];
    const dryRun = query.getAll('dryRun');
    if (dryRun.some((value) => value !== 'All'))
      throw badRequest(`Invalid value: ${JSON.stringify(dryRun)}: dryRun must be "All"`);
    const mode = query.get('fieldValidation') || 'Warn';
    if (!['Ignore', 'Warn', 'Strict'].includes(mode)) {
      throw badRequest(`Invalid value: ${JSON.stringify(mode)}: fieldValidation must be one of Ignore, Warn, Strict`);
    }
    const strict: string[] = [];
    return {
      warnings,
      options: {
        dryRun: dryRun.length > 0,
        unknownFields: {
          add: (path) => {
            if (mode === 'Warn') warnings.push(`unknown field "${path}"`);
            if (mode === 'Strict') strict.push(`unknown field "${path}"`);
          },
          done: (custom) => {
            if (strict.length === 0) return;
            const why = `strict decoding error: ${strict.join(', ')}`;
            throw badRequest(custom ? why : `${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
          },
        },
      },
    };
  }

  #checkRevision(wanted: number | undefined): void {
    const { revision } = this.options.rest.store;
    if (wanted !== undefined && wanted > revision) throw tooLargeResourceVersion(wanted, revision);
  }
}

function selectionOf({ type, namespace }: Target, query: URLSearchParams): Selection & { fields: Selection['fields'] } {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    labels: parseLabelSelector(query.get('labelSelector') ?? ''),
    fields: parseFieldSelector(query.get('fieldSelector') ?? '', type.selectableFields),
  };
}

function includeOf(query: URLSearchParams): TableOptions['include'] {
  const include = query.get('includeObject');
  return include === 'None' || include === 'Object' ? include : 'Metadata';
}

/** From the body (DeleteOptions), or where there is none from the query. */
function deleteOptions(request: IncomingMessage | undefined, query: URLSearchParams, body: Buffer): DeleteOptions {
  const parsed = body.length > 0 ? parseBody(body, request?.headers['content-type']) : {};
  if (!isObject(parsed)) throw badRequest('the body of a delete is a DeleteOptions object');
  const grace = parsed.gracePeriodSeconds ?? numberParameter(query, 'gracePeriodSeconds');
  return {
    ...(typeof grace === 'number' ? { gracePeriodSeconds: grace } : {}),
    ...(isObject(parsed.preconditions) ? { preconditions: parsed.preconditions } : {}),
    dryRun: (parsed.dryRun ?? query.getAll('dryRun')).includes('All'),
  };
}
