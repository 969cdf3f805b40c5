/**
 * Events (core/v1): what `kubectl describe` shows at the end.
 *
 * The same thing told again (object, type, reason and text) raises the count of the Event that is there instead of
 * making another one, and is written at most every `minIntervalMs`. Best effort by design: telling never waits, never
 * throws, and forgets the oldest when there is more than it may remember; what could not be written goes to `onError`.
 */
import type { KubeApi } from './client.js';
import { isKubeError } from './error.js';
import { Fifo } from './http/fifo.js';
import type { KubeObject } from './objects.js';
import { events } from './resources.js';
import { WorkQueue } from './work-queue.js';

export type EventType = 'Normal' | 'Warning';

export interface EventRecorderOptions {
  client: Pick<KubeApi, 'create' | 'patch'>;
  /** Who reports, such as `fairlead-controller`. */
  component: string;
  /** Which instance of it, such as the node's or Pod's name. */
  instance: string;
  /** Different Events kept in mind for counting, written or not. */
  maxEvents?: number;
  minIntervalMs?: number;
  /** ms since 1970, for the timestamps. */
  wallClock?: () => number;
  random?: () => number;
  /** Waited for before each write, and before more than remembering what was told: lets what is more urgent go first. Never rejects. */
  yieldTo?: () => Promise<unknown>;
  /** An Event that is given up. */
  onError?: (error: Error) => void;
}

/** What was told, as it was told. */
interface Told {
  object: KubeObject;
  type: EventType;
  reason: string;
  message: string;
  /** ms since 1970 */
  at: number;
}

interface Occurrence {
  readonly object: KubeObject;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly first: string;
  last: string;
  count: number;
  /** How many of `count` the API server knows; 0: there is no Event yet. */
  writtenCount: number;
  /** Of the Event; '' before there is one. */
  name: string;
  failures: number;
}

const MAX_ATTEMPTS = 5;
const DEFAULT_MAX = 1_000;
/** With more Events in mind than these, one that is written is forgotten. */
const REMEMBERED = 1_000;
/** So many of what was told are looked at between two of those who are more urgent. */
const HANDFUL = 16;
/** The API server refuses longer ones. */
const MAX_MESSAGE = 1024;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  /** By what happened to whom; in order of last occurrence. */
  readonly #occurrences = new Map<string, Occurrence>();
  readonly #queue: WorkQueue;
  /** What nobody has had the time to look at. */
  readonly #told = new Fifo<Told>();
  #isLooking = false;
  /** The last timestamp, and the second that it tells. */
  #second = { at: Number.NaN, text: '' };

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      process: (key, signal) => this.#write(key, signal),
      backoff: { baseMs: 1_000, maxMs: 30_000 },
      random: options.random,
      onError: () => {}, // each failure is judged in #write
    });
  }

  /**
   * Tells that something happened to an object.
   * @param object with apiVersion, kind and metadata, as informers have them; it is not to be changed
   * @param reason one CamelCase word for machines
   * @param message a sentence for people
   */
  event(object: KubeObject, type: EventType, reason: string, message: string): void {
    const told = { object, type, reason, message, at: this.#options.wallClock?.() ?? Date.now() };
    const { yieldTo, maxEvents = DEFAULT_MAX } = this.#options;
    if (!yieldTo) {
      this.#note(told);
      return;
    }
    this.#told.push(told);
    if (this.#told.size > maxEvents) this.#note(this.#told.shift()!);
    if (!this.#isLooking) void this.#look(yieldTo);
  }

  async #look(yieldTo: () => Promise<unknown>): Promise<void> {
    this.#isLooking = true;
    while (this.#told.size > 0) {
      await yieldTo();
      this.#noteTold(HANDFUL);
    }
    this.#isLooking = false;
  }

  /** Notes so many of what was told, the oldest first. */
  #noteTold(count: number): void {
    for (let n = Math.min(count, this.#told.size); n > 0; n--) this.#note(this.#told.shift()!);
  }

  #note({ object, type, reason, message, at }: Told): void {
    const { namespace, name, uid } = object.metadata ?? {};
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3)}...` : message;
    const key = [object.kind, namespace, name, uid, type, reason, text].join('\n');
    const now = this.#timestamp(at);
    const known = this.#occurrences.get(key);
    const occurrence: Occurrence = known ?? {
      object: referenceOf(object),
      type,
      reason,
      message: text,
      first: now,
      last: now,
      count: 0,
      writtenCount: 0,
      name: '',
      failures: 0,
    };
    occurrence.count++;
    occurrence.last = now;
    this.#occurrences.delete(key);
    this.#occurrences.set(key, occurrence);
    if (this.#occurrences.size > (this.#options.maxEvents ?? DEFAULT_MAX)) this.#forgetOldest();
    if (occurrence.writtenCount === 0) this.#queue.add(key);
    else this.#queue.addAfter(key, this.#options.minIntervalMs ?? 10_000);
  }

  /** Resolves when all new Events were tried to be written. (Counts that wait for their time are left.) */
  flush(): Promise<void> {
    this.#noteTold(Number.POSITIVE_INFINITY);
    return this.#queue.idle();
  }

  /** Gives up what is not written yet; `flush()` before, to lose nothing. */
  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #write(key: string, signal: AbortSignal): Promise<void> {
    await this.#options.yieldTo?.();
    const occurrence = this.#occurrences.get(key);
    if (!occurrence || occurrence.count === occurrence.writtenCount) return;
    const { count } = occurrence;
    try {
      if (occurrence.writtenCount === 0) await this.#create(occurrence, signal);
      else await this.#raise(occurrence, signal);
      occurrence.writtenCount = count;
      occurrence.failures = 0;
      // More of the same while this one was being written.
      if (occurrence.count > count) this.#queue.addAfter(key, this.#options.minIntervalMs ?? 10_000);
      // After a burst of thousands nobody counts how often each of them is told again.
      else if (this.#occurrences.size > REMEMBERED) this.#occurrences.delete(key);
    } catch (error) {
      if (signal.aborted) return;
      occurrence.failures++;
      const refused = isKubeError(error) && error.status >= 400 && error.status < 500 && error.status !== 429;
      if (!refused && occurrence.failures < MAX_ATTEMPTS) throw error;
      this.#occurrences.delete(key);
      this.#giveUp(occurrence, error);
    }
  }

  async #create(occurrence: Occurrence, signal: AbortSignal): Promise<void> {
    const { object, type, reason, message, first, last, count } = occurrence;
    const { component, instance } = this.#options;
    // One that was named before may be there: the answer was lost.
    occurrence.name ||= this.#newName(object.metadata?.name ?? '');
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace: namespaceOf(occurrence), name: occurrence.name },
      involvedObject: { apiVersion: object.apiVersion, kind: object.kind, ...object.metadata },
      type,
      reason,
      message,
      count,
      firstTimestamp: first,
      lastTimestamp: last,
      source: { component, host: instance },
      reportingComponent: component,
      reportingInstance: instance,
    };
    try {
      await this.#options.client.create(events, body, { signal });
    } catch (error) {
      if (!isKubeError(error, 'FL_KUBE_ALREADY_EXISTS')) throw error;
    }
  }

  async #raise(occurrence: Occurrence, signal: AbortSignal): Promise<void> {
    const key = { namespace: namespaceOf(occurrence), name: occurrence.name };
    const body = { count: occurrence.count, lastTimestamp: occurrence.last };
    try {
      await this.#options.client.patch(events, key, body, { type: 'merge', signal });
    } catch (error) {
      if (!isKubeError(error, 'FL_KUBE_NOT_FOUND')) throw error;
      // API servers forget Events after an hour.
      occurrence.name = '';
      await this.#create(occurrence, signal);
    }
  }

  #forgetOldest(): void {
    const [key, occurrence] = this.#occurrences.entries().next().value!;
    this.#occurrences.delete(key);
    if (occurrence.writtenCount === 0) this.#giveUp(occurrence, new Error('too many Events wait to be written'));
  }

  #giveUp(occurrence: Occurrence, cause: unknown): void {
    const { object, reason, message } = occurrence;
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `Event ${reason} ("${message}") on ${object.kind} "${object.metadata?.name}" was not recorded: ${why}`;
    this.#options.onError?.(new Error(text, { cause }));
  }

  /** metav1.Time, which has whole seconds: in a burst the same one thousands of times. */
  #timestamp(ms: number): string {
    const second = Math.floor(ms / 1000);
    if (second !== this.#second.at) {
      this.#second = { at: second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
    }
    return this.#second.text;
  }

  /** As client-go names them: the object's name and something unique. */
  #newName(name: string): string {
    const random = this.#options.random ?? Math.random;
    const unique = Math.floor(random() * 2 ** 48).toString(16);
    return `${name.slice(0, 200)}.${unique.padStart(12, '0')}`;
  }
}

/** Events on cluster-scoped objects live in `default`, where kubectl looks for them. */
function namespaceOf({ object }: Occurrence): string {
  return object.metadata?.namespace ?? 'default';
}

/** Not the object itself: it would be kept in memory for as long as the Event is. */
function referenceOf({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { namespace, name, uid, resourceVersion } = metadata ?? {};
  return { apiVersion, kind, metadata: { namespace, name, uid, resourceVersion } };
}
