/**
 * The errors of this package.
 *
 * A kernel refusal becomes a NetlinkError whose `code` is the errno name; what this package itself finds wrong
 * carries a code that starts with `FL_`. Codes are stable: programs may compare them.
 */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

const errnoNames = new Map<number, string>(
  Object.entries(constants.errno)
    // Linux gives two names to 95 and to 11; netlink documents these.
    .filter(([name]) => name !== 'ENOTSUP' && name !== 'EWOULDBLOCK')
    .map(([name, value]) => [value, name]),
);

/** libuv words a few errors for files and processes; on netlink they mean something else. */
const descriptions: Record<string, string> = {
  EPERM: 'not permitted: this needs CAP_NET_ADMIN over the network namespace',
  ENOENT: 'no such object',
  ESRCH: 'no such object',
  EEXIST: 'it exists already',
  ERANGE: 'a value is out of range',
  EOPNOTSUPP: 'the kernel does not support this operation',
  ENOBUFS: 'the kernel has no room for it',
};

/** As a failure of the socket. In an answer of the kernel it is a refusal like others. */
const MESSAGES_LOST = 'the socket buffer overflowed and messages were lost: read the state again';

/** 'ENODEV' for 19 (or -19); 'E999' for a number without a name. */
export function errnoName(errno: number): string {
  const value = Math.abs(errno);
  return errnoNames.get(value) ?? `E${value}`;
}

function describe(code: string, errno: number): string {
  return descriptions[code] ?? getSystemErrorMap().get(-Math.abs(errno))?.[1] ?? 'unknown error';
}

export interface NetlinkErrorOptions {
  /** What was attempted and on what: `add route 10.0.0.1/32 table 100`. */
  operation: string;
  /** The kernel's errno; the sign does not matter. */
  errno?: number;
  /** A code of our own (`FL_...`) where no errno fits. */
  code?: string;
  /** The kernel's own explanation (NLMSGERR_ATTR_MSG). */
  extack?: string;
  /** See Status.attributeOffset. */
  attributeOffset?: number;
  /** Replaces the general description of the errno. */
  reason?: string;
  cause?: unknown;
}

/** An operation that the kernel refused, or that got no usable answer. */
export class NetlinkError extends Error {
  /** errno name (`ENODEV`), or `FL_...` for what this package found. */
  readonly code: string;
  /** Negative, as in Node's own system errors; 0 for `FL_...` codes. */
  readonly errno: number;
  readonly operation: string;
  /** What the code means here. */
  readonly reason: string;
  declare readonly extack?: string;
  /** Where in the request the attribute begins that the kernel objects to, if it said so. */
  declare readonly attributeOffset?: number;

  constructor(options: NetlinkErrorOptions) {
    const errno = options.errno ? -Math.abs(options.errno) : 0;
    const code = options.code ?? errnoName(errno);
    const reason = options.reason ?? describe(code, errno);
    const extack = options.extack ? ` (kernel: ${options.extack})` : '';
    super(`${options.operation}: ${code}: ${reason}${extack}`, options.cause ? { cause: options.cause } : undefined);
    this.name = 'NetlinkError';
    this.code = code;
    this.errno = errno;
    this.operation = options.operation;
    this.reason = reason;
    if (options.extack) this.extack = options.extack;
    if (options.attributeOffset !== undefined) this.attributeOffset = options.attributeOffset;
  }
}

/** A failing system call (of @fairlead/raw-socket or node:fs) as the NetlinkError of what it was made for. */
export function fromSystemError(error: unknown, operation: string): NetlinkError {
  const { errno, code = 'FL_NETLINK_IO', message } = error as NodeJS.ErrnoException;
  return new NetlinkError({
    operation,
    ...(errno ? { errno } : { code }),
    // What ENOBUFS means on a netlink socket its general text does not say.
    reason: code === 'ENOBUFS' ? MESSAGES_LOST : message.replace(`${code}: `, ''),
    cause: error,
  });
}

/** How often a table is read anew because it changed meanwhile. */
export const MAX_DUMP_ATTEMPTS = 16;

export function dumpInterrupted(operation: string): NetlinkError {
  return new NetlinkError({
    operation,
    code: 'FL_DUMP_INTERRUPTED',
    reason: `the table changed during each of ${MAX_DUMP_ATTEMPTS} attempts: try again when it is quieter`,
  });
}

/** Bytes that are not the message they claim to be. Decoders throw this and nothing else. */
export class MalformedMessageError extends Error {
  readonly code = 'FL_NETLINK_MALFORMED';

  constructor(what: string) {
    super(`malformed netlink message: ${what}`);
    this.name = 'MalformedMessageError';
  }
}

/** True if `error` is a NetlinkError with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): error is NetlinkError {
  return error instanceof NetlinkError && codes.includes(error.code);
}
