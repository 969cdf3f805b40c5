/** Laws of the lock, in worlds where everything fails that can. */
import { expect } from 'chai';
import fc from 'fast-check';
import { seededRandom } from './testing.js';
import { Contender, perfectNetwork, takeovers, World } from './world.spec.helpers.js';

const FAULTS_UNTIL = 40_000;

interface Fault {
  at: number;
  kind: 'pause' | 'suspend' | 'restart' | 'wall clock' | 'ineligible' | 'release';
  who: number;
  ms: number;
}

const fault: fc.Arbitrary<Fault> = fc.record({
  at: fc.integer({ min: 0, max: FAULTS_UNTIL }),
  kind: fc.constantFrom<Fault['kind'][]>('pause', 'suspend', 'restart', 'wall clock', 'ineligible', 'release'),
  who: fc.nat(2),
  // Shorter than a request too.
  ms: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 8_000 })),
});

const machine = fc.record({
  // Two machines may drift apart by 4 %, of the 10 % that the default margin allows.
  rate: fc.double({ min: 0.98, max: 1.02, noNaN: true }),
  wallOffsetMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
  watches: fc.boolean(),
  // Just in time for its requests.
  replyDelayMs: fc.constantFrom(0, 0, 800),
  renewInStep: fc.boolean(),
});

const chance = fc.double({ min: 0, max: 0.4, noNaN: true });
const network = fc.record({
  maxDelayMs: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 4_000 })),
  requestLoss: chance,
  replyLoss: chance,
  watchLoss: chance,
  refusal: chance,
});

describe('LeaseLock, in any world', () => {
  it('has never two leaders, and one again when the faults have ended', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(machine, { minLength: 2, maxLength: 3 }),
        network,
        fc.array(fault, { maxLength: 25 }),
        async (seed, machines, faultyNetwork, faults) => {
          const world = new World(seededRandom(seed));
          world.network = faultyNetwork;
          machines.forEach((options, i) => {
            new Contender(world, { identity: `node-${i}`, startDelayMs: () => i * 50, ...options }).lock.start();
          });
          for (const planned of faults) world.after(planned.at, () => commit(world, planned));

          const atMostOne = () =>
            expect(world.leaders().length, `leaders ${world.leaders()} at ${world.now}`).to.be.at.most(1);
          await world.runUntil(FAULTS_UNTIL + 8_000, atMostOne);
          world.network = perfectNetwork;
          for (const contender of world.contenders) contender.lock.setEligible(true);
          // What is under way from before may still arrive (4 s there, 4 s back); a lease may have to run out, twice.
          await world.runUntil(world.now + 20_000, atMostOne);
          expect(world.leaders()).to.have.length(1);

          for (const { log } of world.contenders) {
            log.forEach(([, event], i) => {
              // 'lost' is not heard from a process that was restarted.
              expect(event).to.be.oneOf(['acquired', 'lost']);
              if (event === 'lost') expect(log[i - 1]?.[1]).to.equal('acquired');
            });
          }
          const transitions = world.lease?.spec?.leaseTransitions ?? 0;
          expect(transitions).to.be.at.least(takeovers(world.history) - 1);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('LeaseLock, when no API server answers for a while', () => {
  it('leaves the Lease with its holder if that lives on, however long and in whatever way', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(machine, { minLength: 2, maxLength: 4 }),
        fc.constantFrom('hangs', 'refuses'),
        // Long enough for the others to notice: of a shorter one that ends as the Lease does, they know nothing.
        fc.integer({ min: 3_200, max: 30_000 }),
        async (seed, machines, way, outageMs) => {
          const world = new World(seededRandom(seed));
          machines.forEach((options, i) => {
            new Contender(world, { identity: `node-${i}`, startDelayMs: () => i * 50, ...options }).lock.start();
          });
          await world.runUntil(2_000 + world.random() * 5_000);
          const [holder] = world.leaders();
          world.network = {
            ...perfectNetwork,
            ...(way === 'hangs' ? { requestLoss: 1, watchLoss: 1 } : { refusal: 1 }),
          };
          await world.runUntil(world.now + outageMs);
          world.network = perfectNetwork;
          await world.runUntil(world.now + 8_000);
          expect(world.leaders()).to.deep.equal([holder]);
          expect(takeovers(world.history)).to.equal(1);
        },
      ),
      { numRuns: 100 },
    );
  });
});

function commit(world: World, { kind, who, ms }: Fault): void {
  const contender = world.contenders[who % world.contenders.length]!;
  switch (kind) {
    case 'pause':
      contender.pause(ms);
      return;
    case 'suspend':
      contender.suspend(ms);
      return;
    case 'restart':
      contender.deliver(() => contender.restart());
      return;
    case 'wall clock':
      contender.wallOffsetMs += ms * 1_000;
      return;
    case 'ineligible':
      contender.deliver(() => contender.lock.setEligible(false));
      world.after(ms, () => contender.deliver(() => contender.lock.setEligible(true)));
      return;
    case 'release':
      contender.deliver(() => {
        const { lock } = contender;
        void lock.stop({ release: true }).then(() => contender.lock === lock && contender.restart());
      });
      return;
  }
}
