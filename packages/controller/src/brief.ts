/** Errors that are expected and tried again are logged in one line; a stack would say nothing about a refused connection. */

import { isKubeError } from '@fairlead/kube';

/** Fields for a log line: code and message, and the stack only of what nobody has foreseen. */
export function brief(error: Error): object {
  const { code } = error as { code?: unknown };
  return isKubeError(error) || String(code).startsWith('FL_') ? { code, error: error.message } : { err: error };
}
