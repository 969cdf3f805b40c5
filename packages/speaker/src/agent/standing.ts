/** Whether this node stands for election: asked again whenever something it depends on may have changed. */
import type { NodeInput } from '@fairlead/ipvs';
import type { Logger } from 'pino';
import { fitness, Patience } from './fitness.js';

export interface StandingOptions {
  node: string;
  nodes: () => readonly NodeInput[];
  /** Whether the cluster has said so itself, and not a snapshot: that a node was not Ready then says nothing of now, or an owner would not resume. */
  areNodesCurrent: () => boolean;
  healthy: (node: string) => boolean;
  onChange: (stand: boolean, why: string) => void;
  log: Logger;
}

export class Standing {
  readonly #options: StandingOptions;
  readonly #patience = new Patience();
  /** undefined until it was first decided, so that a node that does not stand from the beginning says why. */
  #standing: boolean | undefined;
  #askAgain: NodeJS.Timeout | undefined;

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  /** What was decided last. */
  get standing(): boolean {
    return this.#standing ?? false;
  }

  /**
   * @param broken why nothing can pass this host, or into its director; undefined: it can
   * @param inLineSince since when the kernel has been what it should be, monotonic ms; undefined: it is not, which is no reason to give
   *   up, and none to begin
   */
  decide(broken: string | undefined, inLineSince: number | undefined): void {
    const { node, nodes, areNodesCurrent, healthy, onChange, log } = this.#options;
    const known = areNodesCurrent() ? nodes() : nodes().map((one) => ({ ...one, ready: true }));
    const result = fitness({ self: node, nodes: known, healthy, ...(broken === undefined ? {} : { broken }) });
    const { stand, settling, askAgainAt } = this.#patience.next(result, performance.now(), inLineSince);
    clearTimeout(this.#askAgain);
    if (askAgainAt !== undefined)
      this.#askAgain = setTimeout(() => this.decide(broken, inLineSince), askAgainAt - performance.now());
    if (settling) return;
    if (stand === this.#standing) return;
    this.#standing = stand;
    const why = result.fit ? '' : result.why;
    log.info({ stand, why }, stand ? 'standing for election' : `not standing for election: ${why}`);
    onChange(stand, why);
  }

  stop(): void {
    clearTimeout(this.#askAgain);
  }
}
