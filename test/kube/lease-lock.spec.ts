/** Leases against the lab's API server, in real time: what virtual time in packages/lease-lock cannot show. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Informer, KubeClient, leases, resolveConfig } from '@fairlead/kube';
import { LeaseLock, type LeaseLockOptions, type LeaseObject } from '@fairlead/lease-lock';
import { expect } from 'chai';
import { namespace, newApiServer, type TestServer } from '../controller/api-server.js';
import { LOCK } from './lock-options.js';

describe('lease-lock against an API server', function () {
  this.timeout(60_000);
  let server: TestServer;
  let url: string;
  let client: KubeClient;
  let informer: Informer<LeaseObject>;
  let locks: LeaseLock[];

  beforeEach(async () => {
    server = await newApiServer();
    ({ url } = await server.listen({ host: '127.0.0.1', port: 0 }));
    client = new KubeClient(await resolveConfig({ server: url }));
    locks = [];
    informer = new Informer<LeaseObject>({
      client,
      resource: leases,
      namespace,
      backoff: { baseMs: 5, maxMs: 50 },
    });
    const feed = (lease: LeaseObject) => {
      for (const lock of locks) lock.observe(lease);
    };
    informer.on('add', feed);
    informer.on('update', feed);
    informer.on('delete', () => {
      for (const lock of locks) lock.observe(undefined);
    });
    // Watches that the specs break.
    informer.on('error', () => {});
    informer.start();
    await informer.synced;
  });

  afterEach(async () => {
    await Promise.all(locks.map((lock) => lock.stop({ release: false })));
    await informer.stop();
    await client.close();
    await server.close();
  });

  function contender(identity: string, options: Partial<LeaseLockOptions> = {}): LeaseLock {
    const lock = new LeaseLock({
      client,
      namespace,
      identity,
      ...LOCK,
      ...options,
    });
    locks.push(lock);
    return lock;
  }

  async function leading(identity: string): Promise<LeaseLock> {
    const lock = contender(identity);
    const acquired = once(lock, 'acquired');
    lock.start();
    await acquired;
    return lock;
  }

  const stored = () => client.get<LeaseObject>(leases, { namespace, name: 'lock' });

  it('hands over at a release, with one write by the successor', async () => {
    const a = await leading('a');
    const b = contender('b');
    const heard = once(b, 'holder');
    b.start();
    await heard;
    const updates = server.counts.get('update leases.coordination.k8s.io') ?? 0;
    const taken = once(b, 'acquired');
    await a.stop({ release: true });
    await taken;
    expect((await stored()).spec).to.deep.include({
      holderIdentity: 'b',
      leaseDurationSeconds: 3,
      leaseTransitions: 1,
    });
    // The release, and the acquisition.
    expect(server.counts.get('update leases.coordination.k8s.io')).to.equal(updates + 2);
  });

  it('takes over when the holder is gone without a word', async () => {
    const a = await leading('a');
    const b = contender('b');
    b.start();
    const taken = once(b, 'acquired');
    await a.stop({ release: false });
    await taken;
    expect((await stored()).spec?.holderIdentity).to.equal('b');
  });

  it('the best of many candidates wins, without a single conflict', async () => {
    const a = await leading('a');
    // Further apart than in production: this machine may be busy.
    const others = [3, 2, 1, 0].map((rank) => contender(`rank-${rank}`, { startDelayMs: () => rank * 1_000 }));
    for (const lock of others) lock.start();
    const best = others[3]!;
    const taken = once(best, 'acquired');
    const conflicts: unknown[] = [];
    for (const lock of others) {
      lock.on('attempt', ({ error }) => {
        if ((error as { status?: number } | undefined)?.status === 409) conflicts.push(error);
      });
    }
    await a.stop({ release: true });
    await taken;
    expect(conflicts).to.deep.equal([]);
    expect(others.map((lock) => lock.isLeader())).to.deep.equal([false, false, false, true]);
  });

  it('keeps its Lease through refusals, resets and lost answers', async () => {
    const a = await leading('a');
    let lost = 0;
    a.on('lost', () => lost++);
    const match = { verb: 'update', resource: 'leases.coordination.k8s.io' };
    const renewal = async () => {
      for (;;) {
        const [attempt] = await once(a, 'attempt');
        if (attempt.purpose === 'renew' && !attempt.error) return;
      }
    };
    for (const fault of [
      () => server.faults.next(500, { match }),
      () => server.faults.reset({ match }),
      () => server.faults.loseAnswer({ match }),
      () => server.endWatches({ abrupt: true }),
    ]) {
      fault();
      await renewal();
    }
    expect([a.isLeader(), lost]).to.deep.equal([true, 0]);
    expect((await stored()).spec?.leaseTransitions).to.equal(0);
  });

  it('ends leadership in time when the server hangs, and begins again when it answers', async () => {
    const a = await leading('a');
    const { deadline } = a;
    server.faults.hold();
    await once(a, 'lost');
    expect(performance.now()).to.be.at.least(deadline);
    const again = once(a, 'acquired');
    server.faults.release();
    await again;
    expect(a.isLeader()).to.equal(true);
  });

  it('works in worker threads', async () => {
    const start = (identity: string) =>
      new Worker(new URL('./lease-worker.js', import.meta.url), { workerData: { server: url, namespace, identity } });
    const a = start('a');
    expect((await once(a, 'message'))[0]).to.equal('acquired');
    const b = start('b');
    const taken = once(b, 'message');
    const told: string[] = [];
    a.on('message', (text) => told.push(text));
    const exited = once(a, 'exit');
    a.postMessage('stop');
    await exited;
    expect(told).to.deep.equal(['lost', 'stopped']);
    expect((await taken)[0]).to.equal('acquired');
    const gone = once(b, 'exit');
    b.postMessage('stop');
    await gone;
    expect((await stored()).spec?.holderIdentity ?? '').to.equal('');
  });
});
