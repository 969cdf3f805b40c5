import { services } from '@fairlead/kube';
import { expect } from 'chai';
import { labOnly, namespace } from './api-server.js';
import { World } from './world.js';

describe('controller: allocation', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.stop());

  it('gives a Service an address of the pool it names, and tells everybody', async () => {
    await world.startController();
    await world.createPool('other', ['198.51.100.0/24']);
    await world.createPool('public', ['192.0.2.8/29']);
    await world.createService('web', { pool: 'public' });
    expect(await world.address('web')).to.equal('192.0.2.8');
    expect(await world.condition('web', 'True', 'Allocated')).to.equal('192.0.2.8 from pool "public"');
    expect(await world.event('web', 'Normal', 'IPAllocated')).to.equal('Assigned 192.0.2.8 from pool "public"');
    expect(await world.event('public', 'Normal', 'PoolAccepted')).to.match(/^Accepted: 8 IPv4 addresses in 8 virtual/);
    const service = world.services.get(`${namespace}/web`);
    expect(service?.status?.loadBalancer?.ingress).to.deep.equal([{ ip: '192.0.2.8', ipMode: 'Proxy' }]);
    expect(service?.metadata?.finalizers).to.deep.equal(['service.kubernetes.io/load-balancer-cleanup']);
    await world.used('public', 1);
    expect(world.pools.get('public')?.status).to.deep.include({ ipv4: { capacity: '8', allocated: 1, free: '7' } });
  });

  it('serves Services that were there before the pool, and the controller', async () => {
    await world.createService('web');
    await world.startController();
    expect(await world.condition('web', 'False', 'NoPool')).to.match(/there is no AddressPool; create one/);
    await world.createPool('public', ['192.0.2.8/29']);
    expect(await world.address('web')).to.equal('192.0.2.8');
  });

  labOnly('wants a dual-stack cluster')('gives IPv6 to a Service whose first family is IPv6', async () => {
    await world.startController();
    await world.createPool('public', ['192.0.2.8/29', '2001:db8:0:1::/64']);
    await world.createService('six', { spec: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] } });
    expect(await world.address('six')).to.equal('2001:db8:0:1::');
  });

  labOnly('would serve everybody')('leaves class-less Services alone, unless it is the default', async () => {
    const first = await world.startController();
    await world.createPool('public', ['192.0.2.8/29']);
    await world.createService('classless', { spec: { loadBalancerClass: undefined } });
    await world.createService('other', { spec: { loadBalancerClass: 'other.example/lb' } });
    await world.createService('ours');
    await world.address('ours');
    expect(Object.keys(world.addresses())).to.deep.equal(['ours']);
    await first.stop();
    await world.startController('c2', { defaultClass: true });
    await world.address('classless');
    expect(world.addresses()).to.deep.equal({ classless: '192.0.2.9', ours: '192.0.2.8' });
  });

  it('frees the address of a deleted Service for the one that has waited longest', async () => {
    await world.startController();
    await world.createPool('public', ['192.0.2.8/32']);
    await world.createService('first');
    await world.address('first');
    await world.createService('z-second');
    await world.condition('z-second', 'False', 'PoolExhausted');
    await world.createService('a-third');
    await world.condition('a-third', 'False', 'PoolExhausted');
    await world.kube.delete(services, { namespace, name: 'first' });
    expect(await world.address('z-second')).to.equal('192.0.2.8');
    expect(world.services.get(`${namespace}/first`), 'the finalizer is off').to.equal(undefined);
    expect(world.addresses()).to.deep.equal({ 'z-second': '192.0.2.8' });
  });

  it('takes everything of its own off a Service that is no load balancer any more', async () => {
    await world.startController();
    await world.createPool('public', ['192.0.2.8/32']);
    await world.createService('web');
    await world.address('web');
    await world.createService('waits');
    await world.condition('waits', 'False', 'PoolExhausted');
    const patch = { spec: { type: 'ClusterIP', loadBalancerClass: null } };
    await world.kube.patch(services, { namespace, name: 'web' }, patch, { type: 'merge' });
    expect(await world.address('waits')).to.equal('192.0.2.8');
    const service = world.services.get(`${namespace}/web`);
    expect(service?.status?.conditions ?? []).to.deep.equal([]);
    expect(service?.metadata?.finalizers ?? []).to.deep.equal([]);
  });

  it('moves a Service that names another pool', async () => {
    await world.startController();
    await world.createPool('a', ['192.0.2.8/32']);
    await world.createPool('b', ['198.51.100.1/32']);
    await world.createService('web', { pool: 'a' });
    await world.address('web');
    const patch = { metadata: { annotations: { 'fairlead.dev/address-pool': 'b' } } };
    await world.kube.patch(services, { namespace, name: 'web' }, patch, { type: 'merge' });
    await world.used('b', 1);
    await world.used('a', 0);
    expect(world.addresses()).to.deep.equal({ web: '198.51.100.1' });
  });
});
