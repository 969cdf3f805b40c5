import { expect } from 'chai';
import { SERVICES, service, TestApi } from '../api.spec.helpers.js';
import type { JsonObject } from '../types.js';

const MERGE = { 'content-type': 'application/merge-patch+json' };

describe('Services', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await TestApi.start({ nodePortRange: [30000, 30009] });
  });
  afterEach(() => api.stop());

  const create = (name: string, spec: object) => api.create(SERVICES, service(name, spec));
  const patch = (name: string, spec: object) => api.call('PATCH', `${SERVICES}/${name}`, { spec }, MERGE);
  const refusal = async (spec: object): Promise<string> =>
    (await api.call('POST', SERVICES, service('bad', spec))).body.message;

  it('get an address in the cluster, and node ports where their type has them', async () => {
    const { spec } = await create('a', { type: 'NodePort', ports: [{ port: 80 }] });
    expect(spec.clusterIP).to.match(/^10\.96\.\d+\.\d+$/);
    expect(spec.clusterIPs).to.deep.equal([spec.clusterIP]);
    expect(spec.ports[0].nodePort).to.be.within(30000, 30009);
    expect((await create('b', {})).spec.ports[0]).not.to.have.property('nodePort');
    const without = await create('c', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false });
    expect(without.spec.ports[0]).not.to.have.property('nodePort');
    expect((await create('d', { clusterIP: 'None' })).spec).to.deep.include({
      clusterIP: 'None',
      clusterIPs: ['None'],
    });
    const external = await create('e', { type: 'ExternalName', externalName: 'x.example', ports: undefined });
    expect(external.spec).to.deep.equal({ externalName: 'x.example', sessionAffinity: 'None', type: 'ExternalName' });
  });

  it('never share a node port, and say so when none is left', async () => {
    const ports = new Set<number>();
    for (let i = 0; i < 10; i++) ports.add((await create(`s${i}`, { type: 'NodePort' })).spec.ports[0].nodePort);
    expect(ports.size).to.equal(10);
    expect(await refusal({ type: 'NodePort' })).to.include(
      'spec.ports[0].nodePort: Invalid value: 0: failed to allocate a nodePort',
    );
    await api.call('DELETE', `${SERVICES}/s3`);
    await create('again', { type: 'NodePort' });
  });

  it('use one number for TCP and UDP on the same port', async () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'TCP' },
      { name: 'dns-udp', port: 53, protocol: 'UDP' },
    ];
    const { spec } = await create('dns', { type: 'LoadBalancer', ports });
    expect(spec.ports[0].nodePort).to.equal(spec.ports[1].nodePort);
  });

  it('keep address and node ports when an update leaves them out', async () => {
    const created = await create('a', {
      type: 'LoadBalancer',
      ports: [
        { name: 'http', port: 80 },
        { name: 'x', port: 81 },
      ],
    });
    const update = service('a', {
      type: 'LoadBalancer',
      ports: [
        { name: 'new', port: 80 },
        { name: 'http', port: 8080 },
      ],
    });
    const { body } = await api.call('PUT', `${SERVICES}/a`, update);
    expect(body.spec.clusterIP).to.equal(created.spec.clusterIP);
    expect(body.spec.ports[1].nodePort, 'a port is known by its name').to.equal(created.spec.ports[0].nodePort);
    expect(body.spec.ports[0].nodePort).to.not.be.oneOf([undefined, created.spec.ports[0].nodePort]);
  });

  it('have a health check port as long as external traffic stays local', async () => {
    const { spec } = await create('a', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
    expect(spec.healthCheckNodePort).to.be.within(30000, 30009);
    const kept = await patch('a', { sessionAffinity: 'ClientIP' });
    expect(kept.body.spec).to.deep.include({
      healthCheckNodePort: spec.healthCheckNodePort,
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
    });
    expect((await patch('a', { externalTrafficPolicy: 'Cluster' })).body.spec).not.to.have.property(
      'healthCheckNodePort',
    );
  });

  it('lose what belongs to a load balancer when they are none any more', async () => {
    await create('a', { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb' });
    const status = { loadBalancer: { ingress: [{ ip: '10.0.0.1', ipMode: 'Proxy' }] } };
    await api.call('PATCH', `${SERVICES}/a/status`, { status }, MERGE);
    const { body } = await patch('a', { type: 'ClusterIP' });
    expect(body.spec).not.to.have.any.keys(
      'allocateLoadBalancerNodePorts',
      'loadBalancerClass',
      'externalTrafficPolicy',
    );
    expect(body.spec.ports[0]).not.to.have.property('nodePort');
    expect(body.status).to.deep.equal({ loadBalancer: {} });
  });

  it('lose address and ports as ExternalName, which others may have then', async () => {
    const { spec } = await create('a', { type: 'NodePort' });
    const renamed = await patch('a', { type: 'ExternalName', externalName: 'x.example' });
    expect(renamed.body.spec).not.to.have.any.keys('clusterIP', 'clusterIPs', 'ipFamilies', 'internalTrafficPolicy');
    const { clusterIP, ports } = spec as JsonObject;
    await create('b', { type: 'NodePort', clusterIP, ports: [{ port: 80, nodePort: ports[0].nodePort }] });
  });

  const refused: [string, object, string][] = [
    [
      'an address of another Service',
      { clusterIP: '10.96.0.1' },
      'spec.clusterIPs: Invalid value: ["10.96.0.1"]: failed to allocate IP 10.96.0.1: provided IP is already allocated',
    ],
    [
      'an address outside of the range',
      { clusterIP: '10.97.0.1' },
      'the provided IP (10.97.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
    ],
    ['no port', { ports: [] }, 'spec.ports: Required value'],
    [
      'one port twice',
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      },
      'spec.ports[1]: Duplicate value',
    ],
    [
      'one name twice',
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      },
      'spec.ports[1].name: Duplicate value: "a"',
    ],
    [
      'a type that is none',
      { type: 'Magic' },
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      'a node port for ClusterIP',
      { ports: [{ port: 80, nodePort: 30001 }] },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [
      'a class for NodePort',
      { type: 'NodePort', loadBalancerClass: 'x/y' },
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      'a headless load balancer',
      { type: 'LoadBalancer', clusterIP: 'None' },
      "may not be set to 'None' for LoadBalancer services",
    ],
    [
      'a source range that is none',
      { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/33'] },
      'spec.loadBalancerSourceRanges[0]: Invalid value: "10.0.0.0/33"',
    ],
    [
      'a second family where there is one',
      { ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [
      'a family that is not there',
      { ipFamilies: ['IPv6'] },
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ],
  ];
  for (const [name, spec, message] of refused) {
    it(`refuse ${name}`, async () => {
      expect(await refusal(spec)).to.include(message);
    });
  }

  it('allocate nothing when they are refused', async () => {
    await refusal({ type: 'NodePort', ports: [{ port: 80, nodePort: 30001, protocol: 'X' }] });
    await create('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] });
  });

  it('refuse a node port of another Service, and one out of range', async () => {
    await create('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] });
    const nodePort = (number: number): object => ({ type: 'NodePort', ports: [{ port: 80, nodePort: number }] });
    expect(await refusal(nodePort(30001))).to.include(
      'spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated',
    );
    expect(await refusal(nodePort(80))).to.include(
      'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-30009',
    );
  });

  it('have ipMode VIP for addresses that name none', async () => {
    await create('a', { type: 'LoadBalancer' });
    const status = {
      loadBalancer: { ingress: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2', ipMode: 'Proxy' }, { hostname: 'x.example' }] },
    };
    const { body } = await api.call('PATCH', `${SERVICES}/a/status`, { status }, MERGE);
    expect(body.status.loadBalancer.ingress).to.deep.equal([
      { ip: '10.0.0.1', ipMode: 'VIP' },
      { ip: '10.0.0.2', ipMode: 'Proxy' },
      { hostname: 'x.example' },
    ]);
  });

  it('refuse a status that cannot be', async () => {
    await create('a', { type: 'LoadBalancer' });
    await create('b', {});
    const ingress = async (name: string, one: object): Promise<string> =>
      (await api.call('PATCH', `${SERVICES}/${name}/status`, { status: { loadBalancer: { ingress: [one] } } }, MERGE))
        .body.message;
    expect(await ingress('a', { ip: 'x' })).to.include('status.loadBalancer.ingress[0].ip: Invalid value: "x"');
    expect(await ingress('a', { ip: '10.0.0.1', ipMode: 'Magic' })).to.include('supported values: "Proxy", "VIP"');
    expect(await ingress('a', { hostname: 'x.example', ipMode: 'VIP' })).to.include(
      'may not be specified when `ip` is not set',
    );
    expect(await ingress('b', { ip: '10.0.0.1' })).to.include('may only be used when `spec.type` is "LoadBalancer"');
  });
});

describe('Services of a dual-stack cluster', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await TestApi.start({ serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] });
  });
  afterEach(() => api.stop());

  it('get one address of each family they ask for', async () => {
    const { spec } = await api.create(SERVICES, service('a', { ipFamilyPolicy: 'PreferDualStack' }));
    expect(spec.ipFamilies).to.deep.equal(['IPv4', 'IPv6']);
    expect(spec.clusterIPs).to.have.length(2);
    expect(spec.clusterIPs[1]).to.match(/^fd00:10:96::/);
    const six = await api.create(SERVICES, service('b', { ipFamilies: ['IPv6'] }));
    expect(six.spec.clusterIPs).to.have.length(1);
    expect(six.spec).to.deep.include({ ipFamilyPolicy: 'SingleStack', clusterIP: six.spec.clusterIPs[0] });
  });

  it('grow by a second address, and give it back', async () => {
    const { spec } = await api.create(SERVICES, service('a'));
    const grown = await api.call('PATCH', `${SERVICES}/a`, { spec: { ipFamilyPolicy: 'RequireDualStack' } }, MERGE);
    expect(grown.body.spec.clusterIPs[0]).to.equal(spec.clusterIP);
    const second = grown.body.spec.clusterIPs[1];
    const shrunk = await api.call('PATCH', `${SERVICES}/a`, { spec: { ipFamilyPolicy: 'SingleStack' } }, MERGE);
    expect(shrunk.body.spec).to.deep.include({ clusterIPs: [spec.clusterIP], ipFamilies: ['IPv4'] });
    await api.create(SERVICES, service('b', { ipFamilies: ['IPv6'], clusterIP: second }));
  });
});
