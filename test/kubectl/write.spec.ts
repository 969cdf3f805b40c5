import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { deployment, node, pool, poolDefinition, service } from './manifests.js';

describe('kubectl writes to the API server', function () {
  this.timeout(120_000); // kubectl is a process for each command, and this machine may be busy
  let cluster: Cluster;
  const apply = (manifest: string, ...args: string[]): Promise<string> =>
    cluster.run(['apply', '-f', '-', ...args], manifest);

  beforeEach(async () => {
    cluster = await Cluster.start();
  });
  afterEach(() => cluster.stop());

  describe('apply', () => {
    it('creates, leaves alone, and changes a Service without losing what the server allocated', async () => {
      expect(await apply(service('[{name: http, port: 80}]'))).to.equal('service/web created\n');
      const before = await cluster.object('svc', 'web');
      expect(await apply(service('[{name: http, port: 80}]'))).to.equal('service/web unchanged\n');

      expect(await apply(service('[{name: http, port: 80}, {name: https, port: 443}]'))).to.equal(
        'service/web configured\n',
      );
      const { spec } = await cluster.object('svc', 'web');
      expect(spec.clusterIP).to.equal(before.spec.clusterIP);
      expect(spec.ports.map(({ name }: { name: string }) => name)).to.deep.equal(['http', 'https']);
      expect(spec.ports[0].nodePort).to.equal(before.spec.ports[0].nodePort);

      await apply(service('[{name: https, port: 443}]'));
      expect((await cluster.object('svc', 'web')).spec.ports).to.deep.equal([spec.ports[1]]);
    });

    it('creates a definition and an object of it, and changes both', async () => {
      expect(await apply(poolDefinition)).to.include('addresspools.fairlead.dev created');
      expect(await apply(pool('10.0.0.0/28'))).to.equal('addresspool.fairlead.dev/web created\n');
      expect(await apply(pool('10.0.0.0/24'))).to.equal('addresspool.fairlead.dev/web configured\n');
      const { spec, metadata } = await cluster.object('pool', 'web');
      expect(spec.addresses).to.deep.equal(['10.0.0.0/24']);
      expect(metadata.generation).to.equal(2);
      await apply(poolDefinition.replace('default: 8', 'default: 16'));
      await cluster.run([
        'patch',
        'pool',
        'web',
        '--type=json',
        '-p',
        '[{"op":"remove","path":"/spec/virtualRouters"}]',
      ]);
      expect((await cluster.object('pool', 'web')).spec.virtualRouters).to.equal(16);
    });

    it('changes one container of a Deployment', async () => {
      await apply(deployment('fairlead:1'));
      await apply(deployment('fairlead:2'));
      const { spec, metadata } = await cluster.object('deploy', 'controller');
      const images = spec.template.spec.containers.map(({ name, image }: Record<string, string>) => `${name} ${image}`);
      expect(images).to.deep.equal(['controller fairlead:2', 'sidecar sidecar:1']);
      expect(metadata.generation).to.equal(2);
    });

    it('works on the server side', async () => {
      const args = ['--server-side', '--field-manager=test'];
      expect(await apply(service('[{port: 80}]'), ...args)).to.equal('service/web serverside-applied\n');
      await apply(service('[{port: 80, name: http}]'), ...args);
      expect((await cluster.object('svc', 'web')).spec.ports[0].name).to.equal('http');
    });

    it('changes nothing with --dry-run=server', async () => {
      expect(await apply(service('[{port: 80}]'), '--dry-run=server')).to.equal(
        'service/web created (server dry run)\n',
      );
      expect(await cluster.fail(['get', 'svc', 'web'])).to.include('not found');
    });
  });

  describe('create', () => {
    it('makes objects from arguments', async () => {
      await cluster.run(['create', 'namespace', 'apps']);
      await cluster.run(['create', 'configmap', 'settings', '-n', 'apps', '--from-literal=colour=blue']);
      await cluster.run(['create', 'secret', 'generic', 'login', '--from-literal=password=hush']);
      await cluster.run(['create', 'deployment', 'web', '--image=nginx', '--replicas=0', '--port=80']);
      await cluster.run(['create', 'service', 'nodeport', 'web', '--tcp=80:http', '--node-port=30080']);
      await cluster.run(['create', 'role', 'reader', '--verb=get,list', '--resource=pods']);
      await cluster.run(['create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=apps:robot']);

      expect((await cluster.object('ns', 'apps')).status).to.deep.equal({ phase: 'Active' });
      expect((await cluster.object('cm', 'settings', '-n', 'apps')).data).to.deep.equal({ colour: 'blue' });
      expect((await cluster.object('secret', 'login')).data.password).to.equal(Buffer.from('hush').toString('base64'));
      const { spec } = await cluster.object('deploy', 'web');
      expect(spec.replicas).to.equal(0);
      expect(spec.template.spec.containers[0]).to.deep.include({
        image: 'nginx',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
      });
      expect((await cluster.object('svc', 'web')).spec.ports[0]).to.deep.equal({
        name: '80-http',
        nodePort: 30080,
        port: 80,
        protocol: 'TCP',
        targetPort: 'http',
      });
      expect((await cluster.object('role', 'reader')).rules).to.deep.equal([
        { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
      ]);
      expect((await cluster.object('rolebinding', 'reader')).subjects).to.deep.equal([
        { kind: 'ServiceAccount', name: 'robot', namespace: 'apps' },
      ]);
    });

    it('refuses a name that is taken, and a namespace that is not there', async () => {
      await cluster.run(['create', 'namespace', 'apps']);
      expect(await cluster.fail(['create', 'namespace', 'apps'])).to.equal(
        'Error from server (AlreadyExists): namespaces "apps" already exists\n',
      );
      expect(await cluster.fail(['create', '-n', 'nowhere', '-f', '-'], service('[{port: 80}]'))).to.include(
        'namespaces "nowhere" not found',
      );
    });
  });

  describe('patch', () => {
    beforeEach(async () => {
      await apply([poolDefinition, service('[{name: http, port: 80}, {name: https, port: 443}]')].join('---'));
      await apply(pool('10.0.0.0/28'));
    });

    it('merges lists by key with a strategic merge patch', async () => {
      await cluster.run(['patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":443,"targetPort":8443}]}}']);
      const { spec } = await cluster.object('svc', 'web');
      const targets = spec.ports.map(({ name, targetPort }: Record<string, unknown>) => `${name} ${targetPort}`);
      expect(targets.sort()).to.deep.equal(['http 80', 'https 8443']);
      await cluster.run(['patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":443,"$patch":"delete"}]}}']);
      expect((await cluster.object('svc', 'web')).spec.ports).to.have.length(1);
    });

    it('replaces lists with a merge patch', async () => {
      await cluster.run(['patch', 'svc', 'web', '--type=merge', '-p', '{"spec":{"ports":[{"port":8080}]}}']);
      const { spec } = await cluster.object('svc', 'web');
      expect(spec.ports.map(({ port }: { port: number }) => port)).to.deep.equal([8080]);
    });

    it('applies a JSON patch, or nothing of it', async () => {
      const patch = (...operations: object[]): string[] => [
        'patch',
        'pool',
        'web',
        '--type=json',
        '-p',
        JSON.stringify(operations),
      ];
      await cluster.run(patch({ op: 'add', path: '/spec/addresses/-', value: '10.0.1.0/28' }));
      expect((await cluster.object('pool', 'web')).spec.addresses).to.deep.equal(['10.0.0.0/28', '10.0.1.0/28']);
      const refused = await cluster.fail(
        patch(
          { op: 'replace', path: '/spec/autoAssign', value: false },
          { op: 'test', path: '/spec/addresses/0', value: 'x' },
        ),
      );
      expect(refused).to.include('testing path /spec/addresses/0 failed');
      expect((await cluster.object('pool', 'web')).spec.autoAssign).to.equal(true);
    });

    it('takes no strategic merge patch for custom resources', async () => {
      expect(await cluster.fail(['patch', 'pool', 'web', '-p', '{}'])).to.include(
        'application/strategic-merge-patch+json is not supported by fairlead.dev/v1alpha1, Kind=AddressPool',
      );
    });

    it('changes status only at the status subresource, and nothing else there', async () => {
      const both = JSON.stringify({
        spec: { autoAssign: false },
        status: { conditions: [{ type: 'Accepted', status: 'True' }] },
      });
      await cluster.run(['patch', 'pool', 'web', '--type=merge', '--subresource=status', '-p', both]);
      let object = await cluster.object('pool', 'web');
      expect(object.spec.autoAssign).to.equal(true);
      expect(object.status.conditions).to.have.length(1);
      expect(object.metadata.generation).to.equal(1);

      await cluster.run(['patch', 'pool', 'web', '--type=merge', '-p', '{"spec":{"autoAssign":false},"status":null}']);
      object = await cluster.object('pool', 'web');
      expect(object.spec.autoAssign).to.equal(false);
      expect(object.status.conditions).to.have.length(1);
      expect(object.metadata.generation).to.equal(2);
    });

    it('fills in ipMode: VIP for an address in the status of a Service', async () => {
      const patch = '{"status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"},{"ip":"10.0.0.2","ipMode":"Proxy"}]}}}';
      await cluster.run(['patch', 'svc', 'web', '--subresource=status', '--type=merge', '-p', patch]);
      expect((await cluster.object('svc', 'web')).status.loadBalancer.ingress).to.deep.equal([
        { ip: '10.0.0.1', ipMode: 'VIP' },
        { ip: '10.0.0.2', ipMode: 'Proxy' },
      ]);
      expect(await cluster.run(['get', 'svc', 'web'])).to.include('10.0.0.1,10.0.0.2');
    });

    it('labels, annotates and taints', async () => {
      await apply(node('n1'));
      await cluster.run(['label', 'svc', 'web', 'tier=front', 'app-']);
      await cluster.run(['annotate', 'svc', 'web', 'fairlead.dev/address-pool=web']);
      const { metadata } = await cluster.object('svc', 'web');
      expect(metadata.labels).to.deep.equal({ tier: 'front' });
      expect(metadata.annotations).to.deep.include({ 'fairlead.dev/address-pool': 'web' });
      await cluster.run(['taint', 'node', 'n1', 'gone=yes:NoExecute']);
      await cluster.run(['cordon', 'n1']);
      expect((await cluster.object('node', 'n1')).spec).to.deep.include({
        taints: [{ effect: 'NoExecute', key: 'gone', value: 'yes' }],
        unschedulable: true,
      });
      expect(await cluster.run(['get', 'nodes'])).to.include('Ready,SchedulingDisabled');
    });
  });

  describe('conflicts', () => {
    it('refuses a replacement made from an old version', async () => {
      await apply(service('[{port: 80}]'));
      const old = await cluster.object('svc', 'web');
      await cluster.run(['label', 'svc', 'web', 'changed=yes']);
      expect(await cluster.fail(['replace', '-f', '-'], JSON.stringify(old))).to.match(
        /^Error from server \(Conflict\): .*Operation cannot be fulfilled on services "web": the object has been modified/,
      );
    });

    it('refuses a patch that names an old version', async () => {
      await apply(service('[{port: 80}]'));
      const { resourceVersion } = (await cluster.object('svc', 'web')).metadata;
      await cluster.run(['label', 'svc', 'web', 'changed=yes']);
      const patch = JSON.stringify({ metadata: { resourceVersion }, spec: { sessionAffinity: 'ClientIP' } });
      expect(await cluster.fail(['patch', 'svc', 'web', '--type=merge', '-p', patch])).to.include('(Conflict)');
    });
  });

  describe('delete', () => {
    it('deletes an object, and frees what was allocated to it', async () => {
      await apply(service('[{port: 80, nodePort: 30100}]'));
      expect(await cluster.run(['delete', 'svc', 'web'])).to.include('service "web" deleted');
      await apply(service('[{port: 80, nodePort: 30100}]'));
    });

    it('waits for finalizers, and returns when the last one is gone', async () => {
      await apply(service('[{port: 80}]'));
      await cluster.run([
        'patch',
        'svc',
        'web',
        '-p',
        '{"metadata":{"finalizers":["fairlead.dev/a","fairlead.dev/b"]}}',
      ]);
      const deleting = cluster.run(['delete', 'svc', 'web', '--wait', '--timeout=60s']);
      // Of one object that is named, kubectl keeps back what its watch begins with, the mark too if that is set by then.
      const marked = cluster.start([
        'get',
        'svc',
        '--field-selector=metadata.name=web',
        '-w',
        '-o',
        'jsonpath={.metadata.deletionTimestamp}{"\\n"}',
      ]);
      await marked.line(/^\d{4}-/);
      await marked.stop();
      await cluster.run([
        'patch',
        'svc',
        'web',
        '-p',
        '{"metadata":{"$deleteFromPrimitiveList/finalizers":["fairlead.dev/a"]}}',
      ]);
      expect((await cluster.object('svc', 'web')).metadata.finalizers).to.deep.equal(['fairlead.dev/b']);
      await cluster.run(['patch', 'svc', 'web', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
      expect(await deleting).to.include('service "web" deleted');
      expect(await cluster.fail(['get', 'svc', 'web'])).to.include('not found');
    });

    it('deletes a namespace with all that is in it', async () => {
      await cluster.run(['create', 'namespace', 'apps']);
      await cluster.run(['apply', '-n', 'apps', '-f', '-'], service('[{port: 80}]'));
      await cluster.run(['delete', 'namespace', 'apps']);
      expect(await cluster.run(['get', 'svc', '-A', '-o', 'name'])).to.equal('service/kubernetes\n');
    });

    it('stops to serve a resource whose definition is deleted', async () => {
      await apply(poolDefinition);
      await apply(pool('10.0.0.0/28'));
      await cluster.run(['delete', 'crd', 'addresspools.fairlead.dev']);
      expect(await cluster.fail(['get', 'addresspools.v1alpha1.fairlead.dev'])).to.match(
        /could not find|doesn't have a resource type/,
      );
      await apply(poolDefinition);
      expect(await cluster.run(['get', 'pool', '-o', 'name'])).to.equal('');
    });

    it('lets a running pod go only when its node says so', async () => {
      const pod =
        'apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { nodeName: n1, containers: [{ name: c, image: i }] }';
      await apply(pod);
      await cluster.run(['delete', 'pod', 'p', '--wait=false']);
      expect((await cluster.object('pod', 'p')).metadata.deletionGracePeriodSeconds).to.equal(30);
      expect(await cluster.run(['get', 'pod', 'p'])).to.include('Terminating');
      await cluster.run(['delete', 'pod', 'p', '--force', '--grace-period=0']);
      expect(await cluster.fail(['get', 'pod', 'p'])).to.include('not found');
    });
  });

  describe('bad input', () => {
    it('is refused with the reason, field by field', async () => {
      expect(await cluster.fail(['apply', '-f', '-'], service('[{port: 0}, {port: 80}]'))).to.equal(
        [
          'The Service "web" is invalid: ',
          '* spec.ports[0].name: Required value',
          '* spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
          '* spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
          '* spec.ports[1].name: Required value',
          '',
        ].join('\n'),
      );
    });

    it('of a node port out of range, or of another Service, is named', async () => {
      expect(await cluster.fail(['apply', '-f', '-'], service('[{port: 80, nodePort: 99}]'))).to.equal(
        'The Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 99: provided port is not in the valid range. The range of valid ports is 30000-32767\n',
      );
      await cluster.run(['create', 'service', 'nodeport', 'other', '--tcp=80', '--node-port=30081']);
      expect(await cluster.fail(['apply', '-f', '-'], service('[{port: 80, nodePort: 30081}]'))).to.include(
        'spec.ports[0].nodePort: Invalid value: 30081: provided port is already allocated',
      );
    });

    it('of an unknown field fails in strict mode, warns in warn mode, and passes in ignore mode', async () => {
      const wrong = service('[{port: 80, nodeport: 30080}]', '  colour: blue');
      const refused = await cluster.fail(['apply', '-f', '-'], wrong);
      expect(refused).to.include('Service in version "v1" cannot be handled as a Service: strict decoding error: ');
      expect(refused).to.include('unknown field "spec.ports[0].nodeport"');
      expect(refused).to.include('unknown field "spec.colour"');
      const { code, stderr } = await cluster.try(['apply', '--validate=warn', '-f', '-'], wrong);
      expect(code).to.equal(0);
      expect(stderr).to.include('Warning: unknown field "spec.colour"');
      expect((await cluster.object('svc', 'web')).spec).not.to.have.property('colour');
      const quiet = await cluster.try(['apply', '--validate=ignore', '-f', '-'], wrong.replace('blue', 'red'));
      expect(quiet).to.deep.include({ code: 0, stderr: '' });
    });

    it('of the wrong type is refused', async () => {
      expect(await cluster.fail(['apply', '-f', '-'], service('[{port: eighty}]'))).to.include(
        'json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32',
      );
    });

    it('to a custom resource is refused by its schema', async () => {
      await apply(poolDefinition);
      expect(
        await cluster.fail(['apply', '-f', '-'], pool('10.0.0.0/28').replace('spec:', 'spec:\n  virtualRouters: 99')),
      ).to.equal(
        'The AddressPool "web" is invalid: spec.virtualRouters: Invalid value: 99: spec.virtualRouters in body should be less than or equal to 64\n',
      );
      expect(await cluster.fail(['apply', '-f', '-'], pool('x').replace(/addresses.*/, 'autoAssign: true'))).to.include(
        'spec.addresses: Required value',
      );
      expect(await cluster.fail(['apply', '-f', '-'], pool('x').replace('spec:', 'spec:\n  colour: blue'))).to.include(
        'strict decoding error: unknown field "spec.colour"',
      );
    });

    it('that changes what may not change is refused', async () => {
      await apply(service('[{port: 80}]', '  loadBalancerClass: fairlead.dev/lb'));
      expect(await cluster.fail(['patch', 'svc', 'web', '-p', '{"spec":{"loadBalancerClass":"other/lb"}}'])).to.include(
        'spec.loadBalancerClass: Invalid value: "other/lb": may not change once set',
      );
      expect(
        await cluster.fail([
          'patch',
          'svc',
          'web',
          '--type=merge',
          '-p',
          '{"spec":{"clusterIP":"10.96.9.9","clusterIPs":["10.96.9.9"]}}',
        ]),
      ).to.include('may not change once set');
    });
  });
});
