/**
 * What an owner does about another station that announces one of its VIPs: it announces the VIP again, or the neighbours that
 * believed the other would send to the wrong place until they ask anew, ten seconds and more. RFC 5227 §2.4 (c) wants such answers
 * limited, lest two stations that both insist flood the LAN; its one in 10 s would leave the field to a station that announces twice,
 * as most do. So there is one in a second for each address, and what comes in between is answered once, at its end.
 *
 * Pure: the clock is the caller's, in monotonic milliseconds.
 */

import type { VipKey } from './vip-key.js';

export const DEFEND_EVERY_MS = 1_000;
export const REPORT_EVERY_MS = 60_000;

interface Conflict {
  defendedAt: number;
  reportedAt: number;
  /** It was challenged since it was last defended. */
  owed: boolean;
}

export class Defence {
  readonly #conflicts = new Map<VipKey, Conflict>();

  /** Another station announced the address. Tells what to do now; a defence that has to wait is had from `due`. */
  challenged(ip: VipKey, now: number): { defend: boolean; report: boolean } {
    const conflict = this.#conflicts.get(ip);
    if (conflict === undefined) {
      this.#conflicts.set(ip, { defendedAt: now, reportedAt: now, owed: false });
      return { defend: true, report: true };
    }
    const report = now - conflict.reportedAt >= REPORT_EVERY_MS;
    if (report) conflict.reportedAt = now;
    const defend = now >= conflict.defendedAt + DEFEND_EVERY_MS;
    if (defend) conflict.defendedAt = now;
    conflict.owed = !defend;
    return { defend, report };
  }

  /** The addresses whose defence has waited until now. */
  due(now: number): VipKey[] {
    const ips: VipKey[] = [];
    for (const [ip, conflict] of this.#conflicts) {
      if (conflict.owed && now >= conflict.defendedAt + DEFEND_EVERY_MS) {
        ips.push(ip);
        conflict.defendedAt = now;
        conflict.owed = false;
      } else if (!conflict.owed && now - conflict.reportedAt >= REPORT_EVERY_MS) {
        this.#conflicts.delete(ip);
      }
    }
    return ips;
  }

  /** When `due` has something, or undefined when no defence waits. */
  get nextAt(): number | undefined {
    let next: number | undefined;
    for (const { defendedAt, owed } of this.#conflicts.values()) {
      const at = defendedAt + DEFEND_EVERY_MS;
      if (owed && (next === undefined || at < next)) next = at;
    }
    return next;
  }
}
