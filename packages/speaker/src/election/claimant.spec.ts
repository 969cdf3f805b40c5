import { expect } from 'chai';
import { Claimant } from './claimant.js';
import type { Contested } from './election.js';
import { type LeaseNotes, notesOf, settledAnnotations } from './lease-notes.js';

const DELAY = 60_000;

function contested(changes: Partial<Contested> = {}): Contested {
  return {
    name: 'public.0',
    leaseName: 'vr-public-0',
    ranking: ['n1', 'n2', 'n3'],
    engine: 'lease',
    preempt: false,
    vips: [],
    ...changes,
  };
}

function notes(changes: Partial<LeaseNotes>): LeaseNotes {
  return { holder: 'n2', preferredOwner: undefined, claimedBy: undefined, refused: undefined, ...changes };
}

function setUp(spec: Contested | undefined = contested()) {
  const world = { now: 0, log: [] as string[] };
  const claimant = new Claimant({
    node: 'n1',
    preemptDelayMs: DELAY,
    clock: () => world.now,
    claim: (name) => world.log.push(`claim ${name}`),
    refuse: (name, why) => world.log.push(`refuse ${name}: ${why}`),
  });
  claimant.configure(spec ? [spec] : []);
  claimant.setFit(true, '');
  const wait = (ms: number) => {
    for (const end = world.now + ms; world.now < end; ) {
      world.now += 1_000;
      claimant.tick();
    }
  };
  return { world, claimant, wait };
}

describe('a claimant', () => {
  it('claims what somebody wants it to own, once', () => {
    const { world, claimant, wait } = setUp();
    claimant.lease('public.0', notes({ preferredOwner: 'n1' }));
    claimant.lease('public.0', notes({ preferredOwner: 'n1', claimedBy: 'n1' }));
    wait(20_000);
    expect(world.log).to.deep.equal(['claim public.0']);
  });

  it('claims again when its claim did not arrive, and when somebody else has taken over', () => {
    const { world, claimant, wait } = setUp();
    claimant.lease('public.0', notes({ preferredOwner: 'n1' }));
    wait(5_000);
    expect(world.log).to.have.length(2);
    claimant.lease('public.0', notes({ preferredOwner: 'n1', holder: 'n3' }));
    expect(world.log).to.have.length(3);
  });

  it('takes a Lease in that nobody holds when it is first seen', () => {
    const { world, claimant, wait } = setUp();
    claimant.lease('public.0', notes({ holder: undefined, preferredOwner: 'n1' }));
    wait(2_000);
    expect(world.log).to.deep.equal([]);
    claimant.lease('public.0', notes({ preferredOwner: 'n1' }));
    expect(world.log).to.deep.equal(['claim public.0']);
  });

  it('claims neither what it has, nor what nobody has, nor for others', () => {
    const { world, claimant, wait } = setUp();
    for (const seen of [
      notes({ preferredOwner: 'n1', holder: 'n1' }),
      notes({ preferredOwner: 'n1', holder: undefined }),
      notes({ preferredOwner: 'n3' }),
      notes({}),
    ]) {
      claimant.lease('public.0', seen);
      wait(2 * DELAY);
    }
    expect(world.log).to.deep.equal([]);
  });

  it('says why it cannot take over, once, and claims as soon as it can', () => {
    const { world, claimant, wait } = setUp();
    claimant.setFit(false, 'its kube-proxy does not answer as healthy');
    claimant.lease('public.0', notes({ preferredOwner: 'n1' }));
    const why = 'its kube-proxy does not answer as healthy';
    claimant.lease('public.0', notes({ preferredOwner: 'n1', refused: `n1: ${why}` }));
    wait(20_000);
    expect(world.log).to.deep.equal([`refuse public.0: ${why}`]);
    claimant.setFit(true, '');
    expect(world.log.at(-1)).to.equal('claim public.0');
  });

  it('refuses a virtual router that it does not contest', () => {
    const { world, claimant } = setUp(contested({ name: 'other.0' }));
    claimant.lease('public.0', notes({ preferredOwner: 'n1' }));
    expect(world.log[0]).to.match(/^refuse public.0: its pool does not choose this node/);
  });

  it('takes over from a worse node when the pool has preempt, after both were what they are for the delay', () => {
    const { world, claimant, wait } = setUp(contested({ preempt: true }));
    wait(30_000);
    claimant.lease('public.0', notes({ holder: 'n2' }));
    wait(DELAY - 1_000);
    expect(world.log).to.deep.equal([]);
    claimant.setFit(false, 'unfit');
    claimant.setFit(true, '');
    wait(DELAY - 1_000);
    expect(world.log).to.deep.equal([]);
    wait(1_000);
    expect(world.log).to.deep.equal(['claim public.0']);
  });

  it('does not count the time before the link of the VIPs was last down', () => {
    const preempting = contested({ preempt: true });
    const { world, claimant, wait } = setUp(preempting);
    claimant.lease('public.0', notes({ holder: 'n2' }));
    for (let flap = 0; flap < 4; flap++) {
      wait(DELAY / 2);
      claimant.configure([]);
      claimant.configure([preempting]);
    }
    wait(DELAY - 1_000);
    claimant.configure([{ ...preempting }]);
    expect(world.log).to.deep.equal([]);
    wait(1_000);
    expect(world.log).to.deep.equal(['claim public.0']);
  });

  it('does not take over without preempt, by VRRP, from a better node, or when another node has claimed', () => {
    for (const [spec, seen] of [
      [contested(), notes({})],
      [contested({ preempt: true, engine: 'vrrp' }), notes({})],
      [contested({ preempt: true, ranking: ['n2', 'n1'] }), notes({})],
      [contested({ preempt: true, ranking: ['n2', 'n3'] }), notes({})],
      [contested({ preempt: true }), notes({ claimedBy: 'n3' })],
    ] as const) {
      const { world, claimant, wait } = setUp(spec);
      claimant.lease('public.0', seen);
      wait(2 * DELAY);
      expect(world.log).to.deep.equal([]);
    }
  });
});

describe('what stands in a Lease', () => {
  it('is settled by who takes it: claims always, the wish when it is fulfilled', () => {
    const annotations = {
      'fairlead.dev/preferred-owner': 'n1',
      'fairlead.dev/claimed-by': 'n1',
      'fairlead.dev/move-refused': 'n1: why',
      theirs: 'kept',
    };
    expect(settledAnnotations(annotations, 'n1')).to.deep.equal({ theirs: 'kept' });
    const byAnother = settledAnnotations(annotations, 'n2');
    expect(notesOf({ metadata: { annotations: byAnother }, spec: { holderIdentity: '' } })).to.deep.equal({
      holder: undefined,
      preferredOwner: 'n1',
      claimedBy: undefined,
      refused: 'n1: why',
    });
  });
});
