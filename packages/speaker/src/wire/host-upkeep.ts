/**
 * What this thread keeps up in the host's kernel for as long as it runs: that there is a way into the director (packages/ipvs,
 * dead-mans-switch.ts), that this process lives, and the rules of what it owns. Thin.
 */
import { DeadMansSwitch, type FormerOwners } from '@fairlead/ipvs';
import { RuleMonitor } from '@fairlead/netlink';
import type { Repeated, Repetition } from '@fairlead/raw-socket';
import { ALONE_SECONDS, aliveMs, HOLD_EVERY_MS, switchSeconds } from './hold.js';
import type { FromWire, WireOptions } from './messages.js';

export interface HostUpkeepOptions extends Pick<WireOptions, 'director' | 'timings' | 'vrrp'> {
  exits: Pick<FormerOwners, 'keep' | 'keepAlive' | 'repeatAlive'>;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Puts back rules that somebody else took away. */
  keepRules: () => void;
  /** Listens for owners of what this node cannot prove to own. */
  askForOwners: () => void;
  tell: (message: FromWire) => void;
  complain: (message: string) => void;
}

const KEEP_RULES_MS = 10_000;

export class HostUpkeep {
  readonly #options: HostUpkeepOptions;
  readonly #switch: DeadMansSwitch;
  #rules: RuleMonitor | undefined;
  #timers: NodeJS.Timeout[] = [];
  #advertisedAt = Number.NEGATIVE_INFINITY;

  constructor(options: HostUpkeepOptions) {
    this.#options = options;
    this.#switch = new DeadMansSwitch({ director: options.director, seconds: switchSeconds(options.timings) });
  }

  /** From the first configuration on, when there is a director for certain; called again, it does nothing. */
  begin(): void {
    if (this.#timers.length > 0) return;
    const { keepRules } = this.#options;
    // Rules that are taken away are put back at once, and looked for now and then, in case that nobody was told.
    this.#rules = new RuleMonitor({ onRemoved: keepRules });
    this.#timers = [setInterval(() => this.#hold(), HOLD_EVERY_MS), setInterval(keepRules, KEEP_RULES_MS)];
    this.#repeatAlive();
  }

  /**
   * This node has advertised by VRRP what it owns. Its successors do not wait for as long as `HOLD_EVERY_MS`, so the kernel is told as often as
   * they are; once an interval, however often it is contended.
   */
  advertised(): void {
    const { exits, vrrp, clock, complain } = this.#options;
    const now = clock();
    if (now - this.#advertisedAt < vrrp.intervalMs / 2) return;
    this.#advertisedAt = now;
    try {
      exits.keepAlive(aliveMs('vrrp', vrrp));
    } catch (error) {
      complain(`could not tell the kernel that this process lives: ${(error as Error).message}`);
    }
  }

  /** It goes on doing so by itself, and so does what `advertised` does, until what is returned is ended. */
  repeated(repetition: Repetition): Pick<Repeated, 'end'> {
    const { exits, vrrp } = this.#options;
    const often = exits.repeatAlive(aliveMs('vrrp', vrrp), repetition);
    return {
      end: () => {
        often.end();
        this.#repeatAlive();
      },
    };
  }

  /**
   * This process ends. Where others have not taken everything over (there is no other, none is fit, or none reaches the API server), the kernel
   * goes on alone for a while. Where all is handed over there is nothing to switch off: no rule leads into the director, but the
   * connections that it has live on through it.
   */
  handedOver({ everything }: { everything: boolean }): void {
    if (everything) this.#switch.holdForGood();
    else this.#switch.hold(ALONE_SECONDS);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#rules?.close();
    this.#switch.close();
  }

  /** As often as that does for a Lease. */
  #repeatAlive(): void {
    const { exits, vrrp } = this.#options;
    const withinMs = aliveMs('lease', vrrp);
    exits.repeatAlive(withinMs, { everyMs: HOLD_EVERY_MS, withinMs });
  }

  #hold(): void {
    const { exits, askForOwners, tell } = this.#options;
    try {
      exits.keep();
      askForOwners();
      if (!this.#switch.keepHolding(HOLD_EVERY_MS)) tell({ kind: 'lapsed' });
    } catch (error) {
      tell({ kind: 'error', message: `could not prolong the way into the director: ${(error as Error).message}` });
    }
  }
}
