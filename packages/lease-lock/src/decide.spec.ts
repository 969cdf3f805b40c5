/** The decisions, one by one: what was known, what happened when, and what follows. */
import { expect } from 'chai';
import { decide } from './decide.js';
import { isOlderVersion, type LeaseObject } from './lease.js';
import { type Config, type Effect, type Input, initialState, type Moment, type State } from './state.js';

const config: Config = {
  namespace: 'ns',
  name: 'lease',
  identity: 'me',
  labels: {},
  leaseDurationMs: 3_000,
  termMs: 2_700,
  renewPeriodMs: 1_000,
  retryPeriodMs: 200,
  requestTimeoutMs: 850,
};

/** A Lease of version 5 unless told otherwise. */
function lease(holder: string, version = '5', seconds = 3): LeaseObject {
  return {
    metadata: { namespace: 'ns', name: 'lease', resourceVersion: version },
    spec: { holderIdentity: holder, leaseDurationSeconds: seconds, leaseTransitions: 2 },
  };
}

const started: State = { ...initialState, started: true };
const present = (holder: string, version?: string, confirmed = false): State['seen'] => ({
  kind: 'present',
  lease: lease(holder, version),
  observedAt: 10_000,
  confirmed,
});
const standby: State = { ...started, seen: present('other') };
const leader: State = {
  ...started,
  seen: present('me'),
  term: { sentAt: 9_990, wallSentAt: 500_000, deadline: 12_690 },
};
const renewing: State = {
  ...leader,
  lastRequestId: 1,
  request: { id: 1, purpose: 'renew', verb: 'update', base: '5', sentAt: 10_990, wallSentAt: 501_000 },
};
const acquiring: State = {
  ...started,
  seen: present('other', '5', true),
  lastRequestId: 1,
  request: { id: 1, purpose: 'acquire', verb: 'update', base: '5', sentAt: 13_000, wallSentAt: 503_010 },
};
const looking: State = {
  ...standby,
  lastRequestId: 1,
  request: { id: 1, purpose: 'look', verb: 'get', sentAt: 13_000, wallSentAt: 503_010 },
};
const releasing: State = {
  ...started,
  eligible: false,
  seen: present('me'),
  release: { until: 13_000 },
  lastRequestId: 1,
  request: { id: 1, purpose: 'release', verb: 'update', base: '5', sentAt: 11_000, wallSentAt: 501_010 },
};

const ok = (result: LeaseObject): Input => ({ type: 'reply', id: 1, outcome: { ok: true, lease: result } });
type FailureCode = 'unknown' | 'FL_KUBE_CONFLICT' | 'FL_KUBE_NOT_FOUND' | 'FL_KUBE_TOO_MANY_REQUESTS';
const failed = (code: FailureCode = 'unknown', retryAfterMs?: number): Input => ({
  type: 'reply',
  id: 1,
  outcome: { ok: false, code, retryAfterMs },
});
const tick: Input = { type: 'tick' };
const observe = (seen: LeaseObject | undefined): Input => ({ type: 'observe', lease: seen });

interface Case {
  name: string;
  state: State;
  input: Input;
  now: number;
  /** Defaults to what agrees with `now`: wall clock and monotonic clock are 490,010 apart. */
  wallNow?: number;
  startDelayMs?: number;
  effects: string[];
  /** Part of the state afterwards. */
  leaves?: Partial<State>;
}

const groups: Record<string, Case[]> = {
  'at the start': [
    { name: 'it looks', state: initialState, input: { type: 'start' }, now: 0, effects: ['send look get'] },
    {
      name: 'it does not when it is not eligible',
      state: { ...initialState, eligible: false },
      input: { type: 'start' },
      now: 0,
      effects: [],
    },
    {
      name: 'what a watch has told before spares the look',
      state: { ...initialState, seen: present('other') },
      input: { type: 'start' },
      now: 10_500,
      effects: ['wake 13000'],
    },
  ],
  'a standby': [
    { name: 'waits for the expiry', state: standby, input: tick, now: 12_999, effects: ['wake 13000'] },
    { name: 'looks when it has come', state: standby, input: tick, now: 13_000, effects: ['send look get'] },
    {
      name: 'leaves an expired Lease to better candidates first',
      state: standby,
      input: tick,
      now: 13_000,
      startDelayMs: 100,
      effects: ['wake 13100'],
      leaves: { standAt: 13_100 },
    },
    {
      name: 'takes what is unchanged when it looks',
      state: looking,
      input: ok(lease('other')),
      now: 13_010,
      effects: ['send acquire update me@5 t3'],
    },
    {
      name: 'waits again when the holder has renewed meanwhile',
      state: looking,
      input: ok(lease('other', '6')),
      now: 13_010,
      effects: ['wake 16010'],
      leaves: { standAt: undefined },
    },
    {
      name: 'counts the wait from every new version that it sees',
      state: standby,
      input: observe(lease('other', '6')),
      now: 12_000,
      effects: ['wake 15000'],
    },
    {
      name: 'does not count it from a version that it knows',
      state: standby,
      input: observe(lease('other', '5')),
      now: 12_000,
      effects: ['wake 13000'],
    },
    {
      name: 'takes no notice of an older version',
      state: { ...standby, seen: present('other', '10') },
      input: observe(lease('', '9')),
      now: 12_000,
      effects: ['wake 13000'],
    },
    {
      name: 'takes a released Lease without another look',
      state: standby,
      input: observe(lease('', '6', 1)),
      now: 12_000,
      effects: ['holder nobody', 'send acquire update me@6 t3'],
    },
    {
      name: 'waits for the known expiry when the Lease is deleted',
      state: standby,
      input: observe(undefined),
      now: 12_000,
      effects: ['holder nobody', 'wake 13000'],
    },
    {
      name: 'makes the Lease when that has come',
      state: { ...started, seen: { kind: 'absent', observedAt: 12_000, freeAt: 13_000 } },
      input: tick,
      now: 13_000,
      effects: ['send acquire create me'],
    },
    {
      name: 'looks at once after a conflict',
      state: acquiring,
      input: failed('FL_KUBE_CONFLICT'),
      now: 13_020,
      effects: ['send look get'],
    },
    {
      name: 'does not have to when a watch has told with whom it collided',
      state: { ...acquiring, seen: present('third', '6') },
      input: failed('FL_KUBE_CONFLICT'),
      now: 12_000,
      effects: ['wake 13000'],
    },
    {
      name: 'does not run after conflicts: the second in a row makes it wait',
      state: { ...acquiring, conflicts: 1 },
      input: failed('FL_KUBE_CONFLICT'),
      now: 13_020,
      effects: ['wake 13220'],
    },
    {
      name: 'tries again after retryPeriodMs when there is no answer',
      state: acquiring,
      input: failed(),
      now: 13_500,
      effects: ['wake 13700'],
      leaves: { unanswered: true },
    },
    {
      name: 'waits as long as the server wishes',
      state: acquiring,
      input: failed('FL_KUBE_TOO_MANY_REQUESTS', 5_000),
      now: 13_500,
      effects: ['wake 18500'],
    },
    {
      name: 'leaves an expired Lease to its holder for a while when the server answers again',
      state: { ...looking, unanswered: true },
      input: ok(lease('other')),
      now: 13_010,
      startDelayMs: 100,
      effects: [`wake ${13_010 + 850 + 400 + 100}`],
      leaves: { unanswered: false },
    },
    {
      name: 'does not when nobody holds it',
      state: { ...looking, unanswered: true },
      input: ok(lease('', '6')),
      now: 13_010,
      effects: ['holder nobody', 'send acquire update me@6 t3'],
    },
    {
      name: 'forgets that the server did not answer when a watch tells of a renewal',
      state: { ...standby, unanswered: true },
      input: observe(lease('other', '6')),
      now: 12_000,
      effects: ['wake 15000'],
      leaves: { unanswered: false },
    },
    {
      name: 'never has two requests under way',
      state: looking,
      input: tick,
      now: 13_400,
      effects: [],
    },
    {
      name: 'ignores the answer to a request that it has given up',
      state: { ...standby, lastRequestId: 2 },
      input: ok(lease('me', '6')),
      now: 12_000,
      effects: ['wake 13000'],
    },
  ],
  'a write that succeeds': [
    {
      name: 'makes a leader, from when it was sent',
      state: acquiring,
      input: ok(lease('me', '6')),
      now: 13_050,
      effects: ['acquired', 'holder me', 'wake 14000'],
      leaves: { term: { sentAt: 13_000, wallSentAt: 503_010, deadline: 15_700 } },
    },
    {
      name: 'does not, when its time has passed by the monotonic clock',
      state: acquiring,
      input: ok(lease('me', '6')),
      now: 15_700,
      effects: ['holder me', 'send acquire update me@6 t2'],
      leaves: { term: undefined },
    },
    {
      name: 'does not, when its time has passed by the wall clock (a suspended machine)',
      state: acquiring,
      input: ok(lease('me', '6')),
      now: 13_050,
      wallNow: 503_010 + 2_700,
      effects: ['holder me', 'send acquire update me@6 t2'],
      leaves: { term: undefined },
    },
    {
      name: 'does not, when somebody has written after it and that was heard first',
      state: { ...acquiring, seen: present('third', '7') },
      input: ok(lease('me', '6')),
      now: 13_050,
      effects: ['send look get'],
      leaves: { term: undefined },
    },
    {
      name: 'does not, when it is not wanted any more, but is given back',
      state: { ...acquiring, eligible: false },
      input: ok(lease('me', '6')),
      now: 13_050,
      effects: ['holder me', 'send release update nobody@6 t2'],
    },
    {
      name: 'extends the term of a leader without further ado',
      state: renewing,
      input: ok(lease('me', '6')),
      now: 11_050,
      effects: ['wake 11990'],
      leaves: { term: { sentAt: 10_990, wallSentAt: 501_000, deadline: 13_690 } },
    },
    {
      name: 'says "lost" first, when the term had passed before it was heard',
      state: renewing,
      input: ok(lease('me', '6')),
      now: 12_700,
      effects: ['lost no renewal was confirmed in time', 'acquired', 'send renew update me@6 t2', 'wake 13690'],
    },
  ],
  'a leader': [
    { name: 'waits for its next renewal', state: leader, input: tick, now: 10_500, effects: ['wake 10990'] },
    {
      name: 'renews',
      state: leader,
      input: tick,
      now: 10_990,
      effects: ['send renew update me@5 t2', 'wake 12690'],
    },
    {
      name: 'has lost when its term has passed, and asks again at once',
      state: leader,
      input: tick,
      now: 12_690,
      effects: ['lost no renewal was confirmed in time', 'send acquire update me@5 t2'],
    },
    {
      name: 'has lost when the wall clock says so',
      state: leader,
      input: tick,
      now: 10_500,
      wallNow: 502_700,
      effects: ['lost no renewal was confirmed in time', 'send acquire update me@5 t2'],
    },
    {
      name: 'does not mind a wall clock that was set back',
      state: leader,
      input: tick,
      now: 10_500,
      wallNow: 0,
      effects: ['wake 10990'],
    },
    {
      name: 'tries a failed renewal again after retryPeriodMs',
      state: renewing,
      input: failed(),
      now: 11_200,
      effects: ['wake 11400'],
    },
    {
      name: 'does not wait so long for the server that its term runs out',
      state: renewing,
      input: failed('FL_KUBE_TOO_MANY_REQUESTS', 60_000),
      now: 11_690,
      effects: ['wake 12190'],
    },
    {
      name: 'does not wait so long, once its term has run out, that others take its Lease when the server is back',
      state: { ...renewing, term: undefined },
      input: failed('FL_KUBE_TOO_MANY_REQUESTS', 60_000),
      now: 12_900,
      effects: ['wake 13300'],
    },
    {
      name: 'looks after a conflict, and stays leader for its term',
      state: renewing,
      input: failed('FL_KUBE_CONFLICT'),
      now: 11_050,
      effects: ['send look get', 'wake 12690'],
    },
    {
      name: 'steps down when another one holds the Lease',
      state: leader,
      input: observe(lease('other', '6')),
      now: 10_500,
      effects: ['lost "other" holds the Lease', 'holder other', 'wake 13500'],
    },
    {
      name: 'looks before it believes that its Lease was deleted',
      state: leader,
      input: observe(undefined),
      now: 10_500,
      effects: ['send look get', 'wake 12690'],
    },
    {
      name: 'steps down when it was',
      state: renewing,
      input: failed('FL_KUBE_NOT_FOUND'),
      now: 11_050,
      effects: ['lost the Lease was deleted', 'holder nobody', 'send acquire create me'],
    },
    {
      name: 'that becomes ineligible withdraws, then releases',
      state: leader,
      input: { type: 'eligible', eligible: false },
      now: 10_500,
      effects: ['lost no longer eligible', 'send release update nobody@5 t2'],
    },
    {
      name: 'that is stopped withdraws, then releases',
      state: leader,
      input: { type: 'stop', release: true },
      now: 10_500,
      effects: ['lost stopped', 'send release update nobody@5 t2'],
    },
    {
      name: 'that is stopped while renewing waits for that answer, to know the version',
      state: renewing,
      input: { type: 'stop', release: true },
      now: 11_050,
      effects: ['lost stopped'],
    },
    {
      name: 'that is stopped without release forgets what is under way',
      state: renewing,
      input: { type: 'stop', release: false },
      now: 11_050,
      effects: ['lost stopped', 'abort', 'stopped'],
      leaves: { request: undefined },
    },
  ],
  'a release': [
    {
      name: 'is done when it is answered',
      state: releasing,
      input: ok(lease('', '6')),
      now: 11_050,
      effects: ['holder nobody'],
      leaves: { release: undefined },
    },
    {
      name: 'is tried again',
      state: releasing,
      input: failed(),
      now: 11_050,
      effects: ['wake 11250'],
    },
    {
      name: 'is given up when the Lease has run out by itself',
      state: { ...releasing, request: undefined },
      input: tick,
      now: 13_000,
      effects: [],
      leaves: { release: undefined },
    },
    {
      name: 'is not written over another holder',
      state: releasing,
      input: observe(lease('other', '6')),
      now: 11_050,
      effects: ['holder other'],
    },
    {
      name: 'looks after a conflict',
      state: releasing,
      input: failed('FL_KUBE_CONFLICT'),
      now: 11_050,
      effects: ['send look get'],
    },
    {
      name: 'is not wanted any more when its holder is eligible again',
      state: { ...releasing, request: undefined },
      input: { type: 'eligible', eligible: true },
      now: 11_050,
      effects: ['send acquire update me@5 t2'],
      leaves: { release: undefined },
    },
    {
      name: 'does not happen when the withdrawal has failed',
      state: releasing,
      input: { type: 'keep' },
      now: 11_050,
      effects: [],
      leaves: { release: undefined, request: undefined },
    },
  ],
  'a history that was restored from a backup': [
    {
      name: 'is accepted from a look, though its versions are older',
      state: { ...looking, seen: present('other', '900') },
      input: ok(lease('third', '20')),
      now: 13_010,
      effects: ['holder third', 'wake 16010'],
    },
  ],
};

describe('decide', () => {
  for (const [group, cases] of Object.entries(groups)) {
    describe(group, () => {
      for (const { name, state, input, now, wallNow, startDelayMs = 0, effects, leaves = {} } of cases) {
        it(name, () => {
          const before = structuredClone(state);
          const moment: Moment = {
            now,
            wallNow: wallNow ?? now + 490_010,
            random: () => 0,
            startDelayMs: () => startDelayMs,
          };
          const decision = decide(config, state, input, moment);
          expect(decision.effects.map(describeEffect)).to.deep.equal(effects);
          for (const [key, value] of Object.entries(leaves)) {
            expect(decision.state[key as keyof State]).to.deep.equal(value);
          }
          expect(state, 'the state that was given').to.deep.equal(before);
        });
      }
    });
  }

  it('renews in step when the clock shows a multiple of the period, and never later than without', () => {
    const inStep: Config = { ...config, inStep: true };
    for (const [sentAt, at] of [
      [9_990, 10_000],
      [10_000, 11_000],
      [10_600.5, 11_000],
    ] as const) {
      const state: State = { ...leader, term: { ...leader.term!, sentAt } };
      const moment: Moment = { now: sentAt + 1, wallNow: 0, random: () => 0, startDelayMs: () => 0 };
      expect(decide(inStep, state, tick, moment).effects).to.deep.equal([{ type: 'wake', at }]);
      const { effects } = decide(inStep, state, tick, { ...moment, now: at });
      expect(effects.map(describeEffect)[0]).to.equal('send renew update me@5 t2');
    }
  });

  it('gives a release no more time than is left until the Lease expires by itself', () => {
    const state: State = { ...releasing, request: undefined };
    const { effects } = decide(config, state, tick, {
      now: 12_900,
      wallNow: 0,
      random: () => 0,
      startDelayMs: () => 0,
    });
    expect(effects[0]).to.include({ type: 'send', timeoutMs: 100 });
  });
});

describe('isOlderVersion', () => {
  for (const [a, b, older] of [
    ['9', '10', true],
    ['10', '9', false],
    ['10', '10', false],
    ['99999999999999999998', '99999999999999999999', true],
    ['abc', '10', false],
    ['10', undefined, false],
    [undefined, '10', false],
  ] as const) {
    it(`${a} is ${older ? '' : 'not '}known to be older than ${b}`, () => {
      expect(isOlderVersion(a, b)).to.equal(older);
    });
  }
});

/** As text: `send PURPOSE VERB HOLDER@VERSION tTRANSITIONS`. */
function describeEffect(effect: Effect): string {
  switch (effect.type) {
    case 'lost':
      return `lost ${effect.reason}`;
    case 'holder':
      return `holder ${effect.identity ?? 'nobody'}`;
    case 'wake':
      return `wake ${Math.round(effect.at)}`;
    case 'send': {
      const { purpose, verb } = effect.request;
      if (!effect.lease) return `send ${purpose} ${verb}`;
      const holder = effect.lease.spec?.holderIdentity || 'nobody';
      if (verb === 'create') return `send ${purpose} create ${holder}`;
      const { resourceVersion } = effect.lease.metadata ?? {};
      return `send ${purpose} ${verb} ${holder}@${resourceVersion} t${effect.lease.spec?.leaseTransitions}`;
    }
    default:
      return effect.type;
  }
}
