/** How this package reports what the kernel refused. */

/** The shape of Node's own system errors: `EPERM: operation not permitted, socket (...)`. */
export interface SystemError extends Error {
  /** The errno's name: 'EPERM'. */
  code: string;
  /** The errno, negative, as everywhere in Node: -1. */
  errno: number;
  /** The system call that failed: 'socket', 'bind', 'send', 'recvmmsg', 'setns', ... */
  syscall: string;
}

/** Whether an error came from a system call, of this package or of Node; with a code, whether it is that one. */
export function isSystemError(error: unknown, code?: string): error is SystemError {
  if (!(error instanceof Error)) return false;
  const { code: actual, errno, syscall } = error as Partial<SystemError>;
  if (typeof actual !== 'string' || typeof errno !== 'number' || typeof syscall !== 'string') return false;
  return code === undefined || actual === code;
}
