/**
 * What a row of probe outcomes says about one node. Pure: outcomes come in with the number of the probe they belong to.
 *
 * A new probe starts every interval, however long the last one takes; so outcomes may arrive out of order (a late
 * time-out after a quick success). Only the outcome of a probe younger than all answered ones counts.
 */

export interface HealthRules {
  /** Failures in a row that make a healthy node unhealthy. */
  fall: number;
  /** Successes in a row that make an unhealthy node healthy. */
  rise: number;
}

export interface HealthState {
  /** `unknown` until the first outcome, which decides alone: nothing was forwarded there yet. */
  verdict: 'unknown' | 'healthy' | 'unhealthy';
  /** Outcomes in a row that speak against the verdict. */
  against: number;
  /** Number of the youngest probe that was answered. */
  lastProbe: number;
  /** Why the last failed probe failed; '' after a success. */
  reason: string;
}

export type ProbeOutcome = { ok: true } | { ok: false; reason: string };

export const unknownHealth: HealthState = { verdict: 'unknown', against: 0, lastProbe: -1, reason: '' };

/** The state after the outcome of probe number `probe` (ascending in order of their start). */
export function observe(state: HealthState, probe: number, outcome: ProbeOutcome, rules: HealthRules): HealthState {
  if (probe <= state.lastProbe) return state;
  const next = { ...state, lastProbe: probe, reason: outcome.ok ? '' : outcome.reason };
  const says = outcome.ok ? 'healthy' : 'unhealthy';
  if (state.verdict === says) return { ...next, against: 0 };
  const needed = state.verdict === 'unknown' ? 1 : outcome.ok ? rules.rise : rules.fall;
  const against = state.against + 1;
  return against >= needed ? { ...next, verdict: says, against: 0 } : { ...next, against };
}
