/**
 * Keeps the kernel what it should be: what changed is written, others' changes are repaired, and what failed is made anew.
 *
 * ```
 *            told everything          others may have changed it
 *   untold ──────────────────▶ known ──────────────────────────▶ doubted ──(told what changed, audited)──▶ known
 *                               │                                   │
 *                               │ a write failed                    │ cannot be repaired
 *                               ▼                                   ▼
 *                            unknown ◀───────────────────────────────     gone: there is no way into the director for certain
 *                               └──(set up anew, told everything)──▶ known ◀──(the same)──┘
 * ```
 */
import type { DesiredChange, DesiredState, RoutesChange, VirtualRouterVips } from '@fairlead/ipvs';
import type { Logger } from 'pino';
import type { KernelPart, SpeakerMetrics } from '../metrics/metrics.js';
import type { Kernel, Operations } from './kernel.js';

type State = 'untold' | 'known' | 'doubted' | 'unknown' | 'gone';

/** What the kernel should hold. */
export interface Wanted {
  /** Since this was last asked. */
  change: DesiredChange;
  /** undefined: no VIP has another place. */
  reroute: RoutesChange | undefined;
  /** This host's interfaces are others. */
  interfacesChanged: boolean;
  /** Everything. */
  desired: () => DesiredState;
  tables: () => readonly VirtualRouterVips[];
  /** Names of the interfaces to the LAN. */
  uplinks: readonly string[];
}

/** `anew`: it was more than a change. `failure`: why the kernel is not in line; `gone`: nor is there a way into the director. */
export type Outcome = { anew: boolean } | { failure: string; gone: boolean; retryMs: number };

export interface UpkeepOptions {
  kernel: Pick<
    Kernel,
    'setUp' | 'sync' | 'update' | 'route' | 'reroute' | 'uplinks' | 'follow' | 'audit' | 'tend' | 'unfinished'
  >;
  metrics: Pick<SpeakerMetrics, 'kernelOperations' | 'repairs' | 'kernelErrors' | 'programming'>;
  log: Logger;
  /** To be called when there is something to repair. */
  onDoubt: () => void;
}

/** After how long a failed attempt to program the kernel is repeated, ms. */
const RETRY_MS = 1_000;

/** How often real servers that drain are looked at, ms. */
const TEND_EVERY_MS = 1_000;

export class Upkeep {
  readonly #options: UpkeepOptions;
  #state: State = 'unknown';
  /** The last failure, which is logged once; undefined: the kernel is in line. */
  #failure: string | undefined;
  #inLineSince: number | undefined;
  #tending: NodeJS.Timeout | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Why the kernel is not what it should be; undefined: it is, as far as is known. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Since when the kernel has been what it should be, monotonic ms: long ago where it was found so. undefined: it is not. */
  get inLineSince(): number | undefined {
    return this.#inLineSince;
  }

  get inSync(): boolean {
    return this.#state === 'known';
  }

  get isGone(): boolean {
    return this.#state === 'gone';
  }

  /** Makes what is missing and adopts what is there. Throws what keeps it from that. */
  setUp(): void {
    this.#options.kernel.setUp();
    this.#state = 'untold';
  }

  /** Others may have changed the kernel, or there certainly is no way into the director. */
  doubt(state: 'doubted' | 'gone'): void {
    if (this.#state === 'known' || state === 'gone') this.#state = state; // worse than that is mended anyway
    this.#options.onDoubt();
  }

  /** @param wanted may throw, too */
  bringInLine(wanted: () => Wanted): Outcome {
    const { metrics, log } = this.#options;
    const state = this.#state;
    const end = metrics.programming.startTimer();
    if (state !== 'gone') this.#state = 'unknown'; // until the kernel has taken it
    try {
      const now = wanted();
      const isTold = state === 'known' || state === 'doubted';
      const wrote = isTold ? this.#change(now) : this.#tell(now, state);
      this.#wrote(wrote);
      const repaired = state === 'doubted' ? this.#options.kernel.audit(now.tables()) : {};
      this.#repaired(repaired);
      this.#settles(isTold ? [repaired] : wrote);
    } catch (error) {
      return this.#failed(error as Error, state);
    }
    end();
    this.#state = 'known';
    if (this.#failure !== undefined) log.info('the kernel is in line again');
    this.#failure = undefined;
    this.#tendLater();
    return { anew: state !== 'known' };
  }

  stop(): void {
    clearTimeout(this.#tending);
  }

  /** @param mended what was not as it should have been; routes are not looked at, which owners alone have */
  #settles(mended: readonly Operations[]): void {
    const isMended = mended.some(({ director = 0, forwarder = 0 }) => director + forwarder > 0);
    if (isMended || this.#failure !== undefined) this.#inLineSince = performance.now();
    else this.#inLineSince ??= Number.NEGATIVE_INFINITY;
  }

  #change({ change, reroute, interfacesChanged, uplinks, tables }: Wanted): Operations[] {
    const { kernel } = this.#options;
    return [
      interfacesChanged ? kernel.follow() : {},
      kernel.update(change),
      kernel.uplinks(uplinks, !interfacesChanged, tables),
      reroute === undefined ? {} : kernel.reroute(reroute),
    ];
  }

  #tell({ desired, tables, uplinks }: Wanted, state: State): Operations[] {
    const { kernel } = this.#options;
    if (state !== 'untold') kernel.setUp();
    this.#state = 'unknown';
    return [kernel.sync(desired()), kernel.uplinks(uplinks, false, tables), kernel.route(tables())];
  }

  #failed(error: Error, before: State): Outcome {
    const { metrics, log } = this.#options;
    const { message } = error;
    metrics.kernelErrors.inc();
    this.#inLineSince = undefined;
    if (message !== this.#failure) log.error({ err: error }, `could not bring the kernel in line: ${message}`);
    this.#failure = message;
    // What an audit cannot repair can be made anew at once.
    return { failure: message, gone: this.#state === 'gone', retryMs: before === 'doubted' ? 0 : RETRY_MS };
  }

  #wrote(operations: readonly Operations[]): void {
    const sum: Partial<Record<KernelPart, number>> = {};
    for (const [part, count] of operations.flatMap(byPart)) {
      this.#options.metrics.kernelOperations.inc({ part }, count);
      sum[part] = (sum[part] ?? 0) + count;
    }
    if (Object.keys(sum).length > 0) this.#options.log.info({ operations: sum }, 'kernel brought in line');
  }

  #repaired(operations: Operations): void {
    const { metrics, log } = this.#options;
    for (const [part, count] of byPart(operations)) {
      metrics.repairs.inc({ part }, count);
      log.warn({ part, repaired: count }, `${count} things of the ${part} were not as they were left: repaired`);
    }
  }

  #tendLater(): void {
    if (!this.#options.kernel.unfinished) return;
    this.#tending ??= setTimeout(() => {
      this.#tending = undefined;
      this.#tend();
    }, TEND_EVERY_MS);
  }

  #tend(): void {
    const { kernel, log } = this.#options;
    if (this.#state !== 'known') return; // what brings it in line goes on with this
    try {
      kernel.tend(performance.now());
    } catch (error) {
      log.warn({ err: error }, `could not end what drains: ${(error as Error).message}`);
      this.doubt('doubted');
    }
    this.#tendLater();
  }
}

/** Where anything was done. */
function byPart(operations: Operations): [KernelPart, number][] {
  return (Object.entries(operations) as [KernelPart, number][]).filter(([, count]) => count > 0);
}
