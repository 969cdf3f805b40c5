/** What an operator asked for cannot be done, or was not done in time: told in one line, exit code 1. */

export type OperatorErrorCode =
  | 'FL_NO_NODE'
  | 'FL_NOBODY_ELSE'
  | 'FL_NODE_NOT_FIT'
  | 'FL_NO_VIP'
  | 'FL_NO_OWNER'
  | 'FL_NOT_IN_TIME';

export class OperatorError extends Error {
  override readonly name = 'OperatorError';

  constructor(
    readonly code: OperatorErrorCode,
    message: string,
  ) {
    super(message);
  }
}
