/** How a daemon lives and dies: started once, stopped in order by SIGTERM or SIGINT, ended with a reason by anything unforeseen. */

import type { Logger } from 'pino';

export interface Daemon {
  stop(): Promise<void>;
  /** Settles only if the daemon cannot go on. */
  failed?: Promise<never>;
}

/** A daemon that has not stopped by then is ended; Kubernetes would kill it after 30 s. */
const STOP_TIMEOUT_MS = 20_000;
/** Said of a cluster that is not found. */
export const CONFIG_HINT = ' (outside of a Pod, name the cluster with --kubeconfig FILE)';

export async function runDaemon(log: Logger, start: () => Promise<Daemon>): Promise<void> {
  const fatal = (what: string) => (error: unknown) => {
    const cause = error as Error & { code?: string };
    log.fatal({ err: cause, code: cause.code }, `${what}: ${cause.message}`);
    process.exit(1);
  };
  process.on('uncaughtException', fatal('unexpected error'));
  process.on('unhandledRejection', fatal('unexpected rejection'));
  let daemon: Daemon | undefined;
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    const late = () => fatal('could not stop in time')(new Error(`still busy after ${STOP_TIMEOUT_MS} ms`));
    setTimeout(late, STOP_TIMEOUT_MS);
    // A daemon that is still starting owns nothing that it would have to hand over.
    Promise.resolve(daemon?.stop()).then(() => {
      log.info('stopped');
      process.exit(0);
    }, fatal('could not stop'));
  };
  // Before the start, which may wait for an API server: process 1 of a container ignores signals that it has no handler for.
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    daemon = await start();
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (!code?.startsWith('FL_')) return fatal('could not start')(error);
    // An error of Fairlead's own says what to do; where in the program it arose helps nobody.
    log.fatal({ code }, `could not start: ${message}${code === 'FL_KUBE_CONFIG' ? CONFIG_HINT : ''}`);
    process.exit(1);
  }
  daemon.failed?.catch(fatal('cannot go on'));
}
