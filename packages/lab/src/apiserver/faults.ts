/**
 * Faults on order, for tests of clients: refuse the next requests, answer late, hold answers back, break connections.
 * What is ordered first happens first; a request takes at most one fault.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from './errors.js';

/** One request, as faults, counts and logs name it. */
export interface RequestInfo {
  /** get, list, watch, create, update, patch, delete, deletecollection; for other paths the HTTP method in small letters. */
  verb: string;
  /** `services`, `services/status`, `addresspools.fairlead.dev`; for other paths the path itself. */
  resource: string;
  namespace?: string;
  name?: string;
  userAgent?: string;
}

/** Which requests: every field that is given must be equal. */
export type RequestMatch = Partial<Pick<RequestInfo, 'verb' | 'resource' | 'namespace' | 'name' | 'userAgent'>>;

/** What is to be done to a request. */
type Fault =
  | { kind: 'status'; error: ApiError; retryAfterSeconds?: number }
  | { kind: 'reset' }
  | { kind: 'delay'; ms: number }
  | { kind: 'loseAnswer' };

interface Order {
  action: Fault;
  match: RequestMatch;
  left: number;
}

const REASONS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

export interface FaultOptions {
  /** Which requests; all when left out. */
  match?: RequestMatch;
  /** How many of them; 1 when left out, Infinity for all until `clear()`. */
  count?: number;
}

export class Faults {
  #orders: Order[] = [];
  #held: (() => void)[] | undefined;

  /** Answers with this HTTP status and a fitting Status object. */
  next(
    status: number,
    options: FaultOptions & { reason?: string; message?: string; retryAfterSeconds?: number } = {},
  ): void {
    const reason = options.reason ?? REASONS[status] ?? 'InternalError';
    const details = options.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: options.retryAfterSeconds };
    const error = new ApiError(status, reason, options.message ?? `fault on order: ${status} ${reason}`, details);
    this.#order({ kind: 'status', error, ...details }, options);
  }

  /** Breaks the connection without an answer, before anything is done. */
  reset(options: FaultOptions = {}): void {
    this.#order({ kind: 'reset' }, options);
  }

  /** Does what is asked, then breaks the connection: the client cannot know whether its write happened. */
  loseAnswer(options: FaultOptions = {}): void {
    this.#order({ kind: 'loseAnswer' }, options);
  }

  /** Starts to handle the request this much later. */
  delay(ms: number, options: FaultOptions = {}): void {
    this.#order({ kind: 'delay', ms }, options);
  }

  /** From now on requests wait, without an answer, until `release()`: the server hangs. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  /** Cancels everything that is ordered, and lets waiting requests go. */
  clear(): void {
    this.#orders = [];
    this.release();
  }

  /**
   * What happens to a request before it is handled: it waits, its connection is broken (`cut`: nothing is left to do), or it is refused.
   * `loseAnswer`: handle it, and break the connection then.
   * @throws ApiError to answer with
   */
  async befall(request: RequestInfo, connection: { destroy(): void }): Promise<'cut' | 'loseAnswer' | undefined> {
    await this.#admission();
    const fault = this.#take(request);
    if (fault?.kind === 'status') throw fault.error;
    if (fault?.kind === 'delay') await sleep(fault.ms);
    if (fault?.kind === 'reset') {
      connection.destroy();
      return 'cut';
    }
    return fault?.kind === 'loseAnswer' ? 'loseAnswer' : undefined;
  }

  /** The fault for this request, taken off the list. */
  #take(request: RequestInfo): Fault | undefined {
    const order = this.#orders.find(({ match }) =>
      Object.entries(match).every(([key, value]) => value === undefined || request[key as keyof RequestInfo] === value),
    );
    if (!order) return undefined;
    if (--order.left <= 0) this.#orders.splice(this.#orders.indexOf(order), 1);
    return order.action;
  }

  /** Resolves at once, or when requests that are held are released. */
  #admission(): Promise<void> | undefined {
    const held = this.#held;
    return held && new Promise((resolve) => held.push(resolve));
  }

  #order(action: Fault, { match = {}, count = 1 }: FaultOptions): void {
    this.#orders.push({ action, match, left: count });
  }
}
