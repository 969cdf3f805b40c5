/**
 * The whole election by Lease of several nodes, down to the ARP packet: processes that freeze, die and start again, an API server that does not
 * answer some or all of them, and a LAN that falls apart. What clients see is asked after everything that happens.
 */

import { seededRandom } from '@fairlead/lease-lock/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import { HOLD_EVERY_MS } from '../wire/hold.js';
import { LATENCY_MS, LeaseLan } from './lease-lan.spec.helpers.js';
import type { ApiMode, Speaker } from './lease-speaker.spec.helpers.js';

const event = fc.record({
  kind: fc.constantFrom(
    'unfit',
    'fit',
    'freeze',
    'thaw',
    'kill',
    'stop',
    'boot',
    'claim',
    'api hangs',
    'api refuses',
    'api fails',
    'api answers',
    'api of all hangs',
    'api of all refuses',
    'api of all answers',
    'slow',
    'fast',
    'cut',
    'heal',
    'stranger',
  ),
  node: fc.nat(3),
  waitMs: fc.oneof(fc.nat(100), fc.nat(5_000)),
});
const worlds = fc.record({
  seed: fc.integer(),
  rates: fc.array(fc.double({ min: 0.98, max: 1.02, noNaN: true }), { minLength: 2, maxLength: 4 }),
  replyLoss: fc.constantFrom(0, 0.2),
  events: fc.array(event, { maxLength: 25 }),
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

/** Plays the events; whole again afterwards, with every process there and awake. */
async function play(
  { seed, rates, replyLoss, events }: World,
  watch?: (lan: LeaseLan) => void,
  begin?: (lan: LeaseLan) => void,
): Promise<LeaseLan> {
  const lan = new LeaseLan(rates, seededRandom(seed));
  begin?.(lan);
  const cut = new Set<number>();
  lan.loses = (from, to) => cut.has(from) !== cut.has(to);
  lan.replyLoss = replyLoss;
  for (const { kind, node: n, waitMs } of events) {
    const node = lan.nodes[n % rates.length]!;
    switch (kind) {
      case 'unfit':
      case 'fit':
        node.setFit(kind === 'fit');
        break;
      case 'freeze':
      case 'thaw':
      case 'kill':
      case 'stop':
      case 'boot':
        node[kind]();
        break;
      case 'claim':
        for (const each of lan.nodes) each.deliver(() => each.election.claimed('public.0', node.name));
        break;
      case 'cut':
        cut.add(node.id);
        break;
      case 'heal':
        cut.delete(node.id);
        break;
      case 'stranger':
        lan.stranger();
        break;
      case 'slow':
      case 'fast':
        lan.maxDelayMs = kind === 'slow' ? 1_500 : 2;
        break;
      default:
        for (const each of kind.startsWith('api of all') ? lan.nodes : [node]) {
          each.api = kind.split(' ').at(-1) as ApiMode;
        }
    }
    await lan.run(waitMs, () => watch?.(lan));
  }
  cut.clear();
  lan.maxDelayMs = 2;
  lan.replyLoss = 0;
  for (const node of lan.nodes) {
    node.thaw();
    node.boot();
    node.api = 'answers';
    // Who asked to be handed over to has been, or has gone.
    node.election.claimed('public.0', undefined);
  }
  return lan;
}

const isCertain = ({ election }: Speaker) => !election.isUncertain('public.0');
const namesOf = (nodes: readonly Speaker[]) => nodes.map(({ name }) => name);

describe('nodes that elect an owner by Lease', function () {
  this.timeout(120_000);

  it('never answer two at a time, but one that no API server answers until it hears of another, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const whole = { ...world, events: world.events.filter(({ kind }) => kind !== 'cut') };
        const { watch, begin } = neverTwo();
        const lan = await play(whole, watch, begin);
        await lan.run(10_000, () => watch(lan));
      }),
      { numRuns: 50 },
    );
  });

  it('answer nothing when they have stood still while another took over, be it only that no API server answered them', async () => {
    const pause = fc.record({
      seed: fc.integer(),
      rates: fc.array(fc.double({ min: 0.98, max: 1.02, noNaN: true }), { minLength: 2, maxLength: 4 }),
      mode: fc.constantFrom<ApiMode>('hangs', 'refuses', 'fails'),
      // Others take over 2 to 3 s after the last renewal.
      afterMs: fc.integer({ min: 0, max: 3_200 }),
      lastsMs: fc.oneof(fc.integer({ min: 300, max: 1_200 }), fc.integer({ min: 1, max: 6_000 })),
    });
    await fc.assert(
      fc.asyncProperty(pause, async ({ seed, rates, mode, afterMs, lastsMs }) => {
        const { watch, begin } = neverTwo();
        const lan = new LeaseLan(rates, seededRandom(seed));
        begin(lan);
        await lan.run(5_000, () => watch(lan));
        const [owner] = lan.answering();
        owner!.api = mode;
        await lan.run(afterMs, () => watch(lan));
        owner!.freeze();
        await lan.run(lastsMs, () => watch(lan));
        owner!.thaw();
        await lan.run(1_000, () => watch(lan));
      }),
      { numRuns: 60 },
    );
  });

  it('come to exactly one owner once the network is whole, whatever happened before, and it stays', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const lan = await play(world);
        // What is under way from before may still arrive; a Lease may have to run out, and to be left to its holder.
        await lan.run(10_000);
        const [owner, ...more] = namesOf(lan.answering());
        expect(more, 'more than one answers').to.deep.equal([]);
        expect(owner !== undefined, 'somebody answers').to.equal(lan.nodes.some(({ fit }) => fit));
        await lan.run(10_000, () => expect(namesOf(lan.answering())).to.deep.equal(owner ? [owner] : []));
      }),
      { numRuns: 60 },
    );
  });

  it('lose no VIP while no API server answers anybody, be there a stranger, and move none when it is back', async () => {
    const outage = fc.record({
      seed: fc.integer(),
      rates: fc.array(fc.double({ min: 0.98, max: 1.02, noNaN: true }), { minLength: 1, maxLength: 4 }),
      mode: fc.constantFrom<ApiMode>('hangs', 'refuses', 'fails'),
      startMs: fc.integer({ min: 5_000, max: 9_000 }),
      // Long enough for the others to notice: of a shorter one that ends as the Lease does, they know nothing.
      lastsMs: fc.integer({ min: 3_200, max: 30_000 }),
      restarted: fc.option(fc.nat(3), { nil: undefined }),
      // Before the outage.
      strangerAt: fc.option(fc.nat(4_000), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(outage, async ({ seed, rates, mode, startMs, lastsMs, restarted, strangerAt }) => {
        const lan = new LeaseLan(rates, seededRandom(seed));
        if (strangerAt !== undefined) lan.after(strangerAt, () => lan.strangerEvery(700));
        await lan.run(startMs);
        const [owner] = lan.answering();
        let silentSince: number | undefined;
        const stays = () => {
          const names = namesOf(lan.answering());
          // Its time may be over for a moment before its timer, which counts milliseconds, says so.
          silentSince = names.length > 0 ? undefined : (silentSince ?? lan.now);
          if (silentSince === undefined) expect(names).to.deep.equal([owner!.name]);
          else expect(lan.now - silentSince, `nobody at ${lan.now}`).to.be.at.most(2);
        };
        stays();
        for (const node of lan.nodes) node.api = mode;
        await lan.run(lastsMs / 2, stays);
        const standby = lan.nodes[(restarted ?? 0) % rates.length]!;
        if (restarted !== undefined && standby !== owner) {
          standby.kill();
          standby.boot();
        }
        await lan.run(lastsMs / 2, stays);
        for (const node of lan.nodes) node.api = 'answers';
        await lan.run(10_000, stays);
        expect(lan.lease?.spec).to.include({ holderIdentity: owner!.name, leaseTransitions: 0 });
      }),
      { numRuns: 50 },
    );
  });

  it('are two for half a second at most after the parts of a LAN are one again, though no API server answers the former owner', async () => {
    const partition = fc.record({
      seed: fc.integer(),
      rates: fc.array(fc.double({ min: 0.98, max: 1.02, noNaN: true }), { minLength: 2, maxLength: 4 }),
      mode: fc.constantFrom<ApiMode>('hangs', 'refuses', 'fails'),
      lastsMs: fc.integer({ min: 6_000, max: 20_000 }),
    });
    await fc.assert(
      fc.asyncProperty(partition, async ({ seed, rates, mode, lastsMs }) => {
        const lan = new LeaseLan(rates, seededRandom(seed));
        await lan.run(5_000);
        const [former] = lan.answering();
        former!.api = mode;
        lan.loses = (from, to) => (from === former!.id) !== (to === former!.id);
        await lan.run(lastsMs);
        expect(namesOf(lan.answering()), 'one in each part').to.include(former!.name).and.to.have.length(2);
        lan.loses = () => false;
        await lan.run(HOLD_EVERY_MS / Math.min(...rates) + 2 * LATENCY_MS);
        expect(namesOf(lan.answering())).to.have.length(1).and.to.not.include(former!.name);
      }),
      { numRuns: 30 },
    );
  });
});

/** Watches for a second one that answers, be it a question that waited in a socket for long. */
function neverTwo() {
  /** Since when each of those answers who do. */
  let since = new Map<Speaker, number>();
  const late: string[] = [];
  return {
    watch: (lan: LeaseLan) => {
      const owners = lan.answering();
      expect(namesOf(owners.filter(isCertain)), `at ${lan.now}`).to.have.length.at.most(1);
      expect(late).to.deep.equal([]);
      since = new Map(owners.map((node) => [node, since.get(node) ?? lan.now]));
      const [, second] = [...since.values()].sort((a, b) => a - b);
      if (second !== undefined) expect(lan.now - second, `${namesOf(owners)}`).to.be.at.most(2 * LATENCY_MS);
    },
    begin: (lan: LeaseLan) => {
      lan.askEvery(37);
      lan.onAnswer = (node) => {
        for (const [other, at] of since) {
          // That one has just taken over, and the other one has yet to hear of it.
          if (isCertain(node) && !isCertain(other)) continue;
          if (other !== node && lan.now - at > 2 * LATENCY_MS) late.push(`${node.name} after ${other.name}`);
        }
      };
    },
  };
}
