/** The one error type of this package: what was attempted, what the API server (or the network) said, what to do. */

import type { HttpReply } from './http/exchange.js';
import { headerOf } from './http/headers.js';
import type { Status } from './objects.js';

export type KubeErrorCode =
  /** No usable configuration: no server, unreadable kubeconfig or token. */
  | 'FL_KUBE_CONFIG'
  /** No answer: refused, reset, unreachable, TLS. Whether a write was applied is unknown. */
  | 'FL_KUBE_NETWORK'
  /** No answer within the deadline. Whether a write was applied is unknown. */
  | 'FL_KUBE_TIMEOUT'
  /** The caller's AbortSignal fired; its reason is the `cause`. */
  | 'FL_KUBE_ABORTED'
  /** The client was closed. */
  | 'FL_KUBE_CLOSED'
  /** An answer that is not what the API promises (not JSON, cut short). */
  | 'FL_KUBE_BAD_REPLY'
  | 'FL_KUBE_UNAUTHORIZED'
  | 'FL_KUBE_FORBIDDEN'
  | 'FL_KUBE_NOT_FOUND'
  /** The object changed since it was read (resourceVersion), or an apply conflict. */
  | 'FL_KUBE_CONFLICT'
  | 'FL_KUBE_ALREADY_EXISTS'
  /** The resourceVersion or continue token is too old: list again. */
  | 'FL_KUBE_GONE'
  | 'FL_KUBE_INVALID'
  | 'FL_KUBE_TOO_MANY_REQUESTS'
  /** 5xx. */
  | 'FL_KUBE_SERVER'
  /** Any other refusal. */
  | 'FL_KUBE_REQUEST';

export interface KubeErrorInit {
  code: KubeErrorCode;
  message: string;
  status?: number;
  reason?: string;
  retryAfterMs?: number;
  details?: Status['details'];
  cause?: unknown;
}

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: KubeErrorCode;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** `metav1.Status.reason` ('NotFound', 'Conflict', ...), or the errno / library code of a network failure. */
  readonly reason: string;
  /** The server's wish (Retry-After), in ms. */
  readonly retryAfterMs?: number;
  readonly details?: Status['details'];

  constructor(init: KubeErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.status = init.status ?? 0;
    this.reason = init.reason ?? '';
    if (init.retryAfterMs !== undefined) this.retryAfterMs = init.retryAfterMs;
    if (init.details !== undefined) this.details = init.details;
  }
}

/** Is it a KubeError, and (when codes are given) one of these? */
export function isKubeError(error: unknown, ...codes: KubeErrorCode[]): error is KubeError {
  return error instanceof KubeError && (codes.length === 0 || codes.includes(error.code));
}

const codesByStatus = new Map<number, KubeErrorCode>([
  [401, 'FL_KUBE_UNAUTHORIZED'],
  [403, 'FL_KUBE_FORBIDDEN'],
  [404, 'FL_KUBE_NOT_FOUND'],
  [409, 'FL_KUBE_CONFLICT'],
  [410, 'FL_KUBE_GONE'],
  [422, 'FL_KUBE_INVALID'],
  [429, 'FL_KUBE_TOO_MANY_REQUESTS'],
]);

const advice: Partial<Record<KubeErrorCode, string>> = {
  FL_KUBE_UNAUTHORIZED: 'the credentials were refused: check the token, or the user of the kubeconfig',
  FL_KUBE_FORBIDDEN: 'grant it with RBAC, if it should be allowed',
};

/**
 * The error for an answer with a status >= 400, or for a watch's ERROR event.
 * @param what the request, such as `GET /api/v1/nodes/n1`
 * @param body the parsed body; anything but a Status is treated as "no details"
 */
export function errorFromStatus(what: string, httpStatus: number, body: unknown, retryAfter?: string): KubeError {
  const status: Partial<Status> = typeof body === 'object' && body !== null ? body : {};
  let code = codesByStatus.get(httpStatus) ?? (httpStatus >= 500 ? 'FL_KUBE_SERVER' : 'FL_KUBE_REQUEST');
  // 409 is "changed meanwhile" or "is there already"; 'Expired' also comes with other statuses.
  if (status.reason === 'AlreadyExists') code = 'FL_KUBE_ALREADY_EXISTS';
  if (status.reason === 'Expired' || status.reason === 'Gone') code = 'FL_KUBE_GONE';
  const reason = status.reason ?? '';
  const text = status.message ?? (typeof body === 'string' && body !== '' ? body.slice(0, 200).trim() : 'no details');
  const hint = advice[code];
  const init: KubeErrorInit = {
    code,
    status: httpStatus,
    reason,
    message: `${what}: ${text} (${httpStatus}${reason ? ` ${reason}` : ''})${hint ? `; ${hint}` : ''}`,
  };
  const retryAfterMs = parseRetryAfter(retryAfter) ?? secondsToMs(status.details?.retryAfterSeconds);
  if (retryAfterMs !== undefined) init.retryAfterMs = retryAfterMs;
  if (status.details) init.details = status.details;
  return new KubeError(init);
}

/** The error for a refused request, from its whole answer. */
export function errorFromReply(what: string, reply: HttpReply): KubeError {
  const text = reply.body.toString('utf8');
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's page or plain text: shown as it is.
  }
  return errorFromStatus(what, reply.status, body, headerOf(reply.headers, 'retry-after'));
}

export function abortedError(what: string, signal: AbortSignal): KubeError {
  return new KubeError({ code: 'FL_KUBE_ABORTED', message: `${what}: aborted by the caller`, cause: signal.reason });
}

export function timeoutError(what: string, timeoutMs: number, detail: string): KubeError {
  const message = `${what}: ${detail} within ${Math.round(timeoutMs)} ms; is the API server reachable and not overloaded?`;
  return new KubeError({ code: 'FL_KUBE_TIMEOUT', message, reason: 'Timeout' });
}

export function closedError(): KubeError {
  return new KubeError({ code: 'FL_KUBE_CLOSED', message: 'the Kubernetes client was closed', reason: 'Closed' });
}

export function networkError(what: string, cause: Error): KubeError {
  // An AggregateError (several addresses tried) has its text in its parts only.
  const causes: Error[] = cause instanceof AggregateError ? cause.errors : [cause];
  const text = causes.map((part) => part.message).join(', ');
  const reason = String((cause as NodeJS.ErrnoException).code ?? cause.name);
  const message = `${what}: no answer: ${text || reason}; is the API server up and reachable from here?`;
  return new KubeError({ code: 'FL_KUBE_NETWORK', message, reason, cause });
}

/** Retry-After in its seconds form, in ms. (The API server never sends the date form, which would need a shared clock.) */
function parseRetryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header.trim()) ? Number(header) * 1000 : undefined;
}

function secondsToMs(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
}
