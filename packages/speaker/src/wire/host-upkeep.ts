/**
 * What this thread keeps up in the host's kernel for as long as it runs: that there is a way into the director (packages/ipvs,
 * dead-mans-switch.ts), that this process lives, and the rules of what it owns. Thin.
 */
import { DeadMansSwitch, type FormerOwners } from '@fairlead/ipvs';
import { RuleMonitor } from '@fairlead/netlink';
import { ALONE_SECONDS, HOLD_EVERY_MS, switchSeconds } from './hold.js';
import type { FromWire, WireOptions } from './messages.js';

export interface HostUpkeepOptions extends Pick<WireOptions, 'director' | 'timings'> {
  exits: Pick<FormerOwners, 'keep' | 'check'>;
  /** Puts back rules that somebody else took away. */
  keepRules: () => void;
  /** Listens for owners of what this node cannot prove to own. */
  askForOwners: () => void;
  tell: (message: FromWire) => void;
}

const KEEP_RULES_MS = 10_000;
/** How often the kernel is asked whether it heeds what it is told over and over: by the rules that the main thread audits, it does. */
const CHECK_MS = 3_000;

export class HostUpkeep {
  readonly #options: HostUpkeepOptions;
  readonly #switch: DeadMansSwitch;
  #rules: RuleMonitor | undefined;
  #timers: NodeJS.Timeout[] = [];

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
    this.#timers = [
      setInterval(() => this.#hold(), HOLD_EVERY_MS),
      setInterval(() => this.#check(), CHECK_MS),
      setInterval(keepRules, KEEP_RULES_MS),
    ];
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

  #hold(): void {
    const { exits, askForOwners, tell } = this.#options;
    this.#try(() => exits.keep());
    this.#try(askForOwners);
    this.#try(() => {
      if (!this.#switch.keepHolding(HOLD_EVERY_MS)) tell({ kind: 'lapsed' });
    });
  }

  #check(): void {
    this.#try(() => this.#options.exits.check());
    this.#try(() => this.#switch.check());
  }

  #try(prolong: () => void): void {
    try {
      prolong();
    } catch (error) {
      const message = `could not prolong the way into the director: ${(error as Error).message}`;
      this.#options.tell({ kind: 'error', message });
    }
  }
}
