/** A watch's answer as an async iterable: lines to events, with back-pressure and a limit on silence. */
import { errorFromReply, errorFromStatus, KubeError } from '../error.js';
import type { HttpRequest, StreamControl } from '../http/exchange.js';
import type { Transport } from '../http/transport.js';
import type { KubeObject, Status, WatchEvent } from '../objects.js';
import { LineSplitter } from './lines.js';

export interface WatchStreamOptions {
  transport: Pick<Transport, 'stream'>;
  /** For messages. */
  what: string;
  request(signal: AbortSignal): Promise<HttpRequest>;
  signal?: AbortSignal | undefined;
  idleTimeoutMs?: number | undefined;
  isKnown?: ((resourceVersion: string) => boolean) | undefined;
}

/** Above this many events not yet consumed, nothing more is read from the connection. */
const HIGH_WATER = 256;

export async function* watchStream<T extends KubeObject>(
  options: WatchStreamOptions,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { transport, what, idleTimeoutMs } = options;
  // Ours, so that leaving the loop ends the request; the caller's signal is passed on to it.
  const stop = new AbortController();
  const onAbort = () => stop.abort(options.signal?.reason);
  if (options.signal?.aborted) onAbort();
  options.signal?.addEventListener('abort', onAbort, { once: true });

  const splitter = new LineSplitter();
  let lines: Buffer[] = [];
  let control: StreamControl | undefined;
  let paused = false;
  let ended = false;
  let failure: KubeError | undefined;
  let wake: (() => void) | undefined;

  const rouse = () => {
    const resolve = wake;
    wake = undefined;
    if (!resolve) return;
    // Answers that were sent before these events are read first: by them a reader knows its own changes. That takes the next turn of the
    // event loop, too: in this one their connections may have been looked at already.
    if (options.isKnown) setImmediate(() => setImmediate(resolve));
    else resolve();
  };
  const end = (error?: KubeError) => {
    ended = true;
    failure ??= error;
    rouse();
  };
  const onSilence = () => {
    const message = `${what}: nothing heard for ${idleTimeoutMs} ms, the connection is taken for dead`;
    end(new KubeError({ code: 'FL_KUBE_TIMEOUT', reason: 'WatchSilent', message }));
    stop.abort();
  };
  let timer: NodeJS.Timeout | undefined;
  // While we ourselves do not read, silence means nothing.
  const listen = () => {
    if (idleTimeoutMs !== undefined) timer = setTimeout(onSilence, idleTimeoutMs);
  };

  try {
    const reply = await transport.stream(await options.request(stop.signal), {
      onData(chunk) {
        timer?.refresh();
        for (const line of splitter.push(chunk)) lines.push(line);
        if (lines.length > HIGH_WATER && control && !paused) {
          paused = true;
          clearTimeout(timer);
          timer = undefined; // what was read already must not wake it up again
          control.pause();
        }
        rouse();
      },
      onEnd: end,
    });
    if (!reply.ok) throw errorFromReply(what, reply.reply);
    control = reply.control;
    if (!ended) listen();
    for (;;) {
      const batch = lines;
      lines = [];
      // Of the changes that the reader knows, and of which none but the last says anything new.
      let bookmark: WatchEvent<never> | undefined;
      for (const line of batch) {
        bookmark = bookmarkFor(line, options.isKnown);
        if (!bookmark) yield parseEvent<T>(what, line);
      }
      if (bookmark) yield bookmark;
      if (lines.length > 0) continue;
      if (paused && !ended) {
        paused = false;
        listen();
        control.resume();
      }
      if (lines.length > 0) continue;
      if (ended) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (failure) throw failure;
    if (splitter.pending) {
      throw new KubeError({ code: 'FL_KUBE_BAD_REPLY', message: `${what}: the watch ended within an event` });
    }
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
    stop.abort();
  }
}

const MODIFIED = '{"type":"MODIFIED"';
/** The byte. */
const QUOTE = 0x22;
const VERSION = Buffer.from('"resourceVersion":"');

/**
 * For a change that the reader knows already, all that the event has to say: how far the watch has come. Told without parsing it: the
 * first such property is the object's own (the API server writes `metadata` in one order, and no text within the object has
 * quotes without a backslash).
 */
function bookmarkFor(line: Buffer, isKnown: WatchStreamOptions['isKnown']): WatchEvent<never> | undefined {
  if (!isKnown || line.toString('latin1', 0, MODIFIED.length) !== MODIFIED) return undefined;
  const start = line.indexOf(VERSION) + VERSION.length;
  if (start < VERSION.length) return undefined;
  const resourceVersion = line.toString('latin1', start, line.indexOf(QUOTE, start));
  return isKnown(resourceVersion) ? { type: 'BOOKMARK', object: { metadata: { resourceVersion } } } : undefined;
}

function parseEvent<T extends KubeObject>(what: string, line: Buffer): WatchEvent<T> {
  let event: { type?: string; object?: unknown };
  try {
    event = JSON.parse(line.toString('utf8'));
  } catch (cause) {
    const message = `${what}: a line of the watch is not JSON: ${(cause as Error).message}`;
    throw new KubeError({ code: 'FL_KUBE_BAD_REPLY', message, cause });
  }
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return event as WatchEvent<T>;
    case 'ERROR':
      throw errorFromStatus(what, (event.object as Status | undefined)?.code ?? 500, event.object);
    default: {
      const message = `${what}: the watch sent an event of unknown type ${JSON.stringify(event.type)}`;
      throw new KubeError({ code: 'FL_KUBE_BAD_REPLY', message });
    }
  }
}
