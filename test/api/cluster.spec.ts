/** What `npm run test:api` does to a cluster; the cluster is the lab's API server, which sees every request. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installManifests } from '@fairlead/cli';
import {
  addressPools,
  customResourceDefinitions,
  events,
  KubeClient,
  type KubeObject,
  leases,
  namespaces,
  nodes,
  services,
} from '@fairlead/kube';
import { ApiServer } from '@fairlead/lab';
import { expect } from 'chai';

/** From test/dist/api/ it is three up to the root. */
const root = fileURLToPath(new URL('../../../', import.meta.url));

interface Outcome {
  passes: number;
  failures: number;
  output: string;
}

describe('the suites against a cluster', function () {
  this.timeout(60_000);
  let server: ApiServer;
  let kube: KubeClient;
  let folder: string;

  beforeEach(async () => {
    server = new ApiServer();
    const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
    kube = new KubeClient({ server: url });
    folder = await mkdtemp(join(tmpdir(), 'fairlead-api-'));
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'it',
      contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
      // Credentials without TLS: client-node refuses them otherwise.
      clusters: [{ name: 'it', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'it', user: { token: 'secret' } }],
    };
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify(config));
  });
  afterEach(async () => {
    await kube.close();
    await server.close();
    await rm(folder, { recursive: true });
  });

  function run(...args: string[]): Promise<Outcome> {
    const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
    const env = { ...process.env, FAIRLEAD_TEST_KUBECONFIG: join(folder, 'kubeconfig') };
    const argv = [mocha, '--reporter', 'json', '--timeout', '30000', ...args];
    return new Promise((resolve, reject) => {
      execFile(process.execPath, argv, { cwd: root, env }, (_error, output, stderr) => {
        const { stats } = JSON.parse(output) as { stats: Outcome };
        resolve({ ...stats, output: output + stderr });
      }).on('error', reject);
    });
  }

  /** Everything of the kinds that the suites touch. */
  async function inventory(): Promise<string[]> {
    const all = [namespaces, services, events, leases, nodes, customResourceDefinitions].map(async (resource) => {
      const { items } = await kube.list(resource);
      return items.map(({ metadata }) => `${resource.plural} ${metadata!.namespace ?? ''}/${metadata!.name}`);
    });
    return (await Promise.all(all)).flat();
  }

  const writes = () => [...server.counts.keys()].filter((request) => /^(create|update|patch|delete)/.test(request));

  it('work there, in a namespace of their own, and leave nothing behind', async () => {
    const before = await inventory();
    const touched = new Set<string | undefined>();
    server.on('request', ({ verb, resource, namespace }) => {
      if (verb === 'create' && resource === 'services') touched.add(namespace);
    });
    const outcome = await run('test/dist/controller/allocation.spec.js', 'test/dist/kube/informer.spec.js');
    expect(outcome.failures, outcome.output).to.equal(0);
    expect(outcome.passes).to.be.at.least(10);
    expect([...touched]).to.have.length(1);
    expect([...touched][0]).to.match(/^fairlead-test-[0-9a-f]{8}$/);
    expect(server.counts.get('create addresspools.fairlead.dev')).to.be.at.least(5);
    expect(await inventory()).to.deep.equal(before);
  });

  it('work there with kubectl', async () => {
    const before = await inventory();
    const outcome = await run('test/dist/kubectl/pools.spec.js', '--grep', 'refuse');
    expect(outcome.failures, outcome.output).to.equal(0);
    expect(outcome.passes).to.be.at.least(9);
    expect(server.counts.get('create addresspools.fairlead.dev')).to.be.at.least(9);
    expect(await inventory()).to.deep.equal(before);
  });

  it('leave nothing behind when they fail', async () => {
    const before = await inventory();
    const count = Number.POSITIVE_INFINITY;
    server.faults.next(403, { match: { verb: 'create', resource: 'services' }, count });
    const outcome = await run(
      'test/dist/controller/allocation.spec.js',
      '--grep',
      'address of the pool it names',
      '--timeout',
      '3000',
    );
    expect(outcome).to.include({ passes: 0, failures: 1 });
    expect(server.counts.get('create addresspools.fairlead.dev')).to.equal(2);
    expect(await inventory()).to.deep.equal(before);
  });

  const refused: [string, () => Promise<unknown>, RegExp][] = [
    [
      'has an AddressPool',
      async () => {
        await installManifests(kube);
        const pool = { apiVersion: 'fairlead.dev/v1alpha1', kind: 'AddressPool', metadata: { name: 'theirs' } };
        await kube.create(addressPools, { ...pool, spec: { addresses: ['192.0.2.0/24'] } } as KubeObject);
      },
      /has AddressPools \(theirs\)/,
    ],
    [
      'has a controller',
      async () => {
        await installManifests(kube);
        const metadata = { namespace: 'fairlead-system', name: 'fairlead-controller' };
        await kube.create(leases, { metadata, spec: { holderIdentity: 'their-controller' } } as KubeObject);
      },
      /their-controller.* holds the Lease fairlead-system\/fairlead-controller/,
    ],
    [
      'has a Service that a controller would serve',
      () => {
        const spec = { type: 'LoadBalancer', ports: [{ port: 80 }] };
        return kube.create(services, { metadata: { namespace: 'default', name: 'theirs' }, spec } as KubeObject);
      },
      /Service default\/theirs/,
    ],
  ];
  for (const [what, prepare, text] of refused) {
    it(`write nothing to a cluster that ${what}`, async () => {
      await prepare();
      server.counts.clear();
      const outcome = await run('test/dist/controller/allocation.spec.js');
      expect(outcome).to.include({ passes: 0, failures: 1 });
      expect(outcome.output).to.include('FL_TEST_CLUSTER_IN_USE').and.to.match(text);
      expect(writes()).to.deep.equal([]);
    });
  }
});
