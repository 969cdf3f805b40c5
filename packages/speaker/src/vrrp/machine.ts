/**
 * The state machine of one virtual router (RFC 9568 §6.4), with what a load balancer needs beyond it. Pure: it is told the time, and
 * tells what to send, who owns, and when to ask again.
 *
 * ```
 *   init ──start──▶ backup ──down timer──▶ active ──better rival, or stood still──▶ backup
 *                     │  ▲                    │
 *                     └──┴──────stop──────────┴──▶ init
 * ```
 * Beyond the RFC:
 * - An active router that has stood still for as long as the others wait before they take over (a frozen process, a paused virtual
 *   machine) no longer answers, and begins anew as backup: its time is over whether or not somebody noticed. `mayAnswer` looks at
 *   the clock at the very moment.
 * - Without preemption, a backup leaves an active router of lower priority in place (§6.4.2, Preempt_Mode false). With it, the
 *   router has to have been up for `preemptDelayMs` first.
 * - There is no address owner (priority 255): a VIP is nobody's own address.
 */

export type VrrpState = 'init' | 'backup' | 'active';

export interface VrrpSettings {
  /** 1 to 254. */
  priority: number;
  /** How often to send as active router, ms. */
  intervalMs: number;
  preempt: boolean;
  /** For how long this router must have been up before it takes over from one of lower priority, ms. */
  preemptDelayMs: number;
}

/** An advertisement of another router, as far as it decides. */
export interface Heard {
  /** 0: it stops. */
  priority: number;
  intervalMs: number;
  /** Its IP address as a number that can be compared. */
  from: bigint;
}

export type VrrpAction =
  /** Send an advertisement, with priority 0 to say that this router stops. */
  { kind: 'send'; priority: number } | { kind: 'own' } | { kind: 'yield'; reason: string };

const NOTHING: readonly VrrpAction[] = [];

/** After so many intervals without an advertisement the active router is down (§6.1, Active_Down_Interval). */
export const DOWN_INTERVALS = 3;
/** An active router gives up that much of an interval before the first of the others can have taken over. */
const FENCE_MARGIN = 0.25;
/** An active router that has not advertised for so many intervals may not answer, nor advertise, any more. */
export const FENCE_INTERVALS = DOWN_INTERVALS - FENCE_MARGIN;

export class VrrpMachine {
  readonly #self: bigint;
  #settings: VrrpSettings;
  #state: VrrpState = 'init';
  /** Since when this router is up, and the active one the same. */
  #calmSince = 0;
  #active: bigint | undefined;
  /** Of the active router; the own one until one was heard. */
  #activeIntervalMs: number;
  /** backup: when the active router counts as down. active: when to advertise next. */
  #timerAt = Number.POSITIVE_INFINITY;
  /** When this router last advertised as active. */
  #sentAt = Number.NEGATIVE_INFINITY;

  /** @param self this router's IP address as a number: among equals the higher one wins */
  constructor(self: bigint, settings: VrrpSettings) {
    this.#self = self;
    this.#settings = settings;
    this.#activeIntervalMs = settings.intervalMs;
  }

  get state(): VrrpState {
    return this.#state;
  }

  /** When `tick` has something to do; undefined in state init. */
  get nextAt(): number | undefined {
    return this.#state === 'init' ? undefined : this.#timerAt;
  }

  /** Whether this router may answer for its addresses now. */
  mayAnswer(now: number): boolean {
    return this.#state === 'active' && now < this.#fenceAt;
  }

  /** Stands for election. A router that starts always listens first. */
  start(now: number): void {
    if (this.#state !== 'init') return;
    this.#calmSince = now;
    this.#active = undefined;
    this.#activeIntervalMs = this.#settings.intervalMs;
    this.#listen(now);
  }

  /** Stops standing; an active router says so, and the others take over at once. Withdraw first: 'yield' comes before 'send'. */
  stop(reason: string): VrrpAction[] {
    const wasActive = this.#state === 'active';
    this.#state = 'init';
    this.#timerAt = Number.POSITIVE_INFINITY;
    return wasActive
      ? [
          { kind: 'yield', reason },
          { kind: 'send', priority: 0 },
        ]
      : [];
  }

  /** Other settings from now on; timers that run go on as they are. */
  configure(settings: VrrpSettings): void {
    this.#settings = settings;
  }

  /** Whether it will take over from a router that goes on advertising this, sooner or later. */
  wantsToFollow(heard: Heard): boolean {
    return this.#settings.preempt && !this.#isBetter(heard);
  }

  receive(heard: Heard, now: number): readonly VrrpAction[] {
    const late = this.#stoodStill(now);
    if (this.#state === 'backup') this.#heardAsBackup(heard, now);
    if (this.#state !== 'active') return late;
    if (heard.priority === 0) return this.#advertise(now);
    if (!this.#isBetter(heard)) return this.#advertise(now);
    this.#activeIntervalMs = heard.intervalMs;
    this.#listen(now);
    return [{ kind: 'yield', reason: `another router advertises priority ${heard.priority}` }];
  }

  /** To be called at `nextAt`, or whenever. `earlyMs`: an advertisement that is due within so long is sent now. */
  tick(now: number, earlyMs = 0): readonly VrrpAction[] {
    const late = this.#stoodStill(now);
    if (late.length > 0 || this.#state === 'init') return late;
    if (this.#state === 'active') return now < this.#timerAt - earlyMs ? late : this.#advertise(now);
    if (now < this.#timerAt) return late;
    this.#state = 'active';
    // The advertisement goes first, so that a former owner falls silent before this one speaks.
    return [...this.#advertise(now), { kind: 'own' }];
  }

  /** What this router would advertise was sent at that time, without this machine's having been asked. */
  advertised(at: number): void {
    if (this.#state !== 'active' || at <= this.#sentAt) return;
    this.#sentAt = at;
    this.#timerAt = at + this.#settings.intervalMs;
  }

  /** Takes over from whoever is active, as `preempt` would. */
  takeOver(now: number): readonly VrrpAction[] {
    if (this.#state !== 'backup') return [];
    this.#timerAt = now;
    return this.tick(now);
  }

  /** Leaves it to another backup to take over until then. */
  holdBack(until: number): void {
    if (this.#state === 'backup') this.#timerAt = Math.max(this.#timerAt, until);
  }

  #heardAsBackup(heard: Heard, now: number): void {
    if (heard.priority === 0) {
      this.#timerAt = now + this.#skewMs;
      return;
    }
    if (this.#active !== undefined && this.#active !== heard.from) this.#calmSince = now;
    this.#active = heard.from;
    const wantsToPreempt = this.#settings.preempt && now - this.#calmSince >= this.#settings.preemptDelayMs;
    if (wantsToPreempt && !this.#isBetter(heard)) return;
    this.#activeIntervalMs = heard.intervalMs;
    this.#timerAt = now + DOWN_INTERVALS * this.#activeIntervalMs + this.#skewMs;
  }

  #advertise(now: number): VrrpAction[] {
    this.#sentAt = now;
    this.#timerAt = now + this.#settings.intervalMs;
    return [{ kind: 'send', priority: this.#settings.priority }];
  }

  #listen(now: number): void {
    this.#state = 'backup';
    this.#timerAt = now + DOWN_INTERVALS * this.#activeIntervalMs + this.#skewMs;
  }

  #stoodStill(now: number): readonly VrrpAction[] {
    if (this.#state !== 'active' || now < this.#fenceAt) return NOTHING;
    this.#activeIntervalMs = this.#settings.intervalMs;
    this.#listen(now);
    return [{ kind: 'yield', reason: 'this process stood still for longer than the others wait' }];
  }

  get #fenceAt(): number {
    return this.#sentAt + FENCE_INTERVALS * this.#settings.intervalMs;
  }

  /** Lower priorities wait longer (§6.1, Skew_Time), so that the best backup is the first. */
  get #skewMs(): number {
    return ((256 - this.#settings.priority) * this.#activeIntervalMs) / 256;
  }

  #isBetter(heard: Heard): boolean {
    const { priority } = this.#settings;
    return heard.priority > priority || (heard.priority === priority && heard.from > this.#self);
  }
}
