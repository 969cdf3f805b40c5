/** What a lock knows, what it hears, and what it does: the vocabulary of `decide`. */
import type { KubeErrorCode } from '@fairlead/kube';
import type { LeaseObject, LeaseWriter } from './lease.js';

/** Times in ms. */
export interface Config extends LeaseWriter {
  /** How long after it was sent a successful renewal makes its sender the leader: less than the lease duration. */
  termMs: number;
  renewPeriodMs: number;
  retryPeriodMs: number;
  requestTimeoutMs: number;
  /** Renews whenever the monotonic clock shows a multiple of the renew period. */
  inStep?: boolean;
}

/** When `decide` is called, and with what luck. */
export interface Moment {
  /** Monotonic ms. */
  now: number;
  /** ms since 1970. Only ever compared with this very clock's earlier readings. */
  wallNow: number;
  /** In [0, 1). */
  random: () => number;
  /** How long to leave a free Lease to better candidates. */
  startDelayMs: () => number;
}

/** The Lease as last seen. `observedAt`: when this version was first seen here, monotonic. */
export type Seen =
  | { kind: 'unknown' }
  /** `freeAt`: until when a holder may still rely on the Lease that was there. */
  | { kind: 'absent'; observedAt: number; freeAt: number }
  /** `confirmed`: read again after it had expired, and unchanged. */
  | { kind: 'present'; lease: LeaseObject; observedAt: number; confirmed: boolean };

/** Leadership: when the renewal that it stands on was sent. */
export interface Term {
  sentAt: number;
  wallSentAt: number;
  /** Monotonic; sentAt + termMs. */
  deadline: number;
}

export type Purpose = 'look' | 'acquire' | 'renew' | 'release';

/** The request that is under way; there is never more than one. */
export interface Request {
  id: number;
  purpose: Purpose;
  verb: 'get' | 'create' | 'update';
  /** The version that the write replaces. */
  base?: string;
  sentAt: number;
  wallSentAt: number;
}

export interface State {
  started: boolean;
  eligible: boolean;
  stopping: 'no' | 'release' | 'keep' | 'stopped';
  seen: Seen;
  /** What was seen cannot be right any more: look again. */
  stale: boolean;
  /** Present while this contender leads, or believes so until it looks at the clock. */
  term: Term | undefined;
  request: Request | undefined;
  lastRequestId: number;
  /** No request before this time, after a failure. */
  notBefore: number;
  /** Conflicts in a row. */
  conflicts: number;
  /** The latest request got no answer that tells anything. */
  unanswered: boolean;
  /** The Lease was found to be free; from when on to ask for it. */
  standAt: number | undefined;
  /** To be given back, if possible before it expires by itself at `until`. */
  release: { until: number } | undefined;
}

export const initialState: State = Object.freeze<State>({
  started: false,
  eligible: true,
  stopping: 'no',
  seen: { kind: 'unknown' },
  stale: false,
  term: undefined,
  request: undefined,
  lastRequestId: 0,
  notBefore: 0,
  conflicts: 0,
  unanswered: false,
  standAt: undefined,
  release: undefined,
});

/** What came of a request. `code` as in KubeError; anything but the named ones means "no answer, outcome unknown". */
export type Outcome =
  | { ok: true; lease: LeaseObject }
  | { ok: false; code: KubeErrorCode | 'unknown'; retryAfterMs?: number };

export type Input =
  | { type: 'start' }
  /** Time has passed. */
  | { type: 'tick' }
  /** From a watch; undefined: it was deleted. */
  | { type: 'observe'; lease: LeaseObject | undefined }
  | { type: 'reply'; id: number; outcome: Outcome }
  | { type: 'eligible'; eligible: boolean }
  /** The withdrawal failed: somebody may still act as the leader, so let the Lease run out. */
  | { type: 'keep' }
  | { type: 'stop'; release: boolean };

/** To be carried out in this order. */
export type Effect =
  | { type: 'lost'; reason: string }
  | { type: 'acquired' }
  | { type: 'holder'; identity: string | undefined }
  /** `lease`: the body of a write. */
  | { type: 'send'; request: Request; lease?: LeaseObject; timeoutMs: number }
  /** Forget the request that is under way. */
  | { type: 'abort' }
  /** Call again at this time (monotonic), instead of any time named before. */
  | { type: 'wake'; at: number }
  | { type: 'stopped' };
