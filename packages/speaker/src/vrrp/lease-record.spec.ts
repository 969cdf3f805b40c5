import { leaseAnnotations } from '@fairlead/api';
import { KubeError } from '@fairlead/kube';
import type { LeaseObject } from '@fairlead/lease-lock';
import { expect } from 'chai';
import { LeaseRecord } from './lease-record.js';

const ROUTER = { name: 'public.0', leaseName: 'vr-public-0' };

function setUp(stored?: LeaseObject) {
  const world = { stored, writes: 0, failures: 0, errors: [] as [string, number][] };
  const write = async (_: unknown, object: unknown) => {
    world.writes++;
    world.stored = object as LeaseObject;
    return object as never;
  };
  const record = new LeaseRecord({
    client: {
      get: async () => {
        if (world.failures-- > 0) throw new KubeError({ code: 'FL_KUBE_NETWORK', message: 'no answer' });
        if (world.stored) return world.stored as never;
        throw new KubeError({ code: 'FL_KUBE_NOT_FOUND', status: 404, message: 'no such Lease' });
      },
      create: write,
      update: write,
    },
    namespace: 'fairlead-system',
    node: 'n1',
    wallClock: () => 0,
    onError: (error, failures) => world.errors.push([error.message, failures]),
  });
  return { world, record };
}

function lease(holderIdentity: string, annotations: Record<string, string> = {}): LeaseObject {
  const metadata = { name: 'vr-public-0', resourceVersion: '7', labels: { team: 'net' }, annotations };
  return { metadata, spec: { holderIdentity, leaseTransitions: 4 } } as LeaseObject;
}

/** Resolves when a write was made. */
async function written(world: { writes: number }): Promise<void> {
  while (world.writes === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('the record of an owner in its Lease', () => {
  it('makes the Lease where there is none', async () => {
    const { world, record } = setUp();
    record.own(ROUTER);
    await written(world);
    await record.stop();
    expect(world.stored?.metadata?.labels).to.include({ 'fairlead.dev/virtual-router': 'public.0' });
    expect(world.stored?.spec).to.include({
      holderIdentity: 'n1',
      leaseTransitions: 0,
      acquireTime: '1970-01-01T00:00:00.000000Z',
    });
  });

  it('takes over a Lease of another node with what others wrote, and settles the claim', async () => {
    const { world, record } = setUp(lease('n2', { [leaseAnnotations.claimedBy]: 'n1', note: 'kept' }));
    record.own(ROUTER);
    await written(world);
    await record.stop();
    expect(world.stored?.metadata).to.deep.include({ resourceVersion: '7', annotations: { note: 'kept' } });
    expect(world.stored?.metadata?.labels).to.include({ team: 'net' });
    expect(world.stored?.spec).to.include({ holderIdentity: 'n1', leaseTransitions: 5 });
  });

  it('writes nothing where it stands already, nor for what the node has yielded', async () => {
    const same = setUp(lease('n1'));
    same.record.own(ROUTER);
    const other = setUp(lease('n2'));
    other.record.own(ROUTER);
    other.record.yield(ROUTER.leaseName);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([same.world.writes, other.world.writes]).to.deep.equal([0, 0]);
    await Promise.all([same.record.stop(), other.record.stop()]);
  });

  it('is tried again when no API server answered, and tells how often that was', async () => {
    const { world, record } = setUp(lease('n2'));
    world.failures = 2;
    record.own(ROUTER);
    await written(world);
    await record.stop();
    expect(world.errors).to.deep.equal([
      ['no answer', 1],
      ['no answer', 2],
    ]);
  });
});
