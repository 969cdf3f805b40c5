import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { node, pool, poolDefinition, service } from './manifests.js';

describe('kubectl reads from the API server', function () {
  this.timeout(120_000); // kubectl is a process for each command, and this machine may be busy
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start();
    await cluster.run(['apply', '-f', '-'], [poolDefinition, node('n1'), node('n2')].join('---'));
    await cluster.run(
      ['apply', '-f', '-'],
      [pool('10.0.0.0/28'), service('[{port: 80, targetPort: 8080}]')].join('---'),
    );
    await cluster.run(['create', 'namespace', 'other']);
    await cluster.run(['create', 'service', 'clusterip', 'api', '--tcp=443', '-n', 'other']);
  });
  after(() => cluster.stop());

  it('lists what it serves, with short names', async () => {
    const resources = await cluster.run(['api-resources']);
    expect(resources).to.match(/^services +svc +v1 +true +Service$/m);
    expect(resources).to.match(/^addresspools +pool +fairlead\.dev\/v1alpha1 +false +AddressPool$/m);
    expect(resources).to.match(/^leases +coordination\.k8s\.io\/v1 +true +Lease$/m);
    expect((await cluster.run(['api-versions'])).split('\n')).to.include.members([
      'v1',
      'apps/v1',
      'fairlead.dev/v1alpha1',
    ]);
    expect(await cluster.run(['version'])).to.match(/Server Version: v1\.35/);
  });

  it('prints a table of Services, and more columns with -o wide', async () => {
    const table = await cluster.run(['get', 'svc', 'web']);
    expect(table).to.match(/^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE$/m);
    expect(table).to.match(/^web +LoadBalancer +10\.96\.\d+\.\d+ +<pending> +80:3\d{4}\/TCP +\d+s$/m);
    expect(await cluster.run(['get', 'svc', 'web', '-o', 'wide'])).to.match(/SELECTOR\nweb .* app=web$/m);
  });

  it('prints a table of nodes with their addresses', async () => {
    const table = await cluster.run(['get', 'nodes', '-o', 'wide']);
    expect(table).to.match(/^n1 +Ready +<none> +\d+s +v1\.35\.0 +10\.77\.0\.11 +<none> +Debian/m);
  });

  it('prints the columns that a CustomResourceDefinition asks for', async () => {
    expect(await cluster.run(['get', 'pool'])).to.match(
      /^NAME +ADDRESSES +ACCEPTED +AGE\nweb +\["10\.0\.0\.0\/28"\] +\d+s$/m,
    );
    expect(await cluster.run(['get', 'pool', '-o', 'wide'])).to.match(/^NAME +ADDRESSES +ACCEPTED +ROUTERS +AGE$/m);
    expect(await cluster.run(['get', 'fairlead', '-o', 'name'])).to.equal('addresspool.fairlead.dev/web\n');
  });

  it('gives objects as JSON and YAML with the defaults of the server', async () => {
    const { spec, status } = await cluster.object('svc', 'web');
    expect(spec).to.deep.include({
      allocateLoadBalancerNodePorts: true,
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
    });
    expect(spec.clusterIPs).to.deep.equal([spec.clusterIP]);
    expect(spec.ports).to.have.length(1);
    expect(spec.ports[0]).to.deep.include({ port: 80, protocol: 'TCP', targetPort: 8080 });
    expect(status).to.deep.equal({ loadBalancer: {} });
    expect(await cluster.run(['get', 'pool', 'web', '-o', 'yaml'])).to.match(
      /autoAssign: true\n {2}virtualRouters: 8\n/,
    );
  });

  it('selects by label, by field and by namespace', async () => {
    const names = async (...args: string[]): Promise<string[]> =>
      (await cluster.run(['get', ...args, '-o', 'name'])).split('\n').filter(Boolean);
    expect(await names('nodes', '-l', 'zone=a')).to.deep.equal(['node/n1']);
    expect(await names('nodes', '-l', 'zone in (a,b),zone!=a')).to.deep.equal(['node/n2']);
    expect(await names('nodes', '-l', '!zone')).to.deep.equal([]);
    expect(await names('svc', '-A', '--field-selector', 'metadata.namespace=other')).to.deep.equal(['service/api']);
    expect(await names('svc', '--field-selector', 'spec.type=LoadBalancer')).to.deep.equal(['service/web']);
    expect(await cluster.fail(['get', 'svc', '--field-selector', 'spec.foo=x'])).to.include(
      'field label not supported: spec.foo',
    );
  });

  it('describes a Service with its endpoints and Events', async () => {
    await cluster.run(
      ['apply', '-f', '-'],
      `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
endpoints: [{ addresses: [10.244.1.2], conditions: { ready: true } }]
ports: [{ name: "", port: 8080 }]
---
apiVersion: v1
kind: Event
metadata: { name: web.1 }
involvedObject: { kind: Service, name: web, namespace: default, uid: ${(await cluster.object('svc', 'web')).metadata.uid} }
type: Warning
reason: PoolExhausted
message: no address is left
source: { component: fairlead-controller }
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:00:00Z"
count: 3
`,
    );
    const text = await cluster.run(['describe', 'svc', 'web']);
    expect(text).to.match(/^Type: +LoadBalancer$/m);
    expect(text).to.match(/^NodePort: +<unset> +3\d{4}\/TCP$/m);
    expect(text).to.match(/^Endpoints: +10\.244\.1\.2:8080$/m);
    expect(text).to.match(/Warning +PoolExhausted .* fairlead-controller +no address is left$/m);
    expect(await cluster.run(['get', 'events'])).to.match(/Warning +PoolExhausted +service\/web +no address is left$/m);
  });

  it('describes a node, with the pods that run on it', async () => {
    await cluster.run(
      ['apply', '-f', '-'],
      'apiVersion: v1\nkind: Pod\nmetadata: { name: echo }\nspec: { nodeName: n1, containers: [{ name: echo, image: echo }] }',
    );
    const text = await cluster.run(['describe', 'node', 'n1']);
    expect(text).to.match(/^ +Ready +True .* KubeletReady/m);
    expect(text).to.match(/^ +InternalIP: +10\.77\.0\.11$/m);
    expect(text).to.match(/^ +default +echo /m);
    expect(await cluster.run(['describe', 'node', 'n2'])).to.match(/Non-terminated Pods: +\(0 in total\)/);
  });

  it('describes a custom resource', async () => {
    const text = await cluster.run(['describe', 'pool', 'web']);
    expect(text).to.match(
      /^Spec:\n {2}Addresses:\n {4}10\.0\.0\.0\/28\n {2}Auto Assign: +true\n {2}Virtual Routers: +8$/m,
    );
  });

  it('explains custom and built-in fields', async () => {
    const custom = await cluster.run(['explain', 'addresspool.spec']);
    expect(custom).to.match(/addresses\s+<\[\]string> -required-\n +Networks or ranges of addresses\./);
    expect(await cluster.run(['explain', 'service.spec.ports'])).to.match(/nodePort\s+<integer>/);
    expect(await cluster.fail(['explain', 'pool.spec.nothing'])).to.include('field "nothing" does not exist');
  });

  it('reads long lists page by page', async () => {
    const whole = await cluster.run(['get', 'ns', '-o', 'name']);
    const paged = await cluster.run(['get', 'ns', '-o', 'name', '--chunk-size=2']);
    expect(paged).to.equal(whole);
    expect(paged.split('\n').filter(Boolean)).to.have.length(5);
  });

  it('says what it cannot find', async () => {
    expect(await cluster.fail(['get', 'svc', 'nothing'])).to.equal(
      'Error from server (NotFound): services "nothing" not found\n',
    );
    expect(await cluster.fail(['get', 'pool', 'nothing'])).to.equal(
      'Error from server (NotFound): addresspools.fairlead.dev "nothing" not found\n',
    );
    expect(await cluster.fail(['get', 'nothings'])).to.include('the server doesn\'t have a resource type "nothings"');
  });
});
