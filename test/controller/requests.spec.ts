/** What Services ask for, and others that write to them: with a controller that runs against an API server. */

import { LOAD_BALANCER_CLASS } from '@fairlead/api';
import { until } from '@fairlead/cli';
import { services } from '@fairlead/kube';
import { expect } from 'chai';
import { labOnly, namespace } from './api-server.js';
import { World } from './world.js';

describe('controller: requests', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
    await world.startController();
    await world.createPool('public', ['192.0.2.8/29', '2001:db8:0:1::/64']);
  });
  afterEach(() => world.stop());

  const key = (name: string) => ({ namespace, name });
  const annotate = (name: string, annotations: Record<string, string>) =>
    world.kube.patch(services, key(name), { metadata: { annotations } }, { type: 'merge' });

  labOnly('wants a dual-stack cluster')('gives a dual-stack Service an address of each family', async () => {
    await world.createService('web', { spec: { ipFamilyPolicy: 'RequireDualStack' } });
    await world.address('web');
    expect(world.addresses()).to.deep.equal({ web: '192.0.2.8 2001:db8:0:1::' });
  });

  it('gives the address that is asked for, and says whose it is when another Service has it', async () => {
    await world.createService('web', { spec: { loadBalancerIP: '192.0.2.12' } });
    expect(await world.address('web')).to.equal('192.0.2.12');
    await world.createService('late', { spec: { loadBalancerIP: '192.0.2.12' } });
    expect(await world.condition('late', 'False', 'AddressUnavailable')).to.include(
      `belongs to Service ${namespace}/web`,
    );
    await world.kube.delete(services, key('web'));
    expect(await world.address('late')).to.equal('192.0.2.12');
  });

  it('tells which two requests disagree, and keeps the address', async () => {
    await world.createService('web');
    await world.address('web');
    await annotate('web', { 'fairlead.dev/addresses': '192.0.2.9,192.0.2.10' });
    const text = /asks for 192\.0\.2\.9 and annotation fairlead\.dev\/addresses for 192\.0\.2\.10; a Service gets one/;
    expect(await world.event('web', 'Warning', 'AllocationFailed')).to.match(text);
    expect(await world.condition('web', 'True', 'ContradictoryRequest')).to.match(text);
    expect(world.addresses()).to.deep.equal({ web: '192.0.2.8' });
  });

  it('gives Services with one sharing key one address, each with ports of its own', async () => {
    const share = async (name: string, port: number) => {
      await world.createService(name, { spec: { loadBalancerClass: 'fairlead.dev/lb', ports: [{ port }] } });
      await annotate(name, { 'fairlead.dev/sharing-key': 'dns' });
      await world.address(name);
    };
    await world.createPool('shared', ['198.51.100.0/31']);
    for (const [name, port] of [
      ['tcp', 53],
      ['other', 853],
    ] as const) {
      await share(name, port);
      await annotate(name, { 'fairlead.dev/addresses': '198.51.100.1' });
    }
    await world.used('shared', 1);
    await world.used('public', 0);
    expect(world.addresses()).to.deep.equal({ other: '198.51.100.1', tcp: '198.51.100.1' });
  });

  it('ends a quarrel about the status: reports it, leaves it alone, and gives the address to nobody else', async () => {
    await world.createService('web');
    await world.address('web');
    const foreign = { status: { loadBalancer: { ingress: [{ ip: '203.0.113.9' }] } } };
    const contest = () =>
      world.kube.patch(services, key('web'), foreign, { type: 'merge', subresource: 'status' }).catch(() => {});
    world.services.on('update', ({ metadata, status }) => {
      if (metadata?.name === 'web' && status?.loadBalancer?.ingress?.[0]?.ip === '192.0.2.8') void contest();
    });
    await contest();
    expect(await world.event('web', 'Warning', 'StatusContested')).to.match(
      /somebody else changes the status.*192\.0\.2\.8/,
    );
    expect(world.addresses()).to.deep.equal({ web: '203.0.113.9' });
    const writes = world.writes();
    await world.createService('next');
    expect(await world.address('next')).to.equal('192.0.2.9');
    expect(world.addresses().web, 'it is left as it is').to.equal('203.0.113.9');
    expect(world.writes() - writes).to.be.below(5);
  });

  it('takes nobody for a rival where a Service is a load balancer, and none, and one again', async () => {
    const becomes = (spec: object) => world.kube.patch(services, key('web'), { spec }, { type: 'merge' });
    await world.createService('web');
    for (let times = 0; times < 6; times++) {
      expect(await world.address('web')).to.equal('192.0.2.8');
      await becomes({ type: 'ClusterIP', loadBalancerClass: null });
      const { metadata } = await becomes({ type: 'LoadBalancer', loadBalancerClass: LOAD_BALANCER_CLASS });
      await until(world.services, 'the Service as it is now', (service) =>
        service.metadata?.name === 'web' &&
        Number(service.metadata.resourceVersion) >= Number(metadata?.resourceVersion)
          ? true
          : undefined,
      );
    }
    expect(await world.address('web')).to.equal('192.0.2.8');
  });
});
