/** What a lock does, told as stories: in virtual time, so that seconds cost nothing. */
import { expect } from 'chai';
import type { LeaseObject } from './lease.js';
import type { Attempt } from './lease-lock.js';
import { seededRandom } from './testing.js';
import { Contender, World } from './world.spec.helpers.js';

describe('LeaseLock', () => {
  let world: World;

  beforeEach(() => {
    world = new World(seededRandom(7));
  });

  function contender(identity: string, options = {}): Contender {
    return new Contender(world, { identity, ...options });
  }

  /** `a` leads, `b` stands by. */
  async function pair(options = {}): Promise<[Contender, Contender]> {
    const a = contender('a', options);
    const b = contender('b', options);
    a.lock.start();
    await world.runUntil(100);
    b.lock.start();
    await world.runUntil(1_500);
    expect(world.leaders()).to.deep.equal(['a']);
    return [a, b];
  }

  function leaseOf(holder: string, spec = {}): LeaseObject {
    return {
      metadata: { namespace: 'spec', name: 'lease', labels: { theirs: 'kept' } },
      spec: { holderIdentity: holder, leaseDurationSeconds: 3, leaseTransitions: 4, ...spec },
    };
  }

  describe('acquiring', () => {
    it('creates a Lease that is not there, at once', async () => {
      const a = contender('a', { labels: { app: 'spec' } });
      a.lock.start();
      await world.runUntil(20);
      expect(a.lock.isLeader()).to.equal(true);
      expect(a.lock.holder).to.equal('a');
      expect(world.lease).to.nested.include({
        'metadata.name': 'lease',
        'metadata.labels.app': 'spec',
        'spec.holderIdentity': 'a',
        'spec.leaseDurationSeconds': 3,
        'spec.leaseTransitions': 0,
      });
      expect(world.lease?.spec?.renewTime).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    });

    it('takes a released Lease at once, keeps what others put there and counts the transition', async () => {
      world.store(leaseOf(''));
      const a = contender('a', { labels: { app: 'spec' } });
      a.lock.start();
      await world.runUntil(20);
      expect(a.lock.isLeader()).to.equal(true);
      expect(world.lease?.metadata?.labels).to.deep.equal({ theirs: 'kept', app: 'spec' });
      expect(world.lease?.spec?.leaseTransitions).to.equal(5);
    });

    it("waits for another holder's whole lease duration from when it first saw the Lease, whatever time it says", async () => {
      for (const renewTime of ['1999-01-01T00:00:00.000000Z', '2999-01-01T00:00:00.000000Z']) {
        world = new World(seededRandom(7));
        world.store(leaseOf('gone', { renewTime }));
        const a = contender('a');
        a.lock.start();
        await world.runUntil(2_990);
        expect(a.lock.isLeader()).to.equal(false);
        await world.runUntil(3_100);
        expect(a.lock.isLeader()).to.equal(true);
      }
    });

    it("believes the duration that is written in the holder's Lease, not its own", async () => {
      world.store(leaseOf('gone', { leaseDurationSeconds: 8 }));
      const a = contender('a');
      a.lock.start();
      await world.runUntil(7_990);
      expect(a.lock.isLeader()).to.equal(false);
      await world.runUntil(8_100);
      expect(a.lock.isLeader()).to.equal(true);
    });

    it('goes on with a Lease of its own from an earlier life without waiting, and counts no transition', async () => {
      world.store(leaseOf('a'));
      const a = contender('a');
      a.lock.start();
      await world.runUntil(20);
      expect(a.lock.isLeader()).to.equal(true);
      expect(world.lease?.spec?.leaseTransitions).to.equal(4);
    });

    it('finds out that a write succeeded whose answer was lost', async () => {
      const a = contender('a');
      world.network = { ...world.network, replyLoss: 1 };
      a.lock.start();
      await world.runUntil(10);
      world.network = { ...world.network, replyLoss: 0 };
      await world.runUntil(2_500);
      expect(a.lock.isLeader()).to.equal(true);
      expect(world.lease?.spec?.leaseTransitions).to.equal(0);
    });

    it('does not take an answer for leadership that comes when its time is over', async () => {
      const a = contender('a');
      a.lock.start();
      world.after(1, () => a.pause(4_000));
      await world.runUntil(4_000);
      expect(a.log).to.deep.equal([]);
      await world.runUntil(4_100);
      // It asked anew when it woke up.
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired']);
      expect(a.lock.deadline).to.be.above(1_000 + 4_000 + 2_600);
    });
  });

  describe('holding', () => {
    it('renews every renewPeriodMs, and tells until when it may be relied on', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(10_000);
      expect(world.history.length).to.be.within(10, 11);
      expect(a.log).to.have.length(1);
      // The spec's monotonic clock is 1000 ahead of true time; 2700 = 3000 less 10 %.
      expect(a.lock.deadline - (world.now + 1_000)).to.be.within(1_600, 2_700);
    });

    it('tries again after retryPeriodMs when a renewal fails, and keeps the Lease', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(900);
      world.network = { ...world.network, refusal: 1 };
      await world.runUntil(2_000);
      world.network = { ...world.network, refusal: 0 };
      await world.runUntil(6_000);
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired']);
    });

    it('says "lost" when renewals fail for too long, counted from when the last good one was sent', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(20);
      const deadline = a.lock.deadline - 1_000;
      world.network = { ...world.network, requestLoss: 1 };
      await world.runUntil(10_000);
      expect(a.log[1]?.[1]).to.equal('lost');
      expect(a.log[1]![0]).to.be.within(deadline, deadline + 1);
      expect(a.lock.isLeader()).to.equal(false);
      world.network = { ...world.network, requestLoss: 0 };
      await world.runUntil(12_000);
      expect(a.lock.isLeader()).to.equal(true);
    });

    it('aborts the signal of its leadership before it says "lost"', async () => {
      const a = contender('a');
      const told: unknown[] = [];
      a.lock.on('acquired', (signal) => {
        told.push(signal.aborted);
        signal.addEventListener('abort', () => told.push('aborted', signal.reason.code, a.lock.isLeader()));
      });
      a.lock.on('lost', (reason) => told.push(reason));
      a.lock.start();
      await world.runUntil(20);
      await stop(a, true);
      expect(told).to.deep.equal([false, 'aborted', 'FL_LEASE_LOST', false, 'stopped']);
    });

    it('is no leader the moment it wakes from a freeze, before any timer has run', async () => {
      const [a, b] = await pair();
      a.pause(6_000);
      await world.runUntil(7_000);
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired']);
      expect(a.lock.isLeader()).to.equal(false);
      expect(b.lock.isLeader()).to.equal(true);
      await world.runUntil(7_600);
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired', 'lost']);
      expect(a.lock.holder).to.equal('b');
    });

    it('is no leader when the machine has slept, though its monotonic clock has not moved', async () => {
      const [a, b] = await pair();
      a.suspend(60_000);
      await world.runUntil(30_000);
      expect([a.lock.isLeader(), b.lock.isLeader()]).to.deep.equal([false, true]);
    });

    it('keeps its Lease through changes that others make to it', async () => {
      const [a, b] = await pair();
      world.store({ ...world.lease!, metadata: { ...world.lease!.metadata, labels: { by: 'kubectl' } } });
      await world.runUntil(10_000);
      expect([a.lock.isLeader(), b.log.length]).to.deep.equal([true, 0]);
      expect(world.lease?.metadata?.labels).to.deep.equal({ by: 'kubectl' });
    });

    it('steps down when somebody else stands in the Lease', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(100);
      world.store({ ...world.lease!, spec: { ...world.lease!.spec, holderIdentity: 'b' } });
      await world.runUntil(110);
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired', 'lost']);
      expect(a.lock.holder).to.equal('b');
    });

    it('is not confused by old news', async () => {
      const a = contender('a', { watches: false });
      world.store(leaseOf(''));
      const old = structuredClone(world.lease!);
      a.lock.start();
      await world.runUntil(1_500);
      a.lock.observe({ ...old, spec: { ...old.spec, holderIdentity: 'b' } });
      a.lock.observe(undefined);
      await world.runUntil(5_000);
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired']);
    });

    it('makes the Lease again when it was deleted', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(100);
      world.delete();
      await world.runUntil(200);
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired', 'lost', 'acquired']);
    });
  });

  describe('standing by', () => {
    it('costs no request while a watch shows that the holder renews', async () => {
      const [, b] = await pair();
      const before = b.requests;
      await world.runUntil(60_000);
      expect(b.requests).to.equal(before);
      expect(b.lock.holder).to.equal('a');
    });

    it('looks once per lease duration when there is no watch', async () => {
      const [, b] = await pair({ watches: false });
      const before = b.requests;
      await world.runUntil(31_500);
      expect(b.requests - before).to.be.within(9, 11);
      expect(b.log).to.deep.equal([]);
    });

    it('takes over when the holder has not renewed for the lease duration', async () => {
      const [a, b] = await pair();
      const lastRenewal = 1_000;
      a.pause(60_000);
      await world.runUntil(10_000);
      expect(b.log[0]?.[0]).to.be.within(lastRenewal + 3_000, lastRenewal + 3_120);
    });

    it('takes over at once when the holder releases', async () => {
      const [a, b] = await pair();
      await stop(a, true);
      await world.runUntil(world.now + 20);
      expect(b.lock.isLeader()).to.equal(true);
      expect(world.lease?.spec?.leaseTransitions).to.equal(1);
    });

    it('looks before it takes over, so a watch that has died costs the holder nothing', async () => {
      const [a, b] = await pair({ watches: false });
      await world.runUntil(30_000);
      expect([world.conflicts, a.log.length, b.log.length]).to.deep.equal([0, 1, 0]);
    });

    it('waits for the expiry it knows of when the Lease is deleted', async () => {
      const [a, b] = await pair();
      a.pause(60_000);
      world.delete();
      await world.runUntil(3_900);
      expect(b.lock.isLeader()).to.equal(false);
      await world.runUntil(4_200);
      expect(b.lock.isLeader()).to.equal(true);
    });

    it('in order: the best candidate wins, and nobody collides', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(100);
      const others = ['b', 'c', 'd', 'e'].map((name, i) => contender(name, { startDelayMs: () => (3 - i) * 50 }));
      for (const { lock } of others) lock.start();
      await world.runUntil(1_500);
      a.pause(60_000);
      await world.runUntil(10_000);
      expect(world.leaders()).to.deep.equal(['e']);
      expect(world.conflicts).to.equal(0);
    });

    it('in order: the next one comes up when the best candidate is gone too', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(100);
      const best = contender('best');
      contender('next', { startDelayMs: () => 50 }).lock.start();
      best.lock.start();
      await world.runUntil(1_500);
      a.pause(60_000);
      best.pause(60_000);
      await world.runUntil(4_200);
      expect(world.leaders()).to.deep.equal(['next']);
    });
  });

  describe('eligibility', () => {
    it('an ineligible holder withdraws first and releases then', async () => {
      const [a, b] = await pair();
      let releasedBeforeLost: boolean | undefined;
      a.lock.on('lost', () => {
        releasedBeforeLost = world.lease?.spec?.holderIdentity !== 'a';
      });
      a.lock.setEligible(false);
      expect([a.lock.isLeader(), releasedBeforeLost]).to.deep.equal([false, false]);
      await world.runUntil(world.now + 20);
      expect(b.lock.isLeader()).to.equal(true);
      await world.runUntil(world.now + 10_000);
      expect(a.log).to.have.length(2);
    });

    it('an ineligible contender leaves a free Lease alone until it is eligible', async () => {
      world.store(leaseOf(''));
      const a = contender('a', { eligible: false });
      a.lock.start();
      await world.runUntil(5_000);
      expect([a.requests, a.lock.isLeader()]).to.deep.equal([0, false]);
      a.lock.setEligible(true);
      await world.runUntil(5_020);
      expect(a.lock.isLeader()).to.equal(true);
    });

    it('a holder that is eligible again before its renewal is answered keeps the Lease, and leads alone', async () => {
      const [a, b] = await pair({ replyDelayMs: 400 });
      let wrote = world.history.length;
      while (world.history.length === wrote) await world.runUntil(world.now + 1);
      wrote = world.history.length;
      a.lock.setEligible(false);
      a.lock.setEligible(true);
      expect(a.lock.isLeader()).to.equal(false);
      await world.runUntil(world.now + 500, () => expect(b.lock.isLeader()).to.equal(false));
      expect([a.lock.isLeader(), world.history.length]).to.deep.equal([true, wrote]);
    });

    it('a Lease that is won after eligibility was lost is released again, unannounced', async () => {
      const a = contender('a');
      world.store(leaseOf(''));
      world.network = { ...world.network, maxDelayMs: 40 };
      a.lock.start();
      while (world.lease?.spec?.holderIdentity !== 'a') await world.runUntil(world.now + 1);
      a.lock.setEligible(false);
      await world.runUntil(world.now + 200);
      expect(a.log).to.deep.equal([]);
      expect(world.lease?.spec?.holderIdentity).to.equal('');
    });

    it('a listener that fails to withdraw leaves the Lease to expire', async () => {
      const [a, b] = await pair();
      a.lock.on('lost', () => {
        throw new Error('cannot withdraw');
      });
      const uncaught = await nextUncaught(() => a.lock.setEligible(false));
      expect(uncaught.message).to.equal('cannot withdraw');
      await world.runUntil(2_500);
      expect([world.lease?.spec?.holderIdentity, b.lock.isLeader()]).to.deep.equal(['a', false]);
      await world.runUntil(5_000);
      expect(b.lock.isLeader()).to.equal(true);
    });
  });

  describe('stop()', () => {
    it('with release leaves the Lease without holder, for a second, with its transitions', async () => {
      const [a] = await pair();
      const version = world.history.length;
      await stop(a, true);
      const released = world.history[version]!;
      expect(released.spec).to.include({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 });
    });

    it('without release leaves the Lease to expire', async () => {
      const [a, b] = await pair();
      await stop(a, false);
      expect(a.lock.isLeader()).to.equal(false);
      expect(a.log.map(([, event]) => event)).to.deep.equal(['acquired', 'lost']);
      await world.runUntil(3_900);
      expect(b.lock.isLeader()).to.equal(false);
      await world.runUntil(4_200);
      expect(b.lock.isLeader()).to.equal(true);
    });

    it('with release gives up when the API server does not answer and the Lease has run out', async () => {
      const [a] = await pair();
      world.network = { ...world.network, requestLoss: 1 };
      await stop(a, true);
      expect(world.now).to.be.within(3_000, 5_000);
    });

    it('with release finds its way when a renewal was under way', async () => {
      const [a] = await pair();
      world.network = { ...world.network, maxDelayMs: 50 };
      const requests = a.requests;
      while (a.requests === requests) await world.runUntil(world.now + 1);
      await stop(a, true);
      expect(world.history.filter((lease) => lease.spec?.holderIdentity === '')).to.have.length(1);
    });

    it('is the end: nothing is sent or said after it', async () => {
      const a = contender('a');
      a.lock.start();
      await world.runUntil(1_000);
      await stop(a, true);
      const before = [a.requests, a.log.length];
      await world.runUntil(20_000);
      expect([a.requests, a.log.length]).to.deep.equal(before);
    });

    it('of one that was never started, or twice, resolves too', async () => {
      const a = contender('a');
      await a.lock.stop({ release: true });
      await a.lock.stop({ release: false });
    });
  });

  it('reports every attempt, with what came of it', async () => {
    const a = contender('a');
    const attempts: Attempt[] = [];
    a.lock.on('attempt', (attempt) => attempts.push(attempt));
    a.lock.start();
    await world.runUntil(900);
    world.network = { ...world.network, refusal: 1 };
    await world.runUntil(1_100);
    const told = attempts.map(({ purpose, error }) => [purpose, (error as { code?: string } | undefined)?.code]);
    expect(told.slice(0, 2)).to.deep.equal([
      ['look', 'FL_KUBE_NOT_FOUND'],
      ['acquire', undefined],
    ]);
    expect(told[2]?.[0]).to.equal('renew');
    expect(told[2]?.[1]).to.be.oneOf(['FL_KUBE_SERVER', 'FL_KUBE_TOO_MANY_REQUESTS']);
  });

  it('tells who holds the Lease whenever that changes', async () => {
    const [a, b] = await pair();
    const holders: unknown[] = [];
    b.lock.on('holder', (identity) => holders.push(identity));
    await stop(a, true);
    await world.runUntil(world.now + 100);
    expect(holders).to.deep.equal([undefined, 'b']);
  });

  describe('options that contradict each other are refused', () => {
    for (const [name, options, text] of [
      ['renewal too rare', { renewPeriodMs: 2_600 }, /one failed renewal loses/],
      ['no margin', { marginMs: 0 }, /clocks do not run exactly alike/],
      ['below a second', { leaseDurationMs: 500 }, /counts in seconds/],
      ['no retry period', { retryPeriodMs: 0 }, /retryPeriodMs/],
      ['a renew deadline before the renewal', { renewDeadlineMs: 900 }, /renew deadline/],
    ] as const) {
      it(name, () => {
        expect(() => contender('a', options))
          .to.throw(text)
          .with.property('code', 'FL_LEASE_OPTIONS');
      });
    }
  });

  /** Stops it, and lets the world go on until that is done. */
  async function stop({ lock }: Contender, release: boolean): Promise<void> {
    let stopped = false;
    void lock.stop({ release }).then(() => {
      stopped = true;
    });
    const limit = world.now + 20_000;
    while (!stopped && world.now < limit) await world.runUntil(world.now + 1);
    expect(stopped).to.equal(true);
  }
});

/** The next uncaught exception, taken away from mocha. */
async function nextUncaught(run: () => void): Promise<Error> {
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  try {
    return await new Promise<Error>((resolve) => {
      process.once('uncaughtException', resolve);
      run();
    });
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
}
