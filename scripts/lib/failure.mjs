/**
 * The one error class of the scripts: something the reader can do something about. It is printed as its message
 * alone; any other error is a bug and is printed with its stack.
 */
export class Failure extends Error {
  /**
   * @param {string} code stable, `FL_...`
   * @param {string} message what was attempted, on what, why it failed, what to do
   * @param {{ exitCode?: number, cause?: unknown }} [options]
   */
  constructor(code, message, options = {}) {
    super(message, { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.exitCode = options.exitCode ?? 1;
  }
}
