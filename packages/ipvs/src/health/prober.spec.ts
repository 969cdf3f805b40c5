import { expect } from 'chai';
import fc from 'fast-check';
import { FakeNetwork, FakeTimers } from './fake-timers.spec.helpers.js';
import type { Probe } from './probe.js';
import { Prober, type ProberOptions } from './prober.js';

const to = (address: string): Probe => ({ kind: 'tcp', address, port: 80 });
const REFUSED = { ok: false, reason: 'refused' } as const;

function world(options: Partial<ProberOptions> = {}) {
  const timers = new FakeTimers();
  const network = new FakeNetwork(timers);
  const changes: { at: number; key: string; healthy: boolean; reason: string }[] = [];
  const prober = new Prober({
    intervalMs: 1_000,
    timeoutMs: 1_000,
    fall: 2,
    rise: 2,
    send: network.send,
    timers,
    onChange: (key, healthy, reason) => changes.push({ at: timers.now(), key, healthy, reason }),
    ...options,
  });
  return { timers, network, prober, changes };
}

describe('the prober', function () {
  this.timeout(20_000); // much simulated time, on a machine that may be busy

  it('knows a target that falls silent at any moment at most fall × interval + time-out later, and not before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.string(), (diesAt, key) => {
        const { timers, network, prober, changes } = world();
        prober.set(key, to('10.0.0.1'));
        prober.start();
        timers.advance(diesAt);
        network.answer = () => 'silence';
        timers.advance(3_000);
        expect(changes.map(({ healthy }) => healthy)).to.deep.equal([false]);
        expect(changes[0]!.at - diesAt)
          .to.be.at.most(3_000)
          .and.above(1_000);
        expect(changes[0]!.reason).to.equal('no answer within 1000 ms');
      }),
    );
  });

  it('asks every target once an interval, and spreads them over it', () => {
    const { timers, network, prober } = world();
    const addresses = Array.from({ length: 100 }, (_, n) => `10.0.0.${n}`);
    for (const address of addresses) prober.set(address, to(address));
    prober.start();
    expect(network.sent, 'all at once at the start').to.have.length(100);
    timers.advance(10_000);
    for (const address of addresses) {
      const [first, ...times] = network.times(address);
      expect(first).to.equal(0);
      expect(times).to.have.length(10);
      expect(times[0]).to.be.within(1, 1_000);
      for (let n = 1; n < times.length; n++) expect(times[n]! - times[n - 1]!).to.be.closeTo(1_000, 0.01);
    }
    const moments = new Set(addresses.map((address) => network.times(address)[1]));
    expect(moments.size).to.be.above(30);
  });

  it('asks a few targets together, so that it wakes up once an interval for all of them', () => {
    const { timers, network, prober } = world();
    const addresses = Array.from({ length: 16 }, (_, n) => `10.0.0.${n}`);
    prober.start();
    for (const address of addresses) prober.set(address, to(address));
    timers.advance(10_000);
    const moments = new Set(addresses.flatMap((address) => network.times(address).slice(1)));
    expect(moments.size).to.be.within(9, 10);
  });

  it('leaves nobody out for longer than an interval while others come and go, are spread and put together again', () => {
    const others = fc.integer({ min: 0, max: 40 });
    const restMs = fc.integer({ min: 0, max: 1_500 });
    fc.assert(
      fc.property(fc.string(), fc.array(fc.tuple(others, restMs), { maxLength: 8 }), (key, steps) => {
        const { timers, network, prober } = world();
        prober.set(key, to('10.0.1.1'));
        prober.start();
        for (const [count, ms] of steps) {
          for (let n = 0; n < 40; n++) {
            if (n < count) prober.set(`other ${n}`, to(`10.0.0.${n}`));
            else prober.remove(`other ${n}`);
          }
          timers.advance(ms);
        }
        const times = [...network.times('10.0.1.1'), timers.now()];
        for (let n = 1; n < times.length; n++) expect(times[n]! - times[n - 1]!).to.be.at.most(1_000.01);
      }),
    );
  });

  it('begins with a new target at once, and does not ask it twice for that', () => {
    const { timers, network, prober } = world();
    prober.start();
    timers.advance(12_345);
    prober.set('a', to('10.0.0.1'));
    timers.advance(1);
    expect(network.times('10.0.0.1')).to.deep.equal([12_345]);
    timers.advance(3_000);
    expect(network.times('10.0.0.1')).to.have.length(4);
  });

  it('asks no more than so many a second, and stretches the interval for that', () => {
    const { timers, network, prober } = world({ perSecond: 100 });
    for (let n = 0; n < 1_000; n++) prober.set(`t${n}`, to(`10.0.${n >> 8}.${n & 255}`));
    prober.start();
    expect(network.sent).to.have.length(100);
    timers.advance(60_000);
    expect(network.sent.length).to.be.within(100 + 5_900, 100 + 6_100);
    expect(prober.counters()).to.include({ targets: 1_000, intervalMs: 10_000 });
    for (let n = 0; n < 1_000; n++) expect(network.times(`10.0.${n >> 8}.${n & 255}`).length).to.be.within(5, 8);
  });

  it('never has more unanswered probes than allowed, and asks the others afterwards', () => {
    const { timers, network, prober, changes } = world({ concurrency: 10 });
    network.answer = () => 'silence';
    for (let n = 0; n < 25; n++) prober.set(`t${n}`, to(`10.0.0.${n}`));
    prober.start();
    timers.advance(3_000);
    expect(network.mostUnanswered).to.equal(10);
    expect(new Set(changes.map(({ key }) => key)).size).to.equal(25);
    expect(prober.counters()).to.include({ targets: 25, unhealthy: 25, passed: 0 });
    expect(prober.counters().deferred).to.be.above(0);
  });

  it('does not take its own standstill for the silence of others', () => {
    const { timers, network, prober, changes } = world({ fall: 1 });
    prober.set('a', to('10.0.0.1'));
    prober.start();
    timers.advance(10);
    const before = network.sent.length;
    while (network.sent.length === before) timers.advance(1);
    timers.freeze(5_000); // the answer has come, and waits to be read behind the timer of the time-out
    timers.advance(0);
    timers.advance(2_000);
    expect(changes).to.deep.equal([]);
    expect(prober.counters().failed).to.equal(0);
  });

  it('does not make up for what it slept through', () => {
    const { timers, network, prober } = world();
    prober.set('a', to('10.0.0.1'));
    prober.start();
    timers.advance(5_000);
    const before = network.sent.length;
    timers.freeze(60_000);
    timers.advance(1_000);
    expect(network.sent.length - before).to.be.within(1, 2);
  });

  it('forgets a target that is gone, and takes one with another question for a new one', () => {
    const { timers, network, prober, changes } = world();
    network.answer = () => 'silence';
    prober.set('a', to('10.0.0.1'));
    prober.start();
    timers.advance(500);
    network.answer = () => ({ ok: true });
    prober.set('a', to('10.0.0.2'));
    timers.advance(2_000);
    expect(changes).to.deep.equal([]);
    prober.remove('a');
    expect([network.unanswered, timers.pending, prober.healthy('a')]).to.deep.equal([0, 0, true]);
  });

  it('asks nothing that it is told to skip, keeps its verdict, and waits for no answer', async () => {
    let skipped = false;
    const { timers, network, prober } = world({ skip: () => skipped });
    network.answer = () => REFUSED;
    prober.set('a', to('10.0.0.1'));
    prober.start();
    timers.advance(1);
    skipped = true;
    prober.set('b', to('10.0.0.2'));
    await prober.firstRound();
    const before = network.sent.length;
    timers.advance(10_000);
    expect(network.sent).to.have.length(before);
    expect([prober.healthy('a'), prober.healthy('b')]).to.deep.equal([false, true]);
    expect(prober.reason('a')).to.equal('refused');
  });

  it('leaves nothing behind when it is stopped', () => {
    const { timers, network, prober } = world({ concurrency: 3 });
    network.answer = () => 'silence';
    for (let n = 0; n < 9; n++) prober.set(`t${n}`, to(`10.0.0.${n}`));
    prober.start();
    timers.advance(100);
    prober.stop();
    expect([network.unanswered, timers.pending]).to.deep.equal([0, 0]);
  });
});
