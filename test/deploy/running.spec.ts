import { fileURLToPath } from 'node:url';
import { type Controller, startController } from '@fairlead/controller';
import { addressPools, KubeClient, services } from '@fairlead/kube';
import { expect } from 'chai';
import { pino } from 'pino';
import { Cluster } from '../kubectl/cluster.js';
import { isAllowed, rulesOf } from './rights.js';

const deploy = fileURLToPath(new URL('../../../deploy/', import.meta.url)); // from test/dist/deploy/

describe('a cluster with deploy/ and a controller', () => {
  let cluster: Cluster;
  let kube: KubeClient;
  let controller: Controller;
  /** RequestInfos as JSON, of the controller alone. */
  const requests = new Set<string>();

  before(async () => {
    cluster = await Cluster.start();
    await cluster.run(['apply', '-k', deploy]);
    const { url } = await cluster.server.listen({ host: '127.0.0.1', port: 0 });
    cluster.server.on('request', ({ userAgent, verb, resource, namespace, name }) => {
      if (userAgent === 'the-controller') requests.add(JSON.stringify({ verb, resource, namespace, name }));
    });
    kube = new KubeClient({ server: url, userAgent: 'the-controller' });
    controller = await startController({ kube, identity: 'c1', log: pino({ level: 'silent' }) });
    await cluster.run(['apply', '-f', `${deploy}examples/pool.yaml`]);
    await cluster.run(['apply', '-f', `${deploy}examples/service.yaml`]);
  });
  after(async () => {
    await controller.stop();
    await kube.close();
    await cluster.stop();
  });

  it('accepts the example pool and gives its lowest address to the example Service', async () => {
    await cluster.run(['wait', '--for=condition=Accepted', 'apool/public', '--timeout=30s']);
    const address = '--for=jsonpath={.status.loadBalancer.ingress[0].ip}=10.77.0.200';
    await cluster.run(['wait', address, 'svc/web', '--timeout=30s']);
    await cluster.run(['wait', '--for=condition=fairlead.dev/Allocated', 'svc/web', '--timeout=30s']);
    expect(await cluster.run(['get', 'svc', 'web'])).to.match(/^web +LoadBalancer +\S+ +10\.77\.0\.200 +80:/m);
  });

  it('shows in `kubectl get apool` what there is and what is left', async () => {
    await cluster.run(['wait', '--for=jsonpath={.status.allocated}=1', 'apool/public', '--timeout=30s']);
    expect(await cluster.run(['get', 'apool'])).to.match(
      /^NAME +ADDRESSES +AUTO +ACCEPTED +ALLOCATED +FREE-V4 +FREE-V6 +AGE\npublic +\["10\.77\.0\.200-10\.77\.0\.231"\] +true +True +1 +31 +\S+$/m,
    );
    expect(await cluster.run(['get', 'apool', '-o', 'wide'])).to.include('32 IPv4 addresses in 8 virtual routers');
  });

  it('tells of it in `kubectl describe`', async () => {
    await controller.ready;
    await cluster.run([
      'wait',
      '--for=create',
      'event',
      '--field-selector=involvedObject.name=web,reason=IPAllocated',
      '--timeout=30s',
    ]);
    expect(await cluster.run(['describe', 'svc', 'web'])).to.match(
      /Normal +IPAllocated +\S+ +fairlead-controller.* +Assigned 10\.77\.0\.200 from pool "public"/,
    );
  });

  it('lets kubectl delete a Service, then its pool', async () => {
    await cluster.run(['delete', 'svc/web', '--timeout=30s']);
    await cluster.run(['delete', 'apool/public', '--timeout=30s']);
  });

  it('allows the controller by RBAC what it asked for, and writes to nothing else', async () => {
    const rules = await rulesOf('fairlead-controller');
    const asked = [...requests];
    expect(asked.filter((request) => !isAllowed(rules, JSON.parse(request)))).to.deep.equal([]);
    for (const { plural } of [services, addressPools]) {
      expect(asked.some((request) => request.startsWith(`{"verb":"watch","resource":"${plural}`))).to.equal(true);
    }
    expect(rules.some((rule) => [...rule.verbs, ...rule.resources, ...rule.apiGroups].includes('*'))).to.equal(false);
  });
});
