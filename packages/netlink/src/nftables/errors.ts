/** Why nf_tables refused a transaction, in terms of sets and elements. */
import { NetlinkError } from '../errors.js';
import type { NftOperation } from './types.js';

export interface NftFailure {
  /** Position in the list given to apply(). */
  operation: number;
  /** Position in its elements; absent where the kernel (before Linux 6.0) does not tell which one. */
  element?: number;
  error: NetlinkError;
}

/** Nothing of the transaction was done. `code`, `operation` and `reason` are the first failure's. */
export class NftError extends NetlinkError {
  /** Empty when the kernel refused the transaction as a whole (EPERM, ...). */
  readonly failures: readonly NftFailure[];

  constructor(error: NetlinkError, failures: readonly NftFailure[]) {
    const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
    super({
      operation: error.operation,
      ...(error.errno === 0 ? { code: error.code } : { errno: error.errno }),
      ...(error.extack ? { extack: error.extack } : {}),
      reason: `${error.reason}${more}; nothing of the transaction was done`,
      cause: error,
    });
    this.name = 'NftError';
    this.failures = failures;
  }
}

/** What an errno means for an operation; undefined: what it always means. */
export function reasonOf(code: string, kind: NftOperation['kind']): string | undefined {
  switch (code) {
    case 'ENOENT':
      return kind === 'delete' ? 'there is no such element' : 'there is no such table, set or chain';
    case 'EEXIST':
      return kind === 'create' ? 'it exists already' : 'it exists with another value, or overlaps another range';
    case 'EBUSY':
      return 'it exists with another value, or its chain cannot be used here';
    case 'ENOTEMPTY':
      return 'its range overlaps another one';
    case 'ENFILE':
      return 'the set is full: it was declared with a size';
    default:
      return undefined;
  }
}
