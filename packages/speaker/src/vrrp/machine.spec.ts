import { expect } from 'chai';
import fc from 'fast-check';
import { VrrpMachine, type VrrpSettings } from './machine.js';
import { SimulatedLan } from './network.spec.helpers.js';

const A = 100;
const settings = (priority: number, more: Partial<VrrpSettings> = {}): VrrpSettings => ({
  priority,
  intervalMs: A,
  preempt: false,
  preemptDelayMs: 0,
  ...more,
});
const heard = (priority: number, from = 9n, intervalMs = A) => ({ priority, from, intervalMs });

/** A machine of priority 100 that has become active at 0 + Down. */
function active(more: Partial<VrrpSettings> = {}): { machine: VrrpMachine; now: number } {
  const machine = new VrrpMachine(5n, settings(100, more));
  machine.start(0);
  const now = machine.nextAt!;
  machine.tick(now);
  return { machine, now };
}

describe('a virtual router', () => {
  for (const [priority, down] of [
    [100, 360.9],
    [200, 321.9],
    [254, 300.8],
  ] as const) {
    it(`waits ${down} ms for the active router with priority ${priority} and 100 ms`, () => {
      const machine = new VrrpMachine(1n, settings(priority));
      machine.start(0);
      expect(machine.nextAt).to.be.closeTo(down, 0.1);
      expect(machine.tick(machine.nextAt! - 0.01)).to.deep.equal([]);
      expect(machine.tick(machine.nextAt!)).to.deep.equal([{ kind: 'send', priority }, { kind: 'own' }]);
    });
  }

  it('counts from the last advertisement, also from one that was sent without it, and from none that was before that', () => {
    const { machine, now } = active();
    machine.advertised(now + 40);
    expect(machine.nextAt).to.equal(now + 40 + A);
    machine.advertised(now - A);
    expect(machine.nextAt).to.equal(now + 40 + A);
    expect([40, 41].map((ms) => machine.mayAnswer(now + 2.75 * A - 1 + ms))).to.deep.equal([true, false]);
  });

  it('waits on for the active router, whatever it advertised itself before that', () => {
    const { machine, now } = active();
    machine.receive(heard(150), now + 10);
    const { nextAt } = machine;
    machine.advertised(now + 20);
    expect([machine.state, machine.nextAt, machine.mayAnswer(now + 21)]).to.deep.equal(['backup', nextAt, false]);
  });

  it('waits the skew alone when the active router says that it stops', () => {
    const machine = new VrrpMachine(1n, settings(100));
    machine.start(0);
    machine.receive(heard(150), 50);
    machine.receive(heard(0), 60);
    expect(machine.nextAt! - 60).to.be.closeTo(60.9, 0.1);
  });

  it('goes by the interval that the active router advertises', () => {
    const machine = new VrrpMachine(1n, settings(100));
    machine.start(0);
    machine.receive(heard(150, 9n, 1000), 50);
    expect(machine.nextAt! - 50).to.be.closeTo(3609.4, 0.1);
  });

  it('says that it stops, after it has withdrawn', () => {
    const { machine, now } = active();
    expect(machine.stop('test').map(({ kind }) => kind)).to.deep.equal(['yield', 'send']);
    expect(machine.mayAnswer(now)).to.equal(false);
    expect(machine.nextAt).to.equal(undefined);
  });

  const rivals: [string, number, bigint, boolean][] = [
    ['a higher priority', 101, 1n, true],
    ['its own priority and a higher address', 100, 6n, true],
    ['its own priority and a lower address', 100, 4n, false],
    ['a lower priority', 99, 9n, false],
  ];
  for (const [what, priority, from, yields] of rivals) {
    it(`${yields ? 'yields to' : 'advertises at once against'} ${what}`, () => {
      const { machine, now } = active();
      const [action] = machine.receive(heard(priority, from), now + 10);
      expect(action?.kind).to.equal(yields ? 'yield' : 'send');
      expect(machine.state).to.equal(yields ? 'backup' : 'active');
    });
  }

  it('advertises at once and stays when another active router stops', () => {
    const { machine, now } = active();
    expect(machine.receive(heard(0), now + 10)).to.deep.equal([{ kind: 'send', priority: 100 }]);
  });

  it('leaves a lower one in place unless it is to preempt, and then not before its delay', () => {
    for (const [preempt, delay, takesOver] of [
      [false, 0, false],
      [true, 0, true],
      [true, 5_000, false],
    ] as const) {
      const machine = new VrrpMachine(1n, settings(100, { preempt, preemptDelayMs: delay }));
      machine.start(0);
      for (let now = 50; now < 1_000; now += A) {
        machine.receive(heard(50), now);
        machine.tick(now);
      }
      expect(machine.state).to.equal(takesOver ? 'active' : 'backup');
    }
  });

  it('counts the delay anew when another router becomes active: what was handed over is not taken back at once', () => {
    const machine = new VrrpMachine(1n, settings(100, { preempt: true, preemptDelayMs: 1_000 }));
    machine.start(0);
    let now = 50;
    const listen = (from: bigint, until: number) => {
      for (; now < until; now += A) {
        machine.receive({ ...heard(50), from }, now);
        machine.tick(now);
      }
    };
    listen(2n, 900);
    listen(3n, 1_800);
    expect(machine.state).to.equal('backup');
    listen(3n, 3_000);
    expect(machine.state).to.equal('active');
  });

  it('takes over when it is told to', () => {
    const machine = new VrrpMachine(1n, settings(100));
    machine.start(0);
    machine.receive(heard(150), 50);
    expect(machine.takeOver(60).map(({ kind }) => kind)).to.deep.equal(['send', 'own']);
  });

  it('is silent once it has stood still, without having been told, and begins anew', () => {
    const { machine, now } = active();
    expect(machine.mayAnswer(now + 2.7 * A)).to.equal(true);
    expect(machine.mayAnswer(now + 2.75 * A)).to.equal(false);
    expect(machine.tick(now + 3 * A).map(({ kind }) => kind)).to.deep.equal(['yield']);
    expect(machine.state).to.equal('backup');
  });
});

describe('virtual routers on a LAN', function () {
  this.timeout(60_000);
  /** The longest that takes from any state to one owner: the down interval of the lowest priority, and a message. */
  const SETTLED_MS = 3 * A + A + 10;

  const worlds = fc.record({
    priorities: fc.uniqueArray(fc.integer({ min: 1, max: 254 }), { minLength: 2, maxLength: 5 }),
    preempt: fc.boolean(),
    events: fc.array(
      fc.record({
        kind: fc.constantFrom('start', 'stop', 'freeze', 'thaw', 'cut', 'heal', 'lossy'),
        station: fc.nat(4),
        waitMs: fc.nat(3 * A),
      }),
      { maxLength: 30 },
    ),
  });

  function play(world: {
    priorities: number[];
    preempt: boolean;
    events: { kind: string; station: number; waitMs: number }[];
  }) {
    const lan = new SimulatedLan(world.priorities.map((priority) => settings(priority, { preempt: world.preempt })));
    const running = new Set<number>();
    const cut = new Set<number>();
    let coin = 0;
    for (const { kind, station, waitMs } of world.events) {
      const id = station % lan.stations.length;
      if (kind === 'start') lan.start(id);
      if (kind === 'start') running.add(id);
      if (kind === 'stop' && !lan.stations[id]!.frozen) {
        lan.stop(id);
        running.delete(id);
      }
      if (kind === 'freeze') lan.freeze(id);
      if (kind === 'thaw') lan.thaw(id);
      if (kind === 'cut') cut.add(id);
      if (kind === 'heal') cut.delete(id);
      lan.loses = (from, to) => cut.has(from) || cut.has(to) || (kind === 'lossy' && coin++ % 5 === 0);
      lan.run(waitMs);
    }
    return { lan, running };
  }

  it('come to exactly one owner once the network is whole, whatever happened before', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { lan, running } = play(world);
        lan.loses = () => false;
        for (const { id, frozen } of lan.stations) if (frozen) lan.thaw(id);
        lan.run(SETTLED_MS);
        expect(lan.answering()).to.have.length(running.size > 0 ? 1 : 0);
        expect(lan.owners()).to.deep.equal(lan.answering());
        const [owner] = lan.owners();
        lan.run(20 * A, () => expect(lan.answering()).to.have.length(running.size > 0 ? 1 : 0));
        if (!world.preempt && owner !== undefined) expect(lan.owners()).to.deep.equal([owner]);
      }),
      { numRuns: 300 },
    );
  });

  it('never answer two at a time but while a message is under way, where none is lost', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const events = world.events.filter(({ kind }) => !['cut', 'lossy'].includes(kind));
        let doubledSince: number | undefined;
        const { lan } = play({ ...world, events: [] });
        const watch = () => {
          if (lan.answering().length < 2) doubledSince = undefined;
          else doubledSince ??= lan.now;
          if (doubledSince !== undefined) expect(lan.now - doubledSince).to.be.at.most(2 * lan.latencyMs);
        };
        for (const { kind, station, waitMs } of events) {
          const id = station % lan.stations.length;
          if (kind === 'start') lan.start(id);
          if (kind === 'stop' && !lan.stations[id]!.frozen) lan.stop(id);
          if (kind === 'freeze') lan.freeze(id);
          if (kind === 'thaw') lan.thaw(id);
          lan.run(waitMs, watch);
        }
      }),
      { numRuns: 300 },
    );
  });
});
