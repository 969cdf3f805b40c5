import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import type { Contested } from './election.js';
import { LeaseElection, type Lock, type LockOptions, startDelay } from './lease-election.js';

class ScriptedLock extends EventEmitter implements Lock {
  deadline = 0;
  holder: string | undefined;
  eligible = false;
  leading = false;
  stopped: { release: boolean } | undefined;
  started = false;

  constructor(readonly options: LockOptions) {
    super();
  }
  start() {
    this.started = true;
  }
  async stop(options: { release: boolean }) {
    this.stopped = options;
  }
  isLeader() {
    return this.leading;
  }
  setEligible(eligible: boolean) {
    this.eligible = eligible;
  }
  acquire(deadline: number) {
    Object.assign(this, { leading: true, holder: 'n1', deadline });
    this.emit('acquired');
  }
  lose(reason = 'deadline passed') {
    this.leading = false;
    this.emit('lost', reason);
  }
}

function setUp({ held = [] as string[], startedAt = 0 } = {}) {
  const world = {
    held: new Set(held),
    now: startedAt,
    calls: [] as string[],
    claims: [] as string[],
    tick: () => {},
    later: () => {},
  };
  const locks = new Map<string, ScriptedLock>();
  const election = new LeaseElection({
    node: 'n1',
    createLock: (options) => {
      const lock = new ScriptedLock(options);
      locks.set(options.contested.name, lock);
      return lock;
    },
    held: {
      has: (name) => world.held.has(name),
      note: (name, isHeld) => void (isHeld ? world.held.add(name) : world.held.delete(name)),
    },
    leaseDurationMs: 3_000,
    isUnreachable: (error) => error.message === 'unreachable',
    listener: {
      own: (name, lapsed, claim) => {
        world.calls.push(`own ${name}${lapsed ? ` after ${lapsed}` : ''}`);
        world.claims.push(claim);
      },
      yield: (name, reason, handsOver) =>
        world.calls.push(`yield ${name}: ${reason}${handsOver ? ', handing over' : ''}`),
      contended: (name) => world.calls.push(`contended ${name}`),
      suspect: (node) => world.calls.push(`suspect ${node}`),
      holder: (name, node) => world.calls.push(`holder ${name} ${node}`),
    },
    clock: () => world.now,
    timers: {
      setInterval: (run) => {
        world.tick = run;
        return 1;
      },
      clearInterval: () => {},
      setTimeout: (run) => {
        world.later = run;
        return 1;
      },
    },
  });
  election.setFit(true);
  election.configure([contested('public.0')]);
  return { world, locks, election, lock: locks.get('public.0')! };
}

function contested(name: string): Contested {
  const ranking = ['n2', 'n1', 'n3'];
  return { name, leaseName: `vr-${name}`, ranking, engine: 'lease', preempt: false, vips: [] };
}

describe('election by Lease', () => {
  it('answers for a virtual router exactly while its lock leads', () => {
    const { world, election, lock } = setUp();
    expect(election.mayAnswer('public.0')).to.equal(false);
    lock.acquire(3_000);
    expect(election.mayAnswer('public.0')).to.equal(true);
    lock.leading = false; // the deadline has passed, and no timer has run yet
    expect(election.mayAnswer('public.0')).to.equal(false);
    lock.lose();
    expect(world.calls).to.deep.equal(['own public.0', 'yield public.0: deadline passed']);
  });

  for (const [what, seen, claim] of [
    ['nobody was ever seen to hold', [], 'first'],
    ['another node holds', ['n2'], 'takeover'],
    ['another node gave back', ['n2', undefined], 'takeover'],
    ['this node held in an earlier life', ['n1'], 'takeover'],
  ] as const) {
    it(`owns what ${what} as its ${claim === 'first' ? 'first owner' : 'next owner'}`, () => {
      const { world, lock } = setUp();
      for (const holder of seen) lock.emit('holder', holder);
      lock.acquire(3_000);
      world.later();
      lock.lose();
      lock.acquire(9_000);
      world.later();
      expect(world.claims).to.deep.equal([claim, 'takeover']);
    });
  }

  it('goes on answering while no API server can be reached', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('attempt', { error: new Error('unreachable') });
    world.now = 3_020;
    lock.lose();
    for (; world.now < 20_000; world.now += 200) {
      world.tick();
      expect(election.mayAnswer('public.0'), `${world.now}`).to.equal(true);
    }
    lock.emit('attempt', {});
    lock.acquire(23_000);
    expect(world.calls).to.deep.equal(['own public.0']);
  });

  it('yields at once during an outage when another station announces the VIP', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('attempt', { error: new Error('unreachable') });
    world.now = 3_020;
    lock.lose();
    election.rivalHeard('public.0');
    expect(election.mayAnswer('public.0')).to.equal(false);
    expect(world.calls.at(-1)).to.match(/^yield public.0: another station/);
  });

  it('does not yield to an announcement while its Lease stands', () => {
    const { election, lock } = setUp();
    lock.acquire(3_000);
    election.rivalHeard('public.0');
    expect(election.mayAnswer('public.0')).to.equal(true);
  });

  it('is silent after an outage during which the process was frozen', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('attempt', { error: new Error('unreachable') });
    world.now = 3_020;
    lock.lose();
    world.now = 9_000; // frozen in between: no tick
    expect(election.mayAnswer('public.0')).to.equal(false);
    world.tick();
    expect(world.calls.at(-1)).to.match(/^yield public.0: the process stood still/);
  });

  it('does not begin a holdover for a process that slept through its deadline', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('attempt', { error: new Error('unreachable') });
    world.now = 9_000;
    lock.lose();
    expect(election.mayAnswer('public.0')).to.equal(false);
  });

  it('does not begin a holdover when an API server has refused the renewal', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('attempt', { error: new Error('unreachable') });
    lock.emit('attempt', { error: new Error('forbidden') });
    world.now = 3_020;
    lock.lose();
    expect(election.mayAnswer('public.0')).to.equal(false);
  });

  it('does not begin a holdover when it steps down for being unfit', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('attempt', { error: new Error('unreachable') });
    world.now = 2_000;
    election.setFit(false);
    lock.lose('not eligible');
    expect(election.mayAnswer('public.0')).to.equal(false);
    expect(world.calls.at(-1)).to.equal('yield public.0: this node is no longer fit, handing over');
  });

  it('ends a holdover when the Lease turns out to be somebody else’s', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('attempt', { error: new Error('unreachable') });
    world.now = 3_020;
    lock.lose();
    lock.emit('holder', 'n2');
    expect(election.mayAnswer('public.0')).to.equal(false);
    expect(world.calls.slice(-2)).to.deep.equal(['yield public.0: n2 has the Lease', 'holder public.0 n2']);
  });

  it('names the node whose Lease ran out, but not one that gave it back', () => {
    const { world, lock } = setUp();
    lock.emit('holder', 'n2');
    lock.emit('holder', 'n1');
    lock.acquire(3_000);
    lock.lose();
    lock.emit('holder', 'n3');
    lock.emit('holder', undefined);
    lock.emit('holder', 'n1');
    lock.acquire(6_000);
    world.later();
    expect(world.calls.filter((call) => call.startsWith('own'))).to.deep.equal([
      'own public.0 after n2',
      'own public.0',
    ]);
  });

  it('takes up a moment later what was handed over to it, unless it has lost it again by then', () => {
    const { world, lock } = setUp();
    lock.emit('holder', 'n2');
    lock.emit('holder', undefined);
    lock.acquire(3_000);
    expect(world.calls).to.not.include('own public.0');
    world.later();
    expect(world.calls.at(-1)).to.equal('own public.0');
    lock.lose();
    lock.emit('holder', 'n2');
    lock.emit('holder', undefined);
    lock.acquire(6_000);
    lock.lose();
    world.later();
    expect(world.calls.filter((call) => call === 'own public.0')).to.have.length(1);
  });

  it('hands over to a node that claims, and lets it take the Lease', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    election.claimed('public.0', 'n2');
    expect(world.calls.at(-1)).to.equal('yield public.0: n2 takes over, handing over');
    expect(lock.eligible).to.equal(false);
    lock.leading = false;
    lock.emit('holder', undefined);
    expect(lock.eligible).to.equal(false);
    lock.emit('holder', 'n2');
    expect(lock.eligible).to.equal(true);
  });

  it('stands again when the claimant does not take over', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    election.claimed('public.0', 'n2');
    world.now = 2_000;
    world.tick();
    expect(lock.eligible).to.equal(true);
  });

  it('does not hand over to a node that is no candidate, nor to itself, nor what it does not own', () => {
    const { world, election, lock } = setUp();
    election.claimed('public.0', 'n2');
    election.claimed('public.0', undefined);
    expect(lock.eligible).to.equal(true);
    lock.acquire(3_000);
    election.claimed('public.0', 'n1');
    election.claimed('public.0', 'n9');
    expect(world.calls).to.deep.equal(['own public.0']);
  });

  it('leaves a Lease to the node that has claimed it, and takes it at once when it has claimed it itself', () => {
    const { election, lock } = setUp();
    const usual = lock.options.startDelayMs();
    election.claimed('public.0', 'n3');
    expect(lock.options.startDelayMs()).to.equal(usual + 500);
    election.claimed('public.0', 'n1');
    expect(lock.options.startDelayMs()).to.equal(0);
    election.claimed('public.0', undefined);
    expect(lock.options.startDelayMs()).to.equal(usual);
  });

  it('hands nothing over when its time has run out: another node may own already', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.leading = false; // frozen past the deadline
    election.setFit(false);
    expect(world.calls.at(-1)).to.equal('yield public.0: this node is no longer fit');
  });

  it('yields before it gives the Lease away', async () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.stop = async (options) => {
      world.calls.push('release');
      lock.stopped = options;
    };
    await election.stop({ release: true });
    expect(world.calls).to.deep.equal(['own public.0', 'yield public.0: the speaker stops, handing over', 'release']);
    expect(lock.stopped).to.deep.equal({ release: true });
  });

  it('lets go of a virtual router that is no longer contested, and ignores what its lock says later', () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    election.configure([contested('public.1')]);
    expect(lock.stopped).to.deep.equal({ release: true });
    lock.emit('holder', 'n2');
    lock.acquire(6_000);
    expect(world.calls).to.deep.equal([
      'own public.0',
      'yield public.0: no longer contested by this node, handing over',
    ]);
    expect(election.mayAnswer('public.0')).to.equal(false);
  });

  it('stands only while it is fit', () => {
    const { election, lock, locks } = setUp();
    expect(lock.eligible).to.equal(true);
    election.setFit(false);
    expect(lock.eligible).to.equal(false);
    election.configure([contested('public.0'), contested('public.1')]);
    expect(locks.get('public.1')!.eligible).to.equal(false);
  });
});

describe('an owner whose speaker has restarted', () => {
  const UNREACHABLE = { error: new Error('unreachable') };
  const restarted = (held = ['public.0']) => {
    const setting = setUp({ held });
    const wait = (ms: number) => {
      for (const end = setting.world.now + ms; setting.world.now < end; ) {
        setting.world.now += 200;
        setting.world.tick();
      }
    };
    return { ...setting, wait };
  };

  it('resumes what it held while no API server answers, once whoever reaches one would have taken over', () => {
    const { world, election, lock, wait } = restarted();
    lock.emit('attempt', UNREACHABLE);
    wait(3_800);
    expect(world.calls).to.deep.equal([]);
    wait(200);
    expect(world.calls).to.deep.equal(['own public.0']);
    expect(world.claims).to.deep.equal(['resumed']);
    wait(60_000);
    expect([election.mayAnswer('public.0'), election.isUncertain('public.0')]).to.deep.equal([true, true]);
    lock.emit('holder', 'n1');
    lock.acquire(70_000);
    expect(world.calls).to.deep.equal(['own public.0', 'holder public.0 n1']);
    expect(election.isUncertain('public.0')).to.equal(false);
  });

  const not: [string, (setting: ReturnType<typeof restarted>) => void][] = [
    ['does not when the Lease is another one’s', ({ lock }) => lock.emit('holder', 'n2')],
    ['does not when the Lease is nobody’s', ({ lock }) => lock.emit('holder', undefined)],
    ['does not while it is unfit', ({ election }) => election.setFit(false)],
    ['does not after another station was heard of', ({ election }) => election.rivalHeard('public.0')],
  ];
  for (const [behaviour, happen] of not) {
    it(behaviour, () => {
      const setting = restarted();
      setting.lock.emit('attempt', UNREACHABLE);
      happen(setting);
      setting.wait(20_000);
      expect(setting.world.calls.filter((call) => call.startsWith('own'))).to.deep.equal([]);
    });
  }

  it('does not resume what it did not hold', () => {
    const { world, lock, wait } = restarted([]);
    lock.emit('attempt', UNREACHABLE);
    wait(20_000);
    expect(world.calls).to.deep.equal([]);
  });

  it('yields to whoever is heard, and does not try again, not even in another life', () => {
    const { world, election, lock, wait } = restarted();
    lock.emit('attempt', UNREACHABLE);
    wait(4_000);
    election.rivalHeard('public.0');
    expect(election.mayAnswer('public.0')).to.equal(false);
    wait(60_000);
    expect(world.calls).to.deep.equal(['own public.0', 'yield public.0: another station announced an address of it']);
    expect(world.held.size).to.equal(0);
  });

  for (const [what, answer] of [
    ['answers', {}],
    ['refuses it', { error: new Error('forbidden') }],
  ] as const) {
    it(`does not while an API server ${what}, nor for as long afterwards`, () => {
      const { world, lock, wait } = restarted();
      lock.emit('attempt', UNREACHABLE);
      wait(2_000);
      lock.emit('attempt', answer);
      wait(20_000);
      lock.emit('attempt', answer);
      lock.emit('attempt', UNREACHABLE);
      wait(3_800);
      expect(world.calls).to.deep.equal([]);
      wait(200);
      expect(world.calls).to.deep.equal(['own public.0']);
    });
  }

  it('is silent after it stood still, for as long', () => {
    const { world, election, lock, wait } = restarted();
    lock.emit('attempt', UNREACHABLE);
    wait(4_000);
    world.now += 5_000;
    expect(election.mayAnswer('public.0')).to.equal(false);
    wait(3_800);
    expect(election.mayAnswer('public.0')).to.equal(false);
    wait(400);
    expect(world.claims).to.deep.equal(['resumed', 'resumed']);
  });

  it('knows what it held: what it has taken and neither lost nor given back, whatever became of the process', async () => {
    const { world, election, lock } = setUp();
    lock.acquire(3_000);
    lock.emit('holder', 'n1');
    expect([...world.held]).to.deep.equal(['public.0']);
    lock.lose(); // its time ran out; nobody else has it
    expect([...world.held]).to.deep.equal(['public.0']);
    await election.stop({ release: true }); // but no API server answers
    expect([...world.held]).to.deep.equal(['public.0']);
    lock.emit('holder', undefined); // released
    expect([...world.held]).to.deep.equal([]);
  });
});

describe('the order among standbys', () => {
  const ranking = ['n1', 'n2', 'n3'];
  const cases: [string, string | undefined, number][] = [
    ['n1', undefined, 0],
    ['n2', undefined, 50],
    ['n3', undefined, 100],
    ['n2', 'n1', 0], // the late owner does not count
    ['n3', 'n1', 50],
    ['n1', 'n1', 0], // a node that returns to what it held
    ['n4', undefined, 150], // not in the ranking yet: after all others
  ];
  for (const [node, lastHolder, delay] of cases) {
    it(`${node} waits ${delay} ms after ${lastHolder ?? 'nobody'}`, () => {
      expect(startDelay(ranking, node, lastHolder)).to.equal(delay);
    });
  }
});
