/** The one logger of the daemons: JSON lines on standard error, so that standard output stays for results. */

import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

export function createLogger(name: string, level: string): Logger {
  // Synchronous: a daemon that is about to die must have said why.
  return pino({ name, level, timestamp: stdTimeFunctions.isoTime }, destination({ dest: 2, sync: true }));
}
