/**
 * The whole election of several nodes on one LAN, in any order of faults: nodes that start, stop and freeze, links that lose messages in one
 * direction or both, claims of nodes, configurations, and answers of the API server that come or do not.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { INTERVAL_MS as A, LATENCY_MS, Lan, NODES, ROUTERS, type RouterName } from './lan.spec.helpers.js';

const event = fc.record({
  kind: fc.constantFrom(
    'fit',
    'unfit',
    'freeze',
    'thaw',
    'cut',
    'mute',
    'deaf',
    'heal',
    'lossy',
    'calm',
    'claim',
    'api gone',
    'api back',
    'configure',
    'reopen',
    'miss',
  ),
  node: fc.nat(3),
  router: fc.constantFrom(...ROUTERS),
  /** Owners at rest leave their advertisements to their sockets. */
  waitMs: fc.oneof({ weight: 4, arbitrary: fc.nat(4 * A) }, { weight: 1, arbitrary: fc.nat(20 * A) }),
});
const worlds = fc.record({
  count: fc.integer({ min: 1, max: 4 }),
  preempt: fc.subarray([...ROUTERS]),
  /** Everybody stands already, and knows the owners. */
  settled: fc.boolean(),
  events: fc.array(event, { maxLength: 40 }),
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

/** Plays the events; whole again afterwards, with everybody awake. */
function play({ count, preempt, settled, events }: World, watch?: (lan: Lan) => void): Lan {
  const lan = new Lan(count, new Set(preempt));
  const [mute, deaf] = [new Set<number>(), new Set<number>()];
  let lossy = false;
  let apiGone = false;
  let coin = 0;
  lan.loses = (from, to) => mute.has(from) || deaf.has(to) || (lossy && coin++ % 5 === 0);
  lan.apiAnswers = () => !apiGone;
  if (settled) {
    for (const node of lan.nodes) node.setFit(true);
    lan.run(20 * A, () => watch?.(lan));
  }
  for (const { kind, node: n, router, waitMs } of events) {
    const node = lan.nodes[n % count]!;
    switch (kind) {
      case 'fit':
      case 'unfit':
        node.setFit(kind === 'fit');
        break;
      case 'freeze':
        node.frozen = true;
        break;
      case 'thaw':
        node.thaw();
        break;
      case 'cut':
      case 'mute':
      case 'deaf':
        if (kind !== 'deaf') mute.add(node.id);
        if (kind !== 'mute') deaf.add(node.id);
        break;
      case 'heal':
        mute.delete(node.id);
        deaf.delete(node.id);
        break;
      case 'configure':
      case 'reopen':
      case 'miss':
        node.deliver(() => node[kind]());
        break;
      case 'claim':
        for (const other of lan.nodes) other.deliver(() => other.election.claimed(router, NODES[node.id]));
        break;
      default:
        if (kind === 'lossy' || kind === 'calm') lossy = kind === 'lossy';
        else apiGone = kind === 'api gone';
    }
    lan.run(waitMs, () => watch?.(lan));
  }
  mute.clear();
  deaf.clear();
  lossy = false;
  apiGone = false;
  for (const node of lan.nodes) {
    if (node.frozen) node.thaw();
    // Who asked to be handed over to has been, or has gone.
    for (const name of ROUTERS) node.election.claimed(name, undefined);
  }
  return lan;
}

describe('nodes that elect an owner by VRRP', function () {
  this.timeout(60_000);
  /** From any state, for who hears: the down interval of the lowest priority (3 × A + skew), and a message. */
  const SETTLED_MS = 3 * A + A + 10;
  /** A claimant may have been left 300 ms for taking over, and a node that was cut off for long looks again and listens first. */
  const LATE_MS = 300 + 200 + 4 * A;

  function comesToOneOwner(world: World, withinMs: number): void {
    const lan = play(world);
    const fit = lan.nodes.filter((node) => node.fit).length;
    lan.run(withinMs);
    const owners = ROUTERS.map((name) => lan.answering(name));
    for (const [n, name] of ROUTERS.entries()) {
      expect(owners[n], name).to.have.length(fit > 0 ? 1 : 0);
      expect(lan.nodes.filter(({ owned }) => owned.has(name)).map(({ id }) => id)).to.deep.equal(owners[n]);
    }
    lan.run(30 * A, () => expect(ROUTERS.map((name) => lan.answering(name))).to.deep.equal(owners));
  }

  it('come to exactly one owner once the network is whole, whatever happened before, and it stays', () => {
    fc.assert(
      fc.property(worlds, (world) => comesToOneOwner(world, SETTLED_MS + LATE_MS)),
      { numRuns: 200 },
    );
  });

  it('come to it within three intervals and the skew, but for whoever listens first, as it is new or was cut off from all', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        // And for a claimant that was left time to take over.
        const late = ['fit', 'api gone', 'claim'];
        const events = world.events.filter(({ kind }) => !late.includes(kind));
        comesToOneOwner({ ...world, settled: true, events }, SETTLED_MS);
      }),
      { numRuns: 200 },
    );
  });

  it('have two for no longer than a message takes, while none is lost', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const harmless = ({ kind }: World['events'][number]) => !['cut', 'mute', 'deaf', 'lossy'].includes(kind);
        const since = new Map<RouterName, number>();
        play({ ...world, events: world.events.filter(harmless) }, (lan) => {
          for (const name of ROUTERS) {
            if (lan.answering(name).length < 2) since.delete(name);
            else if (!since.has(name)) since.set(name, lan.now);
            expect(lan.now - (since.get(name) ?? lan.now), name).to.be.at.most(2 * LATENCY_MS);
          }
        });
      }),
      { numRuns: 200 },
    );
  });

  it('take nothing over while they are cut off from everybody', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.nat(3),
        fc.nat(A),
        fc.integer({ min: 1, max: 200 }),
        (count, n, phase, intervals) => {
          // Owners are several, and advertise at different moments.
          const lan = new Lan(count, new Set(ROUTERS));
          for (const node of lan.nodes) {
            node.setFit(true);
            lan.run(phase);
          }
          lan.run(20 * A);
          const node = lan.nodes[n % count]!;
          const owned = [...node.owned];
          lan.loses = (from, to) => from === node.id || to === node.id;
          lan.apiAnswers = () => false;
          lan.run(intervals * A, () => expect([...node.owned]).to.deep.equal(owned));
        },
      ),
      { numRuns: 100 },
    );
  });
});
