import { formatAddress, vipsOf } from '@fairlead/api';
import { serviceInput } from '@fairlead/ipvs';
import { expect } from 'chai';
import type { WatchedService } from './feed.js';
import { keepService } from './services.js';

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'web',
    namespace: 'shop',
    uid: 'u-1',
    resourceVersion: '7',
    labels: { app: 'web' },
    annotations: {
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'fairlead.dev/scheduler': 'mh',
      'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8',
    },
    managedFields: [{ manager: 'kubectl' }],
  },
  spec: {
    type: 'LoadBalancer',
    selector: { app: 'web' },
    clusterIP: '10.96.0.1',
    clusterIPs: ['10.96.0.1'],
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30_001,
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30_000 }],
  },
  status: {
    conditions: [
      {
        type: 'fairlead.dev/Allocated',
        status: 'True',
        reason: 'Allocated',
        message: '10.77.0.200 from pool "public"',
      },
      { type: 'other', status: 'True' },
    ],
    loadBalancer: { ingress: [{ ip: '10.77.0.200', ipMode: 'Proxy' }] },
  },
} as unknown as WatchedService;

describe('what is kept of a Service', () => {
  it('is planned and announced as the whole Service is', () => {
    const kept = keepService(SERVICE);
    expect(vipsOf(kept).map(formatAddress)).to.deep.equal(['10.77.0.200']);
    expect(serviceInput(kept, () => true)).to.deep.equal(serviceInput(SERVICE, () => true));
    expect(kept.spec).to.deep.include({ healthCheckNodePort: 30_001, externalTrafficPolicy: 'Local' });
  });

  it('names it for Events', () => {
    const { apiVersion, kind, metadata } = keepService(SERVICE);
    expect({ apiVersion, kind }).to.deep.equal({ apiVersion: 'v1', kind: 'Service' });
    expect(metadata).to.deep.include({ name: 'web', namespace: 'shop', uid: 'u-1', resourceVersion: '7' });
  });

  it('has nothing of what no speaker asks for, and stays the same when it is kept again', () => {
    const kept = keepService(SERVICE);
    expect(JSON.stringify(kept)).not.to.match(/managedFields|last-applied|selector|clusterIP"|labels|message/);
    expect(keepService(kept)).to.deep.equal(kept);
  });
});
