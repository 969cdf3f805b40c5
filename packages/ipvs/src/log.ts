/** Where this package tells what it changes; a pino Logger fits. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export const silent: Log = { debug() {}, info() {}, warn() {} };
