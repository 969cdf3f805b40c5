/**
 * Logs what goes wrong with watches. They are tried again every few seconds for as long as the server is away, so the same kind of failure of
 * the same resource is told once a minute.
 */

import { addressPools, isKubeError } from '@fairlead/kube';
import type { Logger } from 'pino';
import { Throttle } from '../wire/throttle.js';

const TELL_EVERY_MS = 60_000;

export class WatchTrouble {
  readonly #log: Logger;
  readonly #clock: () => number;
  readonly #throttle = new Throttle(TELL_EVERY_MS);

  /** @param clock monotonic ms */
  constructor(log: Logger, clock: () => number = () => performance.now()) {
    this.#log = log;
    this.#clock = clock;
  }

  heard(error: Error, resource: string): void {
    const { code, message } = error as Error & { code?: string };
    if (!this.#throttle.allows(`${resource} ${code ?? message}`, this.#clock())) return;
    const hint =
      resource === addressPools.plural && isKubeError(error, 'FL_KUBE_NOT_FOUND')
        ? '; apply deploy/crd.yaml, without which there are no VIPs'
        : '';
    // The stack of a refused connection helps nobody.
    const fields = isKubeError(error) ? { resource, code } : { resource, err: error };
    this.#log.warn(fields, `watching ${resource} failed, trying again${hint}: ${message}`);
  }
}
