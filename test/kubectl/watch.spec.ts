import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { pool, poolDefinition, service } from './manifests.js';

describe('kubectl watches the API server', function () {
  this.timeout(120_000); // kubectl is a process for each command, and this machine may be busy
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start();
    await cluster.run(['apply', '-f', '-'], [poolDefinition, service('[{port: 80}]')].join('---'));
    await cluster.run(['apply', '-f', '-'], pool('10.0.0.0/28'));
  });
  afterEach(() => cluster.stop());

  it('sees a Service get its address, change and go', async () => {
    const watch = cluster.start(['get', 'svc', '-w', '--output-watch-events', '-l', 'app=web']);
    await watch.line(/^EVENT +NAME +TYPE/);
    await watch.line(/^ADDED +web +LoadBalancer .*<pending>/);
    const status = '{"status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}}}';
    await cluster.run(['patch', 'svc', 'web', '--subresource=status', '--type=merge', '-p', status]);
    await watch.line(/^MODIFIED +web +LoadBalancer .* 10\.0\.0\.1 +80:/);
    await cluster.run(['label', 'svc', 'web', 'app-']);
    await watch.line(/^DELETED +web /);
    await cluster.run(['label', 'svc', 'web', 'app=web']);
    await watch.line(/^ADDED +web /);
    await cluster.run(['delete', 'svc', 'web']);
    await watch.line(/^DELETED +web /);
    await watch.stop();
  });

  it('sees custom resources with their columns', async () => {
    // Not by its name alone: then kubectl keeps back what its watch begins with, which may be the change already.
    const watch = cluster.start(['get', 'pool', '--field-selector=metadata.name=web', '-w', '--no-headers']);
    await watch.line(/^web +\["10\.0\.0\.0\/28"\]/);
    const status = '{"status":{"conditions":[{"type":"Accepted","status":"False"}]}}';
    await cluster.run(['patch', 'pool', 'web', '--subresource=status', '--type=merge', '-p', status]);
    await watch.line(/^web +\["10\.0\.0\.0\/28"\] +False/);
    await watch.stop();
  });

  it('waits for a condition', async () => {
    const waiting = cluster.run(['wait', '--for=condition=Accepted', 'pool/web', '--timeout=60s']);
    const accept = (status: string): Promise<string> => {
      const patch = JSON.stringify({ status: { conditions: [{ type: 'Accepted', status }] } });
      return cluster.run(['patch', 'pool', 'web', '--subresource=status', '--type=merge', '-p', patch]);
    };
    await accept('False');
    await accept('True');
    expect(await waiting).to.equal('addresspool.fairlead.dev/web condition met\n');
    expect(await cluster.run(['wait', '--for=condition=Established', 'crd/addresspools.fairlead.dev'])).to.include(
      'condition met',
    );
  });

  it('waits for a value, and for a deletion', async () => {
    const address = cluster.run([
      'wait',
      '--for=jsonpath={.status.loadBalancer.ingress[0].ip}',
      'svc/web',
      '--timeout=60s',
    ]);
    const status = '{"status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}}}';
    await cluster.run(['patch', 'svc', 'web', '--subresource=status', '--type=merge', '-p', status]);
    expect(await address).to.include('condition met');
    const watching = new Promise<void>((resolve) => {
      cluster.server.on('request', ({ verb }) => {
        if (verb === 'watch') resolve();
      });
    });
    const gone = cluster.run(['wait', '--for=delete', 'svc/web', '--timeout=60s']);
    await watching; // of an object that is gone already, kubectl says nothing
    await cluster.run(['delete', 'svc', 'web']);
    expect(await gone).to.include('condition met');
  });

  it('is told when it waits in vain', async () => {
    expect(await cluster.fail(['wait', '--for=condition=Accepted', 'pool/web', '--timeout=1s'])).to.include(
      'timed out waiting for the condition on addresspools/web',
    );
  });
});
