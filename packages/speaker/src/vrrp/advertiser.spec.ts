import type { Repetition } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { Advertiser } from './advertiser.js';
import type { Outgoing } from './transport.js';

const A = 100;

function packet(virtualRouterId: number, priority = 254): Outgoing {
  return { advertisement: { virtualRouterId, priority, intervalMs: A, addresses: [] }, checksum: 'rfc9568' };
}

function setUp() {
  const world = {
    now: 1_000,
    isAll: true,
    /** Ids by call. */
    sent: [] as number[][],
    repeated: [] as { ids: number[]; repetition: Repetition; sentAt: number; ended: boolean; onMissed: () => void }[],
    missed: 0,
    errors: [] as string[],
    refuses: undefined as ((ids: number[]) => boolean) | undefined,
  };
  const idsOf = (outgoing: readonly Outgoing[]) => outgoing.map(({ advertisement }) => advertisement.virtualRouterId);
  const fail = (ids: number[]) => {
    if (world.refuses?.(ids)) throw new Error(`${ids} was refused`);
  };
  const advertiser = new Advertiser({
    intervalMs: A,
    transport: {
      send: (outgoing) => {
        fail(idsOf(outgoing));
        world.sent.push(idsOf(outgoing));
      },
      repeat: (outgoing, _, repetition, onMissed) => {
        const ids = idsOf(outgoing);
        fail(ids);
        const one = { ids, repetition, sentAt: world.now - (repetition.agoMs ?? 0), ended: false, onMissed };
        world.repeated.push(one);
        const end = () => {
          one.ended = true;
        };
        return { since: () => world.now - one.sentAt, end };
      },
    },
    clock: () => world.now,
    isAll: () => world.isAll,
    onMissed: () => void world.missed++,
    onError: (attempt, error) => world.errors.push(`${attempt}: ${error.message}`),
  });
  const known = new Map<number, Outgoing>();
  const say = (times: number, ...ids: number[]) => {
    for (let n = 0; n < times; n++) {
      world.now += A;
      for (const id of ids) {
        const same = known.get(id) ?? packet(id);
        known.set(id, same);
        // Every tenth is on the other segment.
        const uplink = id % 10 === 0 ? 'eth1' : 'eth0';
        const segment = { family: 'ipv4', uplink } as const;
        advertiser.put({ name: `public.${id}`, packet: same, segment, segmentKey: uplink });
      }
      advertiser.send();
    }
  };
  return { world, advertiser, say, known };
}

describe('Advertiser', () => {
  it('sends what is due by one call for each segment, once', () => {
    const { world, advertiser, say } = setUp();
    say(1, 1, 10, 2, 20);
    advertiser.send();
    expect(world.sent).to.deep.equal([
      [1, 2],
      [10, 20],
    ]);
  });

  it('leaves to the sockets what was the same ten times and is all', () => {
    const { world, advertiser, say } = setUp();
    say(10, 1, 10, 2);
    expect(advertiser.isRepeating).to.equal(false);
    say(1, 1, 10, 2);
    expect(advertiser.isRepeating).to.equal(true);
    expect(world.repeated.map(({ ids, repetition }) => [ids, repetition])).to.deep.equal([
      [[1, 2], { everyMs: A, withinMs: 275, agoMs: 0 }],
      [[10], { everyMs: A, withinMs: 275, agoMs: 0 }],
    ]);
  });

  it('does not while there is something else to be sent, or it is not always the same', () => {
    const { world, advertiser, say, known } = setUp();
    world.isAll = false;
    say(30, 1, 2);
    world.isAll = true;
    say(1, 1);
    known.clear();
    say(10, 1, 2);
    say(10, 2, 1);
    expect(advertiser.isRepeating).to.equal(false);
    say(1, 2, 1);
    expect(advertiser.isRepeating).to.equal(true);
  });

  it('does not while something is refused, and says so each time', () => {
    const { world, advertiser, say } = setUp();
    world.refuses = (ids) => ids.includes(10);
    say(30, 1, 10);
    expect(world.errors).to.have.length(30);
    expect(world.errors[0]).to.equal('advertise public.10: 10 was refused');
    expect([advertiser.isRepeating, world.sent.length]).to.deep.equal([false, 30]);
  });

  it('goes on by itself where a socket does not take it over', () => {
    const { world, advertiser, say } = setUp();
    let calls = 0;
    // The eleventh time of the second segment is followed by the two repetitions.
    world.refuses = () => ++calls === 2 * 11 + 2;
    say(11, 1, 10);
    expect([advertiser.isRepeating, advertiser.repeatedAt]).to.deep.equal([false, undefined]);
    expect(world.repeated.map(({ ended }) => ended)).to.deep.equal([true]);
    expect(world.errors).to.deep.equal(['leave advertisements to the sockets: 10 was refused']);
    say(10, 1, 10);
    expect(advertiser.isRepeating).to.equal(false);
    say(1, 1, 10);
    expect(advertiser.isRepeating).to.equal(true);
  });

  it('tells when all of it went last, until it is taken back', () => {
    const { world, advertiser, say } = setUp();
    say(11, 1, 10);
    world.now += 250;
    world.repeated[0]!.sentAt = world.now - 20;
    world.repeated[1]!.sentAt = world.now - 40;
    expect(advertiser.repeatedAt).to.equal(world.now - 40);
    expect(advertiser.take()).to.equal(world.now - 40);
    expect(world.repeated.map(({ ended }) => ended)).to.deep.equal([true, true]);
    expect([advertiser.isRepeating, advertiser.repeatedAt, advertiser.take()]).to.deep.equal([
      false,
      undefined,
      undefined,
    ]);
    say(10, 1, 10);
    expect(advertiser.isRepeating).to.equal(false);
  });

  it('counts from when it was sent, however long it took until it was left to the sockets', () => {
    const { world, say } = setUp();
    world.refuses = () => {
      world.now += 3 * A;
      return false;
    };
    say(11, 1);
    expect(world.repeated[0]!.repetition.agoMs).to.equal(3 * A);
  });

  it('passes on what a socket missed', () => {
    const { world, say } = setUp();
    say(11, 1);
    world.repeated[0]!.onMissed();
    expect(world.missed).to.equal(1);
  });
});
