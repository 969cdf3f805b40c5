/**
 * One request and its answer: its deadline, its abort, and its end, which is told exactly once, and at once.
 *
 * To undici it is a handler of the kind that its dispatchers use among themselves: to one of the other kind they hand every header by name, which
 * costs a request more than all that is done here, for a header that is read when a server refuses.
 */

import { abortedError, KubeError, networkError, timeoutError } from '../error.js';
import type { Abortable, Aborts } from './aborts.js';
import type { Deadlines, Expiring } from './deadlines.js';
import type { RawHeaders } from './headers.js';

export interface HttpRequest {
  method: string;
  /** With query. */
  path: string;
  headers: Record<string, string>;
  body?: string | undefined;
  signal?: AbortSignal | undefined;
  /** From now until the whole answer is there (request), or until its header is there (stream). */
  timeoutMs: number;
}

export interface HttpReply {
  status: number;
  headers: RawHeaders;
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

/** What all exchanges of a client share. */
export interface Watchers {
  deadlines: Deadlines;
  aborts: Aborts;
}

/** Where an exchange was sent. */
export interface Carrier {
  /** The deadline has passed without a byte of an answer. */
  onSilence(): void;
  /** It is over, however it ended. */
  onEnd(): void;
}

/** Waits until it is given a carrier, and may be over before that. */
export abstract class Exchange implements StreamControl, Expiring, Abortable {
  readonly deadline: number;
  carrier: Carrier | undefined;
  done = false;
  readonly #watchers: Watchers;
  #abort: ((reason: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #isPaused = false;
  #failure: KubeError | undefined;
  /** 0: nothing was heard yet. */
  #status = 0;
  #headers: RawHeaders = [];
  readonly #chunks: Buffer[] = [];

  constructor(
    readonly request: HttpRequest,
    watchers: Watchers,
  ) {
    this.deadline = performance.now() + request.timeoutMs;
    this.#watchers = watchers;
    watchers.deadlines.add(this);
    if (request.signal) watchers.aborts.add(request.signal, this);
  }

  /** Ends the exchange for the caller now, and for undici as soon as it has given us the means. */
  fail(error: KubeError): void {
    if (this.done) return;
    this.#failure = error;
    this.#finish();
    this.#abort?.(error);
    this.onFailure(error);
  }

  onDeadline(): void {
    const isHeard = this.#status > 0;
    if (!isHeard) this.carrier?.onSilence();
    const detail = isHeard ? 'the answer was not complete' : this.carrier ? 'no answer' : 'all connections were busy';
    this.fail(timeoutError(this.#what, this.request.timeoutMs, detail));
  }

  onAbort(signal: AbortSignal): void {
    this.fail(abortedError(this.#what, signal));
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#resume?.();
  }

  /** undici: it is being sent. */
  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    if (this.#failure) abort(this.#failure);
  }

  /** undici: whether to read on. */
  onHeaders(status: number, headers: Buffer[], resume: () => void): boolean {
    if (this.done || status < 200) return true;
    this.#status = status;
    this.#headers = headers;
    this.#resume = resume;
    this.onHeader(status);
    return !this.#isPaused;
  }

  /** undici: whether to read on. */
  onData(chunk: Buffer): boolean {
    if (!this.done) this.onChunk(chunk);
    return !this.#isPaused;
  }

  onComplete(): void {
    if (this.done) return;
    this.#finish();
    this.onAnswer();
  }

  onError(error: Error): void {
    if (this.done) return;
    this.#finish();
    this.onFailure(error instanceof KubeError ? error : networkError(this.#what, error));
  }

  protected onHeader(_status: number): void {}

  protected onChunk(chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  /** The answer is complete. */
  protected abstract onAnswer(): void;
  /** There is none, or there will not be more of it. */
  protected abstract onFailure(error: KubeError): void;

  /** What was kept of the answer. */
  protected reply(): HttpReply {
    const chunks = this.#chunks;
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    return { status: this.#status, headers: this.#headers, body };
  }

  /** From now on it may take as long as it takes. */
  protected disarm(): void {
    this.#watchers.deadlines.delete(this);
  }

  get #what(): string {
    return `${this.request.method} ${this.request.path}`;
  }

  #finish(): void {
    const { signal } = this.request;
    this.done = true;
    this.#watchers.deadlines.delete(this);
    if (signal) this.#watchers.aborts.delete(signal, this);
    this.carrier?.onEnd();
  }
}

/** Keeps the whole answer. */
export class RequestExchange extends Exchange {
  readonly #resolve: (reply: HttpReply) => void;
  readonly #reject: (error: KubeError) => void;

  constructor(
    request: HttpRequest,
    watchers: Watchers,
    resolve: (reply: HttpReply) => void,
    reject: (error: KubeError) => void,
  ) {
    super(request, watchers);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  protected onAnswer(): void {
    this.#resolve(this.reply());
  }

  protected onFailure(error: KubeError): void {
    this.#reject(error);
  }
}

/** Hands the answer on as it comes, if it is 2xx. */
export class StreamExchange extends Exchange {
  readonly #sink: StreamSink;
  readonly #resolve: (reply: StreamReply) => void;
  readonly #reject: (error: KubeError) => void;
  #isOpen = false;

  constructor(
    request: HttpRequest,
    watchers: Watchers,
    sink: StreamSink,
    resolve: (reply: StreamReply) => void,
    reject: (error: KubeError) => void,
  ) {
    super(request, watchers);
    this.#sink = sink;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  protected override onHeader(status: number): void {
    if (status >= 300) return;
    this.disarm();
    this.#isOpen = true;
    this.#resolve({ ok: true, control: this });
  }

  protected override onChunk(chunk: Buffer): void {
    if (this.#isOpen) this.#sink.onData(chunk);
    else super.onChunk(chunk);
  }

  protected onAnswer(): void {
    if (this.#isOpen) this.#sink.onEnd();
    else this.#resolve({ ok: false, reply: this.reply() });
  }

  protected onFailure(error: KubeError): void {
    if (this.#isOpen) this.#sink.onEnd(error);
    else this.#reject(error);
  }
}
