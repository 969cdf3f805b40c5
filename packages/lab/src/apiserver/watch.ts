/**
 * One watch stream: events as JSON lines over a chunked response. Lines are made once per event and shared; a reader that
 * does not keep up is cut off when its unread bytes pass a limit, so that it cannot hold the server's memory.
 *
 * Events that happen in one turn of the event loop are sent together after the answers to the requests that caused them, much as the real
 * server does, which flushes when no further event is queued (k8s.io/apiserver, endpoints/handlers/watch.go) and hears of its own
 * writes from etcd.
 */
import type { ServerResponse } from 'node:http';
import type { ApiError } from './errors.js';
import type { Form } from './negotiate.js';
import { apiVersionOf, type ResourceType } from './resources.js';
import type { Selection } from './selectors.js';
import {
  type Collection,
  type Entry,
  type EventType,
  leftLineOf,
  lineOf,
  type StoreEvent,
  watchLine,
} from './store.js';
import { partialOf, type TableOptions, tableOf } from './table.js';
import type { JsonObject, KubeObject, WallClock } from './types.js';
import { view, type Watcher } from './watchers.js';

export interface WatchOptions {
  type: ResourceType;
  collection: Collection;
  selection: Selection;
  form: Form;
  include: TableOptions['include'];
  /** Events after this revision; undefined: begin with an ADDED for each object that is there. */
  since: number | undefined;
  /** Mark the end of those first ADDED events with a bookmark (`sendInitialEvents`). */
  markInitial: boolean;
  bookmarks: boolean;
  /** The stream ends after this time. */
  timeoutMs: number;
  /** Bytes that may wait for a slow reader. */
  bufferBytes: number;
  now: WallClock;
  /** The store's revision, for bookmarks. */
  revision: () => number;
  onEnd: () => void;
}

export class WatchStream implements Watcher {
  readonly selection: Selection;
  #ended = false;
  #rows = 0;
  #limit: number;
  /** Lines of this turn. */
  #pending: Buffer[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly response: ServerResponse,
    private readonly options: WatchOptions,
  ) {
    this.selection = options.selection;
    this.#limit = Number.POSITIVE_INFINITY;
    // Backlog first: it throws 410 before anything is sent or registered.
    const backlog = options.since === undefined ? undefined : options.collection.since(options.since);
    response.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': 'no-cache, private',
    });
    response.flushHeaders();
    response.on('close', () => this.#finish());
    this.#timer = setTimeout(() => this.end(false), options.timeoutMs);
    options.collection.watchers.add(this);
    if (backlog) this.#replay(backlog);
    else this.#sendInitial();
    this.#flush();
    // However much the reader asked for at first is its due; from then on it has to keep up.
    this.#limit = response.writableLength + options.bufferBytes;
    response.on('drain', () => {
      this.#limit = options.bufferBytes;
    });
  }

  get wantsBookmarks(): boolean {
    return this.options.bookmarks;
  }

  deliver(type: EventType, event: StoreEvent, left: boolean): void {
    if (this.options.form === 'plain' && !this.options.type.conversion) {
      this.#write(left ? leftLineOf(event) : type === event.type ? lineOf(event) : watchLine(type, event.entry.json));
      return;
    }
    const { object } = event.entry;
    const shown = left
      ? {
          ...event.previous!.object,
          metadata: { ...event.previous!.object.metadata, resourceVersion: String(event.revision) },
        }
      : object;
    this.#write(this.#line(type, shown));
  }

  /** Tells how far the stream has come, so that a reconnecting client need not start over. */
  bookmark(initialEnd = false): void {
    const metadata: JsonObject = {
      resourceVersion: String(this.options.revision()),
      creationTimestamp: null,
      ...(initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    };
    const { type, form } = this.options;
    const object =
      form === 'table'
        ? tableOf(type, [], { resourceVersion: metadata.resourceVersion }, this.#table())
        : { kind: type.kind, apiVersion: apiVersionOf(type), metadata };
    this.#write(Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`));
  }

  /** An ERROR event; the stream ends after it. */
  fail(error: ApiError): void {
    this.#write(Buffer.from(`${JSON.stringify({ type: 'ERROR', object: error.toStatus() })}\n`));
    this.end(false);
  }

  end(abrupt: boolean): void {
    if (this.#ended) return;
    if (!abrupt) this.#flush();
    this.#finish();
    if (abrupt) this.response.destroy();
    else this.response.end();
  }

  #replay(backlog: readonly StoreEvent[]): void {
    for (const event of backlog) {
      const seen = view(this.selection, event);
      if (seen) this.deliver(seen.type, event, seen.left);
    }
  }

  #sendInitial(): void {
    const { collection, selection } = this.options;
    for (const entry of collection.select(selection)) this.#write(this.#initialLine(entry));
    if (this.options.markInitial) this.bookmark(true);
  }

  #initialLine(entry: Entry): Buffer {
    if (this.options.form === 'plain' && !this.options.type.conversion) return watchLine('ADDED', entry.json);
    return this.#line('ADDED', entry.object);
  }

  #line(type: EventType, stored: KubeObject): Buffer {
    const { form, type: resource } = this.options;
    const shown =
      form === 'table'
        ? tableOf(resource, [stored], { resourceVersion: stored.metadata.resourceVersion }, this.#table())
        : form === 'metadata'
          ? partialOf(stored)
          : (resource.conversion?.fromStorage(stored) ?? stored);
    return Buffer.from(`${JSON.stringify({ type, object: shown })}\n`);
  }

  /** Only the first event carries column definitions. */
  #table(): TableOptions {
    return { nowMs: this.options.now(), include: this.options.include, headless: this.#rows++ > 0 };
  }

  #write(line: Buffer): void {
    if (this.#ended) return;
    if (this.#pending.push(line) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (this.#ended || this.#pending.length === 0) return;
    this.response.write(this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending));
    this.#pending = [];
    if (this.response.writableLength > this.#limit) this.end(true);
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.options.collection.watchers.remove(this);
    this.options.onEnd();
  }
}
