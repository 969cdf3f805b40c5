import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Controller, startController } from '@fairlead/controller';
import { addressPools, KubeClient, services } from '@fairlead/kube';
import { expect } from 'chai';
import { pino } from 'pino';
import { parseAllDocuments } from 'yaml';
import { Cluster } from '../kubectl/cluster.js';

const deploy = fileURLToPath(new URL('../../../deploy/', import.meta.url)); // from test/dist/deploy/

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

interface Manifest {
  kind: string;
  metadata: { name: string };
  rules?: Rule[];
}

describe('a cluster with deploy/ and a controller', () => {
  let cluster: Cluster;
  let kube: KubeClient;
  let controller: Controller;
  /** `verb resource[/subresource] name`, of the controller alone. */
  const requests = new Set<string>();

  before(async () => {
    cluster = await Cluster.start();
    await cluster.run(['apply', '-k', deploy]);
    const { url } = await cluster.server.listen({ host: '127.0.0.1', port: 0 });
    cluster.server.on('request', ({ verb, resource, name, userAgent }) => {
      if (userAgent === 'the-controller') requests.add(`${verb} ${resource} ${name ?? ''}`);
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
    const documents = parseAllDocuments(await readFile(`${deploy}rbac.yaml`, 'utf8'));
    const rules = documents
      .map((document) => document.toJS() as Manifest)
      .filter(({ kind, metadata }) => /Role$/.test(kind) && metadata.name === 'fairlead-controller')
      .flatMap((manifest) => manifest.rules ?? []);
    const isAllowed = (request: string): boolean => {
      const [verb, resource, name] = request.split(' ') as [string, string, string];
      const [plural, group = ''] = splitGroup(resource);
      return rules.some(
        (rule) =>
          rule.verbs.includes(verb) &&
          rule.apiGroups.includes(group) &&
          rule.resources.includes(plural) &&
          // A list or watch limited to one name by a field selector names it for the authorizer, too.
          (!rule.resourceNames || verb === 'list' || verb === 'watch' || rule.resourceNames.includes(name)),
      );
    };
    const asked = [...requests];
    expect(asked.filter((request) => !isAllowed(request))).to.deep.equal([]);
    for (const { plural } of [services, addressPools]) {
      expect(asked.some((request) => request.startsWith(`watch ${plural}`))).to.equal(true);
    }
    expect(rules.some((rule) => [...rule.verbs, ...rule.resources, ...rule.apiGroups].includes('*'))).to.equal(false);
  });
});

/** `addresspools.fairlead.dev/status` → `addresspools/status`, `fairlead.dev`. */
function splitGroup(resource: string): [string, string?] {
  const [full, subresource] = resource.split('/') as [string, string?];
  const dot = full.indexOf('.');
  const plural = dot < 0 ? full : full.slice(0, dot);
  const name = subresource ? `${plural}/${subresource}` : plural;
  return dot < 0 ? [name] : [name, full.slice(dot + 1)];
}
