/** What pools keep back, and for whom: with a controller that runs against an API server. */

import { type AddressPool, labels, SYSTEM_NAMESPACE } from '@fairlead/api';
import { until } from '@fairlead/cli';
import { addressPools, configMaps, type KubeObject, namespaces, nodes, services } from '@fairlead/kube';
import { expect } from 'chai';
import { pino } from 'pino';
import { labOnly, namespace } from './api-server.js';
import { World } from './world.js';

function nodeObject(name: string, address: string, podCIDR?: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { ...(podCIDR && { podCIDR, podCIDRs: [podCIDR] }) },
    status: { addresses: [{ type: 'InternalIP', address }] },
  } as KubeObject;
}

describe('controller: pools', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.stop());

  /** Resolves when the pool's condition is as wanted; with its message. */
  function condition(pool: string, type: string, status: string, text: RegExp): Promise<string> {
    return until(world.pools, `${type} ${status} of pool ${pool}`, (each: AddressPool) => {
      if (each.metadata.name !== pool) return undefined;
      const found = each.status?.conditions?.find((now) => now.type === type);
      return found?.status === status && text.test(found.message) ? found.message : undefined;
    });
  }

  function cooling(pool: string, entries: number): Promise<true> {
    return until(world.pools, `${entries} entries cooling down in ${pool}`, (each: AddressPool) =>
      each.metadata.name === pool && (each.status?.coolingDown?.length ?? 0) === entries ? true : undefined,
    );
  }

  const refused: [string, string, string, RegExp][] = [
    [
      'the Service network',
      '10.96.128.0/24',
      'OverlapsServiceNetwork',
      /Service network 10\.96\.0\.0\/16 \(ServiceCIDR "kubernetes"\)/,
    ],
    [
      'a Pod network',
      '10.244.0.0/16',
      'OverlapsPodNetwork',
      /Pod network 10\.244\.3\.0\/24 of node "n1", which has 10\.244\.3\.0\/24/,
    ],
    [
      'a network from the command line',
      '10.200.1.0/24',
      'OverlapsPodNetwork',
      /Pod network 10\.200\.0\.0\/16 \(--pod-cidr\)/,
    ],
  ];
  for (const [what, addresses, reason, culprit] of refused) {
    labOnly('needs its networks, and a Node')(`refuses addresses of ${what}, and names it`, async () => {
      await world.kube.create(nodes, nodeObject('n1', '192.0.2.201', '10.244.3.0/24'));
      await world.startController('c1', { podCidrs: ['10.200.0.0/16'] });
      await world.createPool('public', [addresses]);
      expect(await world.accepted('public', 'False', reason)).to.match(culprit);
    });
  }

  labOnly('creates Nodes')('never gives out the address of a node, and says which node has it', async () => {
    await world.kube.create(nodes, nodeObject('n1', '192.0.2.0'));
    await world.startController();
    await world.createPool('public', ['192.0.2.0/30']);
    await world.createService('web');
    expect(await world.address('web')).to.equal('192.0.2.1');
    expect(await condition('public', 'Conflict', 'True', /n1/)).to.match(/^not given out: node "n1" has 192\.0\.2\.0;/);
    await world.kube.create(nodes, nodeObject('n2', '192.0.2.1'));
    const message = await condition('public', 'Conflict', 'True', /n2/);
    expect(message).to.match(/in use nevertheless: 192\.0\.2\.1\/32 by Service "default\/web"/);
    expect(world.addresses(), 'what worked before keeps working').to.deep.equal({ web: '192.0.2.1' });
    await world.kube.delete(nodes, { name: 'n1' });
    await world.kube.delete(nodes, { name: 'n2' });
    await condition('public', 'Conflict', 'False', /nothing else/);
  });

  it('never gives out an address that a station on the LAN has, as a speaker reports it, and says which station', async () => {
    await world.kube.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: SYSTEM_NAMESPACE, name: 'fairlead-stations-n1', labels: { [labels.stations]: '' } },
      data: { '192.0.2.0': '192.0.2.0 02:00:00:00:00:0b', damaged: 'x' },
    } as KubeObject);
    await world.createPool('public', ['192.0.2.0/31']);
    await world.startController();
    expect(await condition('public', 'Conflict', 'True', /02:00:00:00:00:0b/)).to.include('192.0.2.0');
    await world.createService('a', { pool: 'public' });
    expect(await world.address('a')).to.equal('192.0.2.1');
  });

  it('gives addresses of a pool with a namespaceSelector to namespaces with these labels, from when they have them', async () => {
    await world.startController();
    await world.createPool('edge', ['192.0.2.0/30'], { namespaceSelector: { matchLabels: { team: 'edge' } } });
    await world.accepted('edge', 'True', 'Accepted');
    await world.createService('web');
    await world.condition('web', 'False', 'NoPool');
    await world.kube.patch(
      namespaces,
      { name: namespace },
      { metadata: { labels: { team: 'edge' } } },
      { type: 'merge' },
    );
    expect(await world.address('web')).to.equal('192.0.2.0');
  });

  it('keeps a freed address from strangers for the cool-down, across a restart, and gives it back to its name', async () => {
    const first = await world.startController('c1');
    await world.createPool('public', ['192.0.2.0/31'], { coolDownSeconds: 3600 });
    await world.createService('web');
    await world.address('web');
    await world.kube.delete(services, { namespace, name: 'web' });
    await cooling('public', 1);
    await world.createService('stranger');
    expect(await world.address('stranger')).to.equal('192.0.2.1');
    await world.createService('web');
    expect(await world.address('web'), 'its former one').to.equal('192.0.2.0');
    await world.kube.delete(services, { namespace, name: 'web' });
    await world.gone(services, 'web', namespace);
    await cooling('public', 1);
    await first.stop();
    await world.startController('c2');
    await world.createService('late');
    expect(await world.condition('late', 'False', 'PoolExhausted')).to.include('1 freed a short while ago');
  });

  it('has on record what is to cool down before it takes it away, so that no crash forgets it', async () => {
    await world.startController();
    await world.createPool('public', ['192.0.2.0/30'], { coolDownSeconds: 3600 });
    for (const name of ['web', 'api']) await world.createService(name);
    for (const name of ['web', 'api']) await world.address(name);
    await world.used('public', 2);
    const writes: string[] = [];
    world.server.on('request', ({ verb, resource, userAgent }) => {
      if (verb === 'patch' && userAgent === 'c1') writes.push(resource);
    });
    await world.kube.delete(services, { namespace, name: 'web' });
    await world.used('public', 1);
    expect([...new Set(writes)].slice(0, 2)).to.deep.equal(['addresspools.fairlead.dev/status', 'services']);
    writes.length = 0;
    await world.createPool('other', ['198.51.100.0/30']);
    await world.accepted('other', 'True', 'Accepted');
    writes.length = 0;
    const patch = { metadata: { annotations: { 'fairlead.dev/address-pool': 'other' } } };
    await world.kube.patch(services, { namespace, name: 'api' }, patch, { type: 'merge' });
    await world.used('public', 0);
    expect([...new Set(writes)].slice(0, 2)).to.deep.equal(['addresspools.fairlead.dev/status', 'services/status']);
    const entries = world.pools.get('public')?.status?.coolingDown?.map(({ addresses }) => addresses);
    expect(entries?.join()).to.match(/^(192\.0\.2\.0\/31|192\.0\.2\.0\/32,192\.0\.2\.1\/32)$/);
  });

  it('lets a Service go though what it frees cannot be put on record', async () => {
    await world.startController();
    await world.createPool('public', ['192.0.2.0/30'], { coolDownSeconds: 3600 });
    await world.createService('web');
    await world.address('web');
    await world.used('public', 1);
    const count = Number.POSITIVE_INFINITY;
    world.server.faults.next(500, { match: { verb: 'patch', resource: 'addresspools.fairlead.dev/status' }, count });
    await world.kube.delete(services, { namespace, name: 'web' });
    await world.gone(services, 'web', namespace);
  });

  it('gives an address that has cooled down to whoever waits, without any other event', async () => {
    await world.startController();
    await world.createPool('public', ['192.0.2.0/32'], { coolDownSeconds: 1 });
    await world.createService('web');
    await world.address('web');
    await world.createService('late');
    await world.condition('late', 'False', 'PoolExhausted');
    await world.kube.delete(services, { namespace, name: 'web' });
    expect(await world.address('late')).to.equal('192.0.2.0');
    await cooling('public', 0);
  });

  it('keeps Services on addresses that the pool has lost and says so; with reclaim it gives them others', async () => {
    await world.startController();
    await world.createPool('public', ['192.0.2.0/30']);
    await world.createService('web');
    await world.address('web');
    await world.editPool('public', { addresses: ['192.0.2.2/31'] });
    const text = await condition('public', 'Draining', 'True', /192\.0\.2\.0\/32/);
    expect(text).to.match(/^1 address in use that the pool no longer has.*set spec\.reclaim: true/);
    expect(await world.event('public', 'Warning', 'PoolDraining')).to.include('192.0.2.0/32');
    expect(world.addresses()).to.deep.equal({ web: '192.0.2.0' });
    await world.editPool('public', { reclaim: true });
    await until(world.services, 'another address for web', ({ metadata, status }) =>
      metadata?.name === 'web' && status?.loadBalancer?.ingress?.[0]?.ip === '192.0.2.2' ? true : undefined,
    );
    await condition('public', 'Draining', 'False', /./);
  });

  it('moves Services to other pools before a pool with reclaim goes', async () => {
    await world.startController();
    await world.createPool('old', ['192.0.2.0/30'], { reclaim: true });
    await world.createService('web');
    await world.address('web');
    await world.createPool('new', ['198.51.100.0/30']);
    await world.accepted('new', 'True', 'Accepted');
    await world.kube.delete(addressPools, { name: 'old' });
    await world.gone(addressPools, 'old');
    expect(world.addresses()).to.deep.equal({ web: '198.51.100.0' });
  });

  labOnly('needs a Node of its own')(
    'begins at once where it may not see nodes, and takes them in when it may',
    async () => {
      const count = Number.POSITIVE_INFINITY;
      for (const resource of ['nodes', 'servicecidrs.networking.k8s.io']) {
        world.server.faults.next(403, { match: { verb: 'list', resource, userAgent: 'c1' }, count });
      }
      await world.kube.create(nodes, nodeObject('n1', '192.0.2.1'));
      await world.createPool('public', ['192.0.2.0/30']);
      const lines: { msg: string; missing?: string[] }[] = [];
      const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(JSON.parse(line)) });
      const controller = await world.startController('c1', { log });
      await world.createService('first');
      expect(await world.address('first')).to.equal('192.0.2.0');
      await controller.ready;
      const [said] = lines.filter(({ missing }) => missing);
      expect(said?.missing).to.deep.equal(['nodes', 'servicecidrs']);
      expect(said?.msg).to.include('deploy/rbac.yaml');
      world.server.faults.clear();
      expect(await condition('public', 'Conflict', 'True', /node "n1"/)).to.include('192.0.2.1');
      await world.createService('second');
      expect(await world.address('second')).to.equal('192.0.2.2');
    },
  );

  it('asks pools in the order of their priority', async () => {
    await world.startController();
    await world.createPool('a', ['192.0.2.0/30']);
    await world.createPool('b', ['198.51.100.0/30'], { priority: 5 });
    await world.accepted('a', 'True', 'Accepted');
    await world.accepted('b', 'True', 'Accepted');
    await world.createService('web');
    expect(await world.address('web')).to.equal('198.51.100.0');
  });
});
