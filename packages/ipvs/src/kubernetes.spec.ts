import type { V1Node, V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { nodeInput, serviceInput } from './kubernetes.js';

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
