import type { Controller } from '@fairlead/controller';
import { addressPools, services } from '@fairlead/kube';
import { expect } from 'chai';
import { pino } from 'pino';
import { namespace } from './api-server.js';
import { World } from './world.js';

describe('controller: bad input', () => {
  let world: World;
  let controller: Controller;
  let version: string;

  /** A Service that works, and must go on to. */
  beforeEach(async () => {
    world = await World.start();
    controller = await world.startController();
    await world.createPool('public', ['192.0.2.0/31']);
    await world.createService('works', { pool: 'public' });
    await world.address('works');
    await world.used('public', 1);
    version = world.services.get(`${namespace}/works`)!.metadata!.resourceVersion!;
  });
  afterEach(() => world.stop());

  /** A new Service still gets an address, and nothing was done to the one that works. */
  async function expectUnharmed(): Promise<void> {
    await world.createService('another', { pool: 'public' });
    expect(await world.address('another')).to.equal('192.0.2.1');
    expect(world.addresses().works).to.equal('192.0.2.0');
    expect(world.services.get(`${namespace}/works`)!.metadata!.resourceVersion).to.equal(version);
  }

  it('an invalid pool is not accepted: condition and Event name the place, the fault and the remedy', async () => {
    await world.createPool('broken', ['198.51.100.0/24', '203.0.113.9-203.0.113.1']);
    const text = /spec\.addresses\[1\]: "203\.0\.113\.9-203\.0\.113\.1" ends before it begins; write 203\.0\.113\.1-/;
    expect(await world.accepted('broken', 'False', 'InvalidAddresses')).to.match(text);
    expect(await world.event('broken', 'Warning', 'PoolRejected')).to.match(text);
    await world.createService('unlucky', { pool: 'broken' });
    expect(await world.condition('unlucky', 'False', 'PoolNotAccepted')).to.match(text);
    await expectUnharmed();
    await world.editPool('broken', { addresses: ['198.51.100.0/24'] });
    expect(await world.address('unlucky')).to.equal('198.51.100.0');
  });

  it('a pool that is not accepted is a line of the log, each time for another reason', async () => {
    await controller.stop();
    const told: string[] = [];
    let toldTwice = () => {};
    const twice = new Promise<void>((resolve) => {
      toldTwice = resolve;
    });
    const write = (line: string) => {
      const { pool, reason, msg } = JSON.parse(line) as Record<string, string>;
      if (pool === 'broken' && told.push(`${reason} ${msg}`) === 2) toldTwice();
    };
    const log = pino({ level: 'warn' }, { write });
    await (await world.startController('c2', { log })).ready;
    await world.createPool('broken', ['203.0.113.9-203.0.113.1']);
    const first = await world.accepted('broken', 'False', 'InvalidAddresses');
    await world.editPool('broken', { addresses: ['203.0.113.9-203.0.113.1'], autoAssign: false });
    expect(await world.accepted('broken', 'False', 'InvalidAddresses')).to.equal(first);
    await world.editPool('broken', { addresses: ['192.0.2.0/24'] });
    const second = await world.accepted('broken', 'False', 'Overlap');
    await twice;
    expect(told).to.deep.equal([`PoolRejected ${first}`, `PoolRejected ${second}`]);
  });

  it('a pool that overlaps is not accepted and names the culprit; it is when that one lets go', async () => {
    await world.createPool('greedy', ['192.0.2.0/24']);
    const text = /192\.0\.2\.0\/24 overlaps AddressPool "public", which has 192\.0\.2\.0\/31 already; take/;
    expect(await world.accepted('greedy', 'False', 'Overlap')).to.match(text);
    expect(await world.event('greedy', 'Warning', 'PoolRejected')).to.match(text);
    await expectUnharmed();
    await world.editPool('greedy', { addresses: ['192.0.2.2-192.0.2.255'] });
    await world.accepted('greedy', 'True', 'Accepted');
  });

  it('an unknown pool: the Service says so, and gets its address when the pool appears', async () => {
    await world.createService('typo', { pool: 'publik' });
    const text =
      /AddressPool "publik" does not exist; create it, or correct the annotation fairlead\.dev\/address-pool/;
    expect(await world.condition('typo', 'False', 'PoolNotFound')).to.match(text);
    expect(await world.event('typo', 'Warning', 'AllocationFailed')).to.match(text);
    await expectUnharmed();
    await world.createPool('publik', ['198.51.100.0/24']);
    expect(await world.address('typo')).to.equal('198.51.100.0');
  });

  it('an exhausted pool: the Service says so, and gets its address when the pool grows', async () => {
    await expectUnharmed();
    await world.createService('late', { pool: 'public' });
    const text =
      /pool "public" has 0 of 2 IPv4 addresses free; 1 Service waits; delete a Service that has one, add addresses/;
    expect(await world.condition('late', 'False', 'PoolExhausted')).to.match(text);
    expect(await world.event('late', 'Warning', 'AllocationFailed')).to.match(text);
    await world.editPool('public', { addresses: ['192.0.2.0/30'] });
    expect(await world.address('late')).to.equal('192.0.2.2');
    expect(world.addresses()).to.deep.equal({ another: '192.0.2.1', late: '192.0.2.2', works: '192.0.2.0' });
  });

  it('a Service that has an address and then names a pool that does not exist keeps it, and says so', async () => {
    const patch = { metadata: { annotations: { 'fairlead.dev/address-pool': 'publik' } } };
    await world.kube.patch(services, { namespace, name: 'works' }, patch, { type: 'merge' });
    expect(await world.condition('works', 'True', 'PoolNotFound')).to.match(/^keeps 192\.0\.2\.0 from pool "public"; /);
    expect(world.addresses()).to.deep.equal({ works: '192.0.2.0' });
  });

  it('a working pool that is edited into nonsense keeps what is in use, over a restart of the controller too', async () => {
    await world.editPool('public', { addresses: ['192.0.2.0/31', '192.0.2.9-192.0.2.3'] });
    expect(await world.accepted('public', 'False', 'InvalidAddresses')).to.match(/ends before it begins/);
    await controller.stop();
    await (await world.startController('c2')).ready;
    await world.createService('new', { pool: 'public' });
    expect(await world.condition('new', 'False', 'PoolNotAccepted')).to.match(/gives out no addresses.*ends before it/);
    expect(world.pools.get('public')?.status?.inEffect?.addresses).to.deep.equal(['192.0.2.0/31']);
    expect(world.addresses()).to.deep.equal({ works: '192.0.2.0' });
    await world.editPool('public', { addresses: ['192.0.2.0/31'] });
    expect(await world.address('new')).to.equal('192.0.2.1');
    expect(world.services.get(`${namespace}/works`)!.metadata!.resourceVersion).to.equal(version);
  });

  it('a pool that no longer lists an address in use lets it drain', async () => {
    await world.editPool('public', { addresses: ['192.0.2.1/32'] });
    await world.accepted('public', 'True', 'Accepted');
    expect(world.pools.get('public')?.status?.inEffect).to.deep.include({
      addresses: ['192.0.2.1/32'],
      draining: ['192.0.2.0/32'],
    });
    await expectUnharmed();
  });

  it('a pool deleted while in use stays until its last address is free, and says so', async () => {
    await world.kube.delete(addressPools, { name: 'public' });
    expect(await world.accepted('public', 'False', 'Deleting')).to.match(
      /as soon as the 1 in use are free; delete the/,
    );
    await world.event('public', 'Warning', 'PoolDeletionBlocked');
    expect(world.addresses()).to.deep.equal({ works: '192.0.2.0' });
    await world.kube.delete(services, { namespace, name: 'works' });
    await world.gone(addressPools, 'public');
  });

  it('a new pool takes over the addresses of one that is being deleted, without renumbering anybody', async () => {
    await world.kube.delete(addressPools, { name: 'public' });
    await world.accepted('public', 'False', 'Deleting');
    await world.createPool('renamed', ['192.0.2.0/30']);
    await world.gone(addressPools, 'public');
    await world.used('renamed', 1);
    expect(world.addresses()).to.deep.equal({ works: '192.0.2.0' });
  });
});
