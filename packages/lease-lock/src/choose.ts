/** Which request is due now, or when to look again: the second half of `decide`. */
import type { Decision } from './decide.js';
import { expiryOf, renewalOf, seenHolder, seenVersion } from './facts.js';
import { heldLease, newLease, releasedLease } from './lease.js';
import type { Config, Moment, Purpose, Request } from './state.js';

type Step = { at: number } & ({ verb: 'get'; purpose: 'look' } | { verb: 'write'; purpose: Exclude<Purpose, 'look'> });

/** Adds a 'send', a 'wake', 'stopped', or nothing when only news can change anything. */
export function choose(config: Config, decision: Decision, moment: Moment): void {
  const { state, effects } = decision;
  if (state.request) {
    if (state.term) effects.push({ type: 'wake', at: state.term.deadline });
    return;
  }
  const step = releaseStep(config, decision, moment) ?? contendStep(config, decision, moment);
  if (!step) {
    if (state.stopping === 'release' || state.stopping === 'keep') {
      state.stopping = 'stopped';
      effects.push({ type: 'stopped' });
    }
    return;
  }
  const at = Math.max(step.at, state.notBefore);
  if (at > moment.now) {
    effects.push({ type: 'wake', at: state.term ? Math.min(at, state.term.deadline) : at });
    return;
  }
  send(config, decision, step, moment);
}

/** Giving back what was stepped down from, as long as that is faster than waiting for its expiry. */
function releaseStep(config: Config, { state }: Decision, { now }: Moment): Step | undefined {
  if (!state.release) return undefined;
  if (now < state.release.until) {
    if (state.stale || state.seen.kind === 'unknown') return { at: now, verb: 'get', purpose: 'look' };
    if (seenHolder(state.seen) === config.identity) return { at: now, verb: 'write', purpose: 'release' };
  }
  state.release = undefined;
  return undefined;
}

function contendStep(config: Config, decision: Decision, moment: Moment): Step | undefined {
  const { state } = decision;
  const { now } = moment;
  if (!state.started || !state.eligible || state.stopping !== 'no') return undefined;
  if (state.stale || state.seen.kind === 'unknown') return { at: now, verb: 'get', purpose: 'look' };
  if (state.term) return { at: renewalOf(config, state.term), verb: 'write', purpose: 'renew' };
  // Ours from an earlier life, or from a write whose answer was lost.
  if (seenHolder(state.seen) === config.identity) return { at: now, verb: 'write', purpose: 'acquire' };

  const { seen } = state;
  const freeAt = seen.kind === 'absent' ? seen.freeAt : expiryOf(config, seen);
  if (now < freeAt) return { at: freeAt, verb: 'get', purpose: 'look' };
  state.standAt ??= now + moment.startDelayMs();
  // Has it really not been renewed? A watch may lag or be gone.
  const sure = seen.kind === 'absent' || seen.confirmed || seenHolder(seen) === undefined;
  return sure
    ? { at: state.standAt, verb: 'write', purpose: 'acquire' }
    : { at: state.standAt, verb: 'get', purpose: 'look' };
}

function send(config: Config, decision: Decision, step: Step, { now, wallNow }: Moment): void {
  const { state, effects } = decision;
  const { seen } = state;
  const id = state.lastRequestId + 1;
  const common = { id, purpose: step.purpose, sentAt: now, wallSentAt: wallNow };
  let request: Request;
  let timeoutMs = config.requestTimeoutMs;
  if (step.verb === 'get') {
    request = { ...common, verb: 'get' };
    effects.push({ type: 'send', request, timeoutMs });
  } else if (seen.kind === 'present') {
    request = { ...common, verb: 'update', base: seenVersion(seen) };
    const write = step.purpose === 'release' ? releasedLease : heldLease;
    if (step.purpose === 'release' && state.release) timeoutMs = Math.min(timeoutMs, state.release.until - now);
    effects.push({ type: 'send', request, lease: write(seen.lease, config, wallNow), timeoutMs });
  } else {
    request = { ...common, verb: 'create' };
    effects.push({ type: 'send', request, lease: newLease(config, wallNow), timeoutMs });
  }
  state.request = request;
  state.lastRequestId = id;
  if (state.term) effects.push({ type: 'wake', at: state.term.deadline });
}
