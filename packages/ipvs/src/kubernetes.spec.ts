import type { V1EndpointSlice, V1Node, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { endpointsInput, nodeInput, serviceInput } from './kubernetes.js';

function service(change: Partial<V1Service> = {}): V1Service {
  return {
    metadata: { namespace: 'shop', name: 'web' },
    spec: {
      type: 'LoadBalancer',
      loadBalancerClass: 'fairlead.dev/lb',
      ports: [
        { port: 80, nodePort: 30080, protocol: 'TCP' },
        { port: 53, nodePort: 30053, protocol: 'UDP' },
        { port: 9000, nodePort: 0 },
      ],
    },
    status: { loadBalancer: { ingress: [{ ip: '10.77.0.200', ipMode: 'Proxy' }] } },
    ...change,
  };
}

describe('planner input from Kubernetes objects', () => {
  it('of a Service: its VIPs and ports', () => {
    expect(serviceInput(service())).to.deep.equal({
      name: 'shop/web',
      vips: ['10.77.0.200'],
      ports: [
        { port: 80, nodePort: 30080, protocol: 'tcp' },
        { port: 53, nodePort: 30053, protocol: 'udp' },
        { port: 9000, protocol: 'tcp' },
      ],
    });
  });

  it('of a Service: what it wishes beyond ports', () => {
    const { spec } = service();
    const wishes = serviceInput(
      service({
        metadata: {
          namespace: 'shop',
          name: 'web',
          annotations: { 'fairlead.dev/scheduler': 'mh', 'fairlead.dev/forwarding': 'pod', 'fairlead.dev/pool': 'x' },
        },
        spec: {
          ...spec,
          ports: [{ name: 'http', port: 80 }],
          externalTrafficPolicy: 'Local',
          allocateLoadBalancerNodePorts: false,
          sessionAffinity: 'ClientIP',
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
          loadBalancerSourceRanges: ['10.0.0.0/8'],
        },
      }),
    );
    expect(wishes).to.deep.equal({
      name: 'shop/web',
      vips: ['10.77.0.200'],
      ports: [{ name: 'http', port: 80, protocol: 'tcp' }],
      local: true,
      withoutNodePorts: true,
      unknownAnnotations: ['fairlead.dev/pool'],
      forwarding: 'pod',
      scheduler: 'mh',
      persistenceSeconds: 60,
      sourceRanges: ['10.0.0.0/8'],
    });
  });

  it('of a Service with session affinity and no timeout: three hours, as the API server would say', () => {
    const input = serviceInput(service({ spec: { ...service().spec, sessionAffinity: 'ClientIP' } }));
    expect(input?.persistenceSeconds).to.equal(10_800);
  });

  it('of a Service with source ranges in the old annotation: those, if the field has none', () => {
    const metadata = {
      namespace: 'shop',
      name: 'web',
      annotations: { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8,192.0.2.0/24' },
    };
    expect(serviceInput(service({ metadata }))?.sourceRanges).to.deep.equal(['10.0.0.0/8', '192.0.2.0/24']);
    const spec = { ...service().spec, loadBalancerSourceRanges: ['203.0.113.0/24'] };
    expect(serviceInput(service({ metadata, spec }))?.sourceRanges).to.deep.equal(['203.0.113.0/24']);
    metadata.annotations['service.beta.kubernetes.io/load-balancer-source-ranges'] = ' ';
    expect(serviceInput(service({ metadata }))).not.to.have.property('sourceRanges');
  });

  it('of an EndpointSlice: the endpoints that serve, and which of them are on their way out', () => {
    const slice: V1EndpointSlice = {
      metadata: { namespace: 'shop', name: 'web-abc', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }, { name: 'any' }],
      endpoints: [
        { addresses: ['10.244.1.2'], nodeName: 'n1', conditions: { ready: true, serving: true, terminating: false } },
        { addresses: ['10.244.1.3'], conditions: {} },
        { addresses: ['10.244.1.4'], nodeName: 'n1', conditions: { ready: false, serving: true, terminating: true } },
        { addresses: ['10.244.1.5'], nodeName: 'n1', conditions: { ready: false, serving: false, terminating: true } },
        { addresses: ['10.244.1.6'], nodeName: 'n1', conditions: { ready: false } },
        { addresses: ['fd00::6'], nodeName: 'n1' },
        { addresses: ['nonsense'] },
      ],
    };
    expect(endpointsInput(slice)).to.deep.equal({
      name: 'shop/web-abc',
      service: 'shop/web',
      family: 'ipv4',
      ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
      endpoints: [
        { address: '10.244.1.2', node: 'n1' },
        { address: '10.244.1.3' },
        { address: '10.244.1.4', node: 'n1', terminating: true },
      ],
    });
    expect(endpointsInput({ ...slice, addressType: 'FQDN' })).to.equal(undefined);
    expect(endpointsInput({ ...slice, metadata: { namespace: 'shop', name: 'web-abc' } })).to.equal(undefined);
  });

  it('of a Service that has no VIP of ours: none', () => {
    expect(serviceInput(service({ status: {} }))).to.equal(undefined);
    expect(serviceInput(service({ spec: { type: 'LoadBalancer', loadBalancerClass: 'other.example/lb' } }))).to.equal(
      undefined,
    );
    expect(serviceInput(service({ status: { loadBalancer: { ingress: [{ ip: '10.77.0.200' }] } } }))).to.equal(
      undefined,
    );
    expect(serviceInput(service(), () => false)).to.equal(undefined);
  });

  it('of a Node: whether it shall own VIPs', () => {
    const drained = nodeInput({ metadata: { name: 'n1', annotations: { 'fairlead.dev/drain': '' } } });
    expect(drained.drained).to.equal(true);
  });

  it('of a Node: its internal addresses in order, readiness, and whether it is excluded', () => {
    const node: V1Node = {
      metadata: { name: 'n1', labels: {} },
      status: {
        addresses: [
          { type: 'Hostname', address: 'n1' },
          { type: 'InternalIP', address: '10.77.0.11' },
          { type: 'ExternalIP', address: '192.0.2.1' },
          { type: 'InternalIP', address: 'FD00:77:0::11' },
        ],
        conditions: [
          { type: 'MemoryPressure', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
      },
    };
    const expected = { name: 'n1', internalIPs: ['10.77.0.11', 'fd00:77::11'], ready: true, excluded: false };
    expect(nodeInput(node)).to.deep.equal(expected);

    node.status!.conditions![1]!.status = 'Unknown';
    expect(nodeInput(node).ready).to.equal(false);
    node.metadata!.labels!['node.kubernetes.io/exclude-from-external-load-balancers'] = '';
    expect(nodeInput(node).excluded).to.equal(true);
    expect(nodeInput({ metadata: { name: 'n1', deletionTimestamp: new Date() } }).excluded).to.equal(true);
  });
});
