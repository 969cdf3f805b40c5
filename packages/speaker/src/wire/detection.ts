/**
 * Duplicate address detection (RFC 5227 §2.1, RFC 4862 §5.4): before this cluster announces a VIP for the first time, the owner asks the
 * LAN whether another station has it. While it asks, it neither answers for the VIP nor announces it. A VIP that somebody answers for is
 * left alone, and asked about again every minute, until nobody does.
 *
 * ```
 *   begin ──▶ asking ──(three questions, and silence)──▶ free: forgotten, the caller announces it
 *               │ ▲
 *      answered │ │ a minute later
 *               ▼ │
 *             occupied
 * ```
 * An address that has just come from another virtual router, as when its pool's number of them is edited, is asked about too: its former
 * owner may hear of that later. As long as it does not take too long, it is waited for, and called no stranger.
 *
 * A takeover never comes here: the VIP is the cluster's already, and every millisecond counts. Questions of others are no answers: a peer
 * that asks at the same time does not have the address either. A stranger that tests it for itself hears our announcement before it is
 * through, as RFC 5227 has it listen for 4 s and more.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */

import { TimerQueue } from './timer-queue.js';
import type { VipKey } from './vip-key.js';

/** RFC 5227's PROBE_NUM: one lost frame does not decide. */
const QUESTIONS = 3;
/**
 * RFC 5227 waits for 1 to 2 s between questions and 2 s after the last one; but stations answer from their kernels within milliseconds
 * (its §2.1.1 allows for shorter times on such links), and people wait for their Service.
 */
const QUESTION_EVERY_MS = 100;
const LISTEN_MS = 200;
/** From the first question to the verdict. */
export const DETECTION_MS = (QUESTIONS - 1) * QUESTION_EVERY_MS + LISTEN_MS;
/** How often it is asked whether the other station is gone. */
export const ASK_AGAIN_MS = 60_000;
/** A verdict that comes so late is that of a process which stood still: answers may wait in its sockets, unread. */
const TOO_LATE_MS = 200;

/** For how long a node may take to hear that an address is not its own any more: the one with the busiest main thread. */
export const LET_GO_MS = 10_000;

/** `asked`: so many questions of the present round. `patientUntil`: until then it is a former owner of ours who answers. */
type Phase =
  | { kind: 'asking'; asked: number; nextAt: number; patientUntil: number }
  | { kind: 'occupied'; nextAt: number };

const ANEW = { asked: 0, patientUntil: Number.NEGATIVE_INFINITY };

export class Detection {
  readonly #phases = new Map<VipKey, Phase>();
  readonly #queue = new TimerQueue<VipKey>();

  /** @param inherited another node of this cluster may announce it, until it hears of what this one has heard */
  begin(ip: VipKey, now: number, inherited = false): void {
    const patientUntil = inherited ? now + LET_GO_MS : ANEW.patientUntil;
    this.#enter(ip, { kind: 'asking', asked: 0, nextAt: now, patientUntil });
  }

  /** It is nothing to this node any more. */
  end(ip: VipKey): void {
    this.#phases.delete(ip);
    this.#queue.delete(ip);
  }

  /** Whether the address must not be used (yet). */
  has(ip: VipKey): boolean {
    return this.#phases.has(ip);
  }

  get size(): number {
    return this.#phases.size;
  }

  /** Another station has the address. Whether that may be a former owner, who has not let go yet: then it is asked again soon. */
  isFormerOwner(ip: VipKey, now: number): boolean {
    const phase = this.#phases.get(ip);
    if (phase?.kind !== 'asking' || now >= phase.patientUntil) return false;
    this.#enter(ip, { ...phase, asked: 0, nextAt: now + QUESTION_EVERY_MS });
    return true;
  }

  /** Another station has the address. Tells whether that matters here. */
  answered(ip: VipKey, now: number): boolean {
    if (!this.#phases.has(ip)) return false;
    this.#enter(ip, { kind: 'occupied', nextAt: now + ASK_AGAIN_MS });
    return true;
  }

  /** What to ask about now, and what has turned out to be free: those are forgotten. */
  due(now: number): { ask: VipKey[]; free: VipKey[] } {
    const ask: VipKey[] = [];
    const free: VipKey[] = [];
    for (let ip = this.#queue.takeDue(now); ip !== undefined; ip = this.#queue.takeDue(now)) {
      const phase = this.#phases.get(ip)!;
      const { asked: before, patientUntil } = phase.kind === 'asking' ? phase : ANEW;
      let asked = before;
      if (asked === QUESTIONS && now - phase.nextAt > TOO_LATE_MS) asked = 0;
      if (asked === QUESTIONS) {
        free.push(ip);
        this.#phases.delete(ip);
        continue;
      }
      ask.push(ip);
      asked += 1;
      this.#enter(ip, {
        kind: 'asking',
        asked,
        patientUntil,
        nextAt: now + (asked < QUESTIONS ? QUESTION_EVERY_MS : LISTEN_MS),
      });
    }
    return { ask, free };
  }

  /** When `due` has something; undefined when nothing is asked about. */
  get nextAt(): number | undefined {
    return this.#queue.nextAt;
  }

  #enter(ip: VipKey, phase: Phase): void {
    this.#phases.set(ip, phase);
    this.#queue.set(ip, phase.nextAt);
  }
}
