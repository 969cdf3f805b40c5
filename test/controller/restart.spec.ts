import { leases, services } from '@fairlead/kube';
import type { LeaseObject } from '@fairlead/lease-lock';
import { expect } from 'chai';
import { namespace } from './api-server.js';
import { World } from './world.js';

/** Fast, and still with a margin that a busy machine keeps. */
const lease = { leaseDurationMs: 3_000, renewPeriodMs: 500, retryPeriodMs: 100 };

describe('controller: restarts and replicas', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
    await world.createPool('public', ['192.0.2.0/24']);
  });
  afterEach(() => world.stop());

  async function createServices(count: number): Promise<void> {
    await createAll([...Array(count).keys()].map((n) => `s${n}`));
  }

  async function createAll(names: string[]): Promise<void> {
    await Promise.all(names.map((name) => world.createService(name)));
    for (const name of names) await world.address(name);
  }

  it('writes nothing when it is restarted with everything allocated', async () => {
    const first = await world.startController();
    await createServices(30);
    await world.used('public', 30);
    await first.stop();
    const before = { addresses: world.addresses(), writes: world.writes(), events: world.events.size };
    const second = await world.startController('c2');
    await second.ready;
    // Whatever it wanted to write for what is there, it has written before it serves this one.
    await world.createService('new');
    await world.address('new');
    await world.used('public', 31);
    const { new: added, ...rest } = world.addresses();
    expect(rest).to.deep.equal(before.addresses);
    expect(added).to.equal('192.0.2.30');
    const ownWrites = 1 + 1; // the new Service, the counters
    expect(world.writes() - before.writes).to.equal(ownWrites);
  });

  it('adopts what is in use before it gives anything out', async () => {
    const first = await world.startController();
    await createServices(5);
    await first.stop();
    await world.kube.delete(services, { namespace, name: 's2' });
    await world.createService('new1');
    await world.createService('new2');
    await world.startController('c2');
    for (const name of ['new1', 'new2']) await world.address(name);
    const addresses = Object.values(world.addresses());
    expect(new Set(addresses).size).to.equal(addresses.length);
    expect(addresses.sort()).to.include('192.0.2.2');
  });

  it('has one replica that writes; the other takes over at once when that one stops', async () => {
    const leader = await world.startController('c1', { lease });
    await leader.ready;
    const standby = await world.startController('c2', { lease });
    await createServices(3);
    expect([leader.isLeader(), standby.isLeader()]).to.deep.equal([true, false]);
    await leader.stop();
    await standby.ready;
    await world.createService('after');
    expect(await world.address('after')).to.equal('192.0.2.3');
    expect(standby.isLeader()).to.equal(true);
  });

  it('stops writing when its Lease is taken away, and the other one goes on from what it left', async () => {
    const leader = await world.startController('c1', { lease });
    await leader.ready;
    await createServices(3);
    // c1 can no longer renew; everything else of it works, and it hears of every change.
    for (const verb of ['update', 'get']) {
      world.server.faults.next(503, {
        match: { verb, resource: 'leases.coordination.k8s.io', userAgent: 'c1' },
        count: Number.POSITIVE_INFINITY,
      });
    }
    const standby = await world.startController('c2', { lease });
    await standby.ready;
    expect(leader.isLeader()).to.equal(false);
    await createAll(['late1', 'late2']);
    const addresses = Object.values(world.addresses());
    expect(new Set(addresses).size).to.equal(5);
    const key = { namespace: 'fairlead-system', name: 'fairlead-controller' };
    const { spec } = await world.kube.get<LeaseObject>(leases, key);
    expect(spec?.holderIdentity).to.equal('c2');
  });

  for (const [what, disturb] of [
    [
      'answers 500 to writes',
      () => world.server.faults.next(500, { match: { resource: 'services/status' }, count: 15 }),
    ],
    [
      'answers 409 to writes',
      () => world.server.faults.next(409, { match: { resource: 'services/status' }, count: 15 }),
    ],
    ['breaks connections', () => world.server.faults.reset({ match: { resource: 'services/status' }, count: 15 })],
    [
      'writes, but its answer is lost',
      () => world.server.faults.loseAnswer({ match: { resource: 'services/status' }, count: 15 }),
    ],
    [
      'throttles',
      () => world.server.faults.next(429, { match: { resource: 'services/status' }, count: 3, retryAfterSeconds: 1 }),
    ],
    ['drops all watches, again and again', () => endWatchesOnWrites(10)],
  ] as const) {
    it(`gives every Service one address of its own when the API server ${what}`, async () => {
      const controller = await world.startController();
      await controller.ready;
      disturb();
      await createServices(20);
      const addresses = Object.values(world.addresses());
      expect(new Set(addresses).size).to.equal(20);
      expect(
        addresses.every((address) => /^192\.0\.2\.1?\d$/.test(address)),
        'the 20 lowest ones',
      ).to.equal(true);
      const seen = world.addresses();
      await controller.stop();
      await (await world.startController('c2')).ready;
      await world.createService('new');
      await world.address('new');
      expect(world.addresses()).to.deep.include(seen);
    });
  }

  function endWatchesOnWrites(times: number): void {
    let left = times;
    world.server.on('request', ({ verb, resource }) => {
      if (verb === 'patch' && resource === 'services/status' && left-- > 0) world.server.endWatches({ abrupt: true });
    });
  }
});
