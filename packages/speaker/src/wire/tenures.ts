/**
 * What this node owns, and the announcing of it: all VIPs of a virtual router by a burst when it is taken over and again and again after
 * that; some of them, as those that are new or on an interface that is back, by bursts of their own. Beside it, the LAN is asked now and
 * then whether another station has the VIPs: those that keep quiet otherwise are found by it.
 */

import { type AnnouncePlan, Announcer, announcePlan } from './announcer.js';
import { AGAIN, FIRST, type Neighbours, type Urgency } from './neighbours.js';
import type { VipKey } from './vip-key.js';
import { type Places, placesOf, type Vip, type VirtualRouters } from './virtual-routers.js';

export interface TenuresParts {
  routers: VirtualRouters;
  neighbours: Neighbours;
  /** Whether this node may answer for a virtual router that it owns, at this very moment. */
  mayAnswer: (name: string) => boolean;
  /** Whether a VIP is left to somebody else who has it, or may have; and whether any is. */
  withheld: { has(ip: VipKey): boolean; readonly size: number };
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** VIPs that are announced together: these, those on an interface, or all of the virtual router's. Compared by identity. */
interface Batch {
  virtualRouter: string;
  vips?: readonly Vip[];
  uplink?: string;
}

/** What announces the VIPs of a virtual router while it is owned. */
interface Tenure {
  whole: Batch;
  /** Those on one interface, where that has been back: one that comes and goes does not pile bursts up. */
  returned: Map<string, Batch>;
}

/** After a takeover, ms. */
const ASK_AFTER_MS = 1_000;
const ASK_EVERY_MS = 60_000;

export class Tenures {
  readonly #parts: TenuresParts;
  readonly #tenures = new Map<string, Tenure>();
  readonly #announcer = new Announcer<Batch>();
  readonly #asking = new Announcer({ burstMs: [0], refreshMs: ASK_EVERY_MS });
  /** What was not announced yet since a takeover, or since it is there. */
  readonly #unannounced = new Set<Batch>();

  constructor(parts: TenuresParts) {
    this.#parts = parts;
  }

  has(name: string): boolean {
    return this.#tenures.has(name);
  }

  get names(): string[] {
    return [...this.#tenures.keys()];
  }

  /** From now on, or anew. Nothing is announced until it is said what. */
  begin(name: string): void {
    this.#silence(name);
    this.#tenures.set(name, { whole: { virtualRouter: name }, returned: new Map() });
    this.#askLater(name);
  }

  /** Nothing of it is announced any more. */
  end(name: string): void {
    this.#silence(name);
    this.#asking.end(name);
  }

  /** All VIPs, by a burst and what refreshes it. */
  announce(name: string): void {
    const tenure = this.#tenures.get(name);
    if (tenure === undefined) return;
    this.#unannounced.add(tenure.whole);
    this.#announcer.begin(tenure.whole, this.#parts.clock(), this.#plan(name));
  }

  /** These VIPs of one that is owned. */
  announceSome(name: string, vips: readonly Vip[]): void {
    this.#burst({ virtualRouter: name, vips });
  }

  /** VIPs that are on another interface now. */
  moved(name: string, vips: readonly Vip[]): void {
    this.announceSome(name, vips);
    this.#askLater(name);
  }

  /** An interface is there again: all that is owned on it. */
  returned(uplink: string): void {
    for (const [name, { returned }] of this.#tenures) {
      if (!this.#parts.routers.vipsOf(name).some((vip) => vip.uplink === uplink)) continue;
      const batch = returned.get(uplink) ?? { virtualRouter: name, uplink };
      returned.set(uplink, batch);
      this.#burst(batch);
      this.#askLater(name);
    }
  }

  /** Its pool may want another plan. */
  replan(name: string): void {
    const tenure = this.#tenures.get(name);
    if (tenure) this.#announcer.change(tenure.whole, this.#parts.clock(), this.#plan(name));
  }

  /** These at once, and once: `send` of the neighbours is the caller's. */
  say(name: string, vips: Places, urgency: Urgency = FIRST): void {
    const { announcement } = this.#parts.routers.get(name)!;
    this.#parts.neighbours.announce(vips, announcement, urgency, () => this.#parts.mayAnswer(name));
  }

  /** Says and asks what is due; `send` of the neighbours is the caller's. */
  due(): void {
    const { clock, mayAnswer, neighbours } = this.#parts;
    for (const batch of this.#announcer.due(clock())) {
      const urgency = this.#unannounced.delete(batch) ? FIRST : AGAIN;
      if (mayAnswer(batch.virtualRouter)) this.say(batch.virtualRouter, this.#claimed(batch), urgency);
    }
    for (const name of this.#asking.due(clock())) {
      if (mayAnswer(name)) neighbours.ask(this.#claimed({ virtualRouter: name }), AGAIN, () => mayAnswer(name));
    }
  }

  /** When `due` has something next, each of the two kinds. */
  get nextAt(): (number | undefined)[] {
    return [this.#announcer.nextAt, this.#asking.nextAt];
  }

  #silence(name: string): void {
    if (!this.#tenures.delete(name)) return;
    for (const batch of [...this.#announcer.keys()]) {
      if (batch.virtualRouter !== name) continue;
      this.#announcer.end(batch);
      this.#unannounced.delete(batch);
    }
  }

  /** Announces by a burst what is not all of the virtual router, which has one of its own. */
  #burst(batch: Batch): void {
    const name = batch.virtualRouter;
    // The first that are claimed begin what refreshes all of them.
    if (this.#announcer.has(this.#tenures.get(name)!.whole)) {
      this.#unannounced.add(batch);
      this.#announcer.burst(batch, this.#parts.clock(), this.#plan(name));
    } else this.announce(name);
  }

  /** Not at once: the former owner may still answer. */
  #askLater(name: string): void {
    this.#asking.begin(name, this.#parts.clock() + ASK_AFTER_MS);
  }

  #plan(name: string): AnnouncePlan {
    return announcePlan(this.#parts.routers.get(name)!.announcement);
  }

  /** Those that are not withheld. Some of them may have gone since. */
  #claimed({ virtualRouter, vips, uplink }: Batch): Places {
    const { routers, withheld } = this.#parts;
    if (vips === undefined && uplink === undefined && withheld.size === 0) return routers.placesOf(virtualRouter);
    const known = vips?.filter((vip) => routers.vip(vip.ip) === vip) ?? routers.vipsOf(virtualRouter);
    return placesOf(known.filter((vip) => (uplink ?? vip.uplink) === vip.uplink && !withheld.has(vip.ip)));
  }
}
