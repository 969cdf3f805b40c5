/**
 * What of others on this host keeps VIP traffic from passing (packages/ipvs, HostObstacles): looked for now and then, told once,
 * and again when it is gone. Looking reads firewalls, so it is not done for every change of a Service.
 */

import type { HostObstacleOptions, Obstacle } from '@fairlead/ipvs';
import type { Logger } from 'pino';

/** A little less than how often everything is inspected. */
const LOOK_EVERY_MS = 25_000;
/** While there is one: whoever removes it waits for the node to notice. */
export const LOOK_AGAIN_MS = 3_000;

export type ObstacleInput = Pick<HostObstacleOptions, 'uplinks' | 'families' | 'virtualRouters' | 'examples'>;

export interface ObstacleWatchOptions {
  find: (input: ObstacleInput) => Obstacle[];
  log: Pick<Logger, 'error' | 'warn' | 'info'>;
  /** Tells whoever looks at the Node. */
  event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

export class ObstacleWatch {
  readonly #options: ObstacleWatchOptions;
  #asked = '';
  #lookAgainAt = 0;
  #found = new Map<string, Obstacle>();
  #failure: string | undefined;

  constructor(options: ObstacleWatchOptions) {
    this.#options = options;
  }

  /** Why VIP traffic cannot pass this host; undefined: it can, as far as is known. `now`: monotonic ms. */
  look(input: ObstacleInput, now: number): string | undefined {
    const asked = JSON.stringify(input);
    if (asked !== this.#asked || now >= this.#lookAgainAt) {
      this.#asked = asked;
      this.#find(input);
      this.#lookAgainAt = now + (this.#worst() ? LOOK_AGAIN_MS : LOOK_EVERY_MS);
    }
    return this.#worst()?.message;
  }

  #worst(): Obstacle | undefined {
    return [...this.#found.values()].find(({ harmless }) => !harmless);
  }

  #find(input: ObstacleInput): void {
    const { find, log, event } = this.#options;
    let obstacles: Obstacle[];
    try {
      obstacles = find(input);
    } catch (error) {
      // What is not known counts in favour of the host. What it was before stays.
      const { message } = error as Error;
      if (message !== this.#failure) log.warn({ err: error }, `could not look for obstacles on this host: ${message}`);
      this.#failure = message;
      return;
    }
    this.#failure = undefined;
    const found = new Map(obstacles.map((obstacle) => [obstacle.message, obstacle]));
    for (const { code, message, harmless } of obstacles) {
      if (this.#found.has(message)) continue;
      log[harmless ? 'warn' : 'error']({ code }, message);
      event('Warning', 'HostObstacle', message);
    }
    if (found.size === 0 && this.#found.size > 0) {
      const message = 'nothing on this host keeps VIP traffic from passing any more';
      log.info(message);
      event('Normal', 'HostObstacleGone', message);
    }
    this.#found = found;
  }
}
