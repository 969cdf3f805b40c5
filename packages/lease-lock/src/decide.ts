/**
 * The lock's decisions, pure: (what is known, what happened, when) -> (what is known now, what to do).
 *
 * Each call goes through the same steps: a leader whose term has passed is no leader; the news is taken in; the next
 * request, if any is due, is chosen (choose.ts). The argument why this is safe is in index.ts.
 */
import { choose } from './choose.js';
import { expiryOf, hasPassed, seenHolder, seenVersion } from './facts.js';
import { holderOf, isOlderVersion, type LeaseObject } from './lease.js';
import type { Config, Effect, Input, Moment, Outcome, Request, State, Term } from './state.js';

export interface Decision {
  state: State;
  effects: Effect[];
}

export function decide(config: Config, before: State, input: Input, moment: Moment): Decision {
  const decision: Decision = { state: { ...before }, effects: [] };
  const { state, effects } = decision;
  if (state.term && hasPassed(config, state.term, moment)) {
    lose(decision, 'no renewal was confirmed in time');
  }
  takeIn(config, decision, input, moment);
  const holder = seenHolder(state.seen);
  if (holder !== seenHolder(before.seen)) effects.push({ type: 'holder', identity: holder });
  choose(config, decision, moment);
  return decision;
}

function takeIn(config: Config, decision: Decision, input: Input, moment: Moment): void {
  const { state } = decision;
  switch (input.type) {
    case 'tick':
      return;
    case 'start':
      state.started = true;
      return;
    case 'observe':
      observe(config, decision, input.lease, moment);
      return;
    case 'reply':
      if (state.request?.id === input.id) reply(config, decision, state.request, input.outcome, moment);
      return;
    case 'eligible':
      state.eligible = input.eligible;
      state.standAt = undefined;
      if (input.eligible) {
        // A renewal that is still under way may make it the leader again: a leader's Lease is not given back.
        state.release = undefined;
      } else {
        stepDown(config, decision, 'no longer eligible');
      }
      return;
    case 'keep':
      state.release = undefined;
      if (state.request?.purpose === 'release') state.request = undefined;
      return;
    case 'stop':
      if (state.stopping !== 'no') return;
      state.stopping = input.release ? 'release' : 'keep';
      if (input.release) {
        stepDown(config, decision, 'stopped');
      } else {
        lose(decision, 'stopped');
        state.release = undefined;
        if (state.request) decision.effects.push({ type: 'abort' });
        state.request = undefined;
      }
      return;
  }
}

/** Ends leadership: 'lost' comes before anything else is done about it. */
function lose(decision: Decision, reason: string): void {
  if (!decision.state.term) return;
  decision.state.term = undefined;
  decision.effects.push({ type: 'lost', reason });
}

/** Ends leadership and gives the Lease back. */
function stepDown(config: Config, decision: Decision, reason: string): void {
  const { term } = decision.state;
  if (!term) return;
  lose(decision, reason);
  decision.state.release = { until: term.sentAt + config.leaseDurationMs };
}

function observe(config: Config, decision: Decision, lease: LeaseObject | undefined, { now }: Moment): void {
  const { state } = decision;
  if (lease) {
    see(config, decision, lease, now);
  } else if (state.term) {
    // The deletion may be older than the Lease that we made after it: look, before giving anything up.
    state.stale = true;
  } else {
    seeNone(config, decision, now);
  }
}

/** Takes in a version of the Lease, unless a newer one was seen. */
function see(config: Config, decision: Decision, lease: LeaseObject, now: number): void {
  const { state } = decision;
  const version = lease.metadata?.resourceVersion;
  // Without a version there is nothing to compare and swap.
  if (version === undefined || version === seenVersion(state.seen)) return;
  if (isOlderVersion(version, seenVersion(state.seen))) return;
  state.seen = { kind: 'present', lease, observedAt: now, confirmed: false };
  state.stale = false;
  state.unanswered = false;
  state.standAt = undefined;
  const holder = holderOf(lease);
  if (holder !== config.identity) lose(decision, holder ? `"${holder}" holds the Lease` : 'the Lease has no holder');
}

function seeNone(config: Config, decision: Decision, now: number): void {
  const { state } = decision;
  state.stale = false;
  if (state.seen.kind === 'absent') return;
  // Whoever held what was there may rely on it until it would have expired.
  const freeAt = state.seen.kind === 'present' ? expiryOf(config, state.seen) : now;
  state.seen = { kind: 'absent', observedAt: now, freeAt: Math.max(now, freeAt) };
  state.standAt = undefined;
  lose(decision, 'the Lease was deleted');
}

function reply(config: Config, decision: Decision, request: Request, outcome: Outcome, moment: Moment): void {
  const { state } = decision;
  state.request = undefined;
  if (!outcome.ok) {
    failed(config, decision, request, outcome, moment);
    return;
  }
  state.notBefore = 0;
  const isBack = state.unanswered;
  state.unanswered = false;
  if (request.verb === 'get') {
    looked(config, decision, request, outcome.lease, moment.now);
    if (isBack) waitForHolder(config, decision, moment);
    return;
  }
  state.conflicts = 0;
  see(config, decision, outcome.lease, moment.now);
  if (request.purpose === 'release') {
    state.release = undefined;
    return;
  }
  // Somebody else wrote after us, and that was heard first.
  if (seenHolder(state.seen) !== config.identity) return;
  if (!state.eligible || state.stopping !== 'no') {
    state.release = { until: request.sentAt + config.leaseDurationMs };
    return;
  }
  const { sentAt, wallSentAt } = request;
  const term: Term = { sentAt, wallSentAt, deadline: sentAt + config.termMs };
  // A reply that was long under way, or found a process asleep, proves only what was true when it was sent.
  if (hasPassed(config, term, moment)) return;
  if (!state.term) decision.effects.push({ type: 'acquired' });
  state.term = term;
}

/** A read shows at least what had been seen when it was sent. If it is older still, that history is gone (a restore). */
function looked(config: Config, decision: Decision, request: Request, lease: LeaseObject, now: number): void {
  const { state } = decision;
  const version = lease.metadata?.resourceVersion;
  state.stale = false;
  if (state.seen.kind === 'present' && version === seenVersion(state.seen)) {
    state.seen = { ...state.seen, confirmed: true };
    return;
  }
  if (state.seen.kind === 'present' && state.seen.observedAt <= request.sentAt) state.seen = { kind: 'unknown' };
  see(config, decision, lease, now);
  // Nothing to go on with: not at once again.
  if (state.seen.kind === 'unknown') state.notBefore = now + config.retryPeriodMs;
}

/**
 * The server answers again. A Lease that expired meanwhile may have a living holder, which could not renew it either: it gets the time that
 * its next attempt takes.
 */
function waitForHolder(config: Config, { state }: Decision, { now, startDelayMs }: Moment): void {
  const holder = seenHolder(state.seen);
  if (holder === undefined || holder === config.identity) return;
  state.standAt = now + config.requestTimeoutMs + 2 * config.retryPeriodMs + startDelayMs();
}

function failed(
  config: Config,
  decision: Decision,
  request: Request,
  { code, retryAfterMs = 0 }: Outcome & { ok: false },
  { now, random }: Moment,
): void {
  const { state } = decision;
  const retryMs = config.retryPeriodMs * (1 + random() / 2);
  if (code === 'FL_KUBE_NOT_FOUND' && request.verb !== 'create') {
    const seenMeanwhile = state.seen.kind !== 'unknown' && state.seen.observedAt > request.sentAt;
    if (!seenMeanwhile) seeNone(config, decision, now);
    return;
  }
  if (code === 'FL_KUBE_CONFLICT' || code === 'FL_KUBE_ALREADY_EXISTS') {
    state.conflicts++;
    // Unless a watch has already told what we collided with.
    if (seenVersion(state.seen) === request.base) state.stale = true;
    state.notBefore = state.conflicts === 1 ? 0 : now + retryMs;
    return;
  }
  state.unanswered = true;
  const wished = Math.max(retryMs, retryAfterMs);
  // A leader does not let its term run out for politeness, nor the time that others leave to whom the Lease belongs (waitForHolder).
  const patience = state.term
    ? (state.term.deadline - now) / 2
    : seenHolder(state.seen) === config.identity
      ? 2 * config.retryPeriodMs
      : wished;
  state.notBefore = now + Math.min(wished, patience);
}
