import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { mergePatch, service } from '../model/model-cluster.spec.helpers.js';
import { observeService } from './service-observation.js';
import { planService } from './service-plan.js';
import { reduceService } from './service-reduce.js';

describe('a Service as it is kept in memory', () => {
  const whole = service('web', {
    metadata: {
      resourceVersion: '7',
      labels: { app: 'web' },
      finalizers: ['x/y'],
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
        'fairlead.dev/address-pool': 'public',
        'fairlead.dev/addresses': '192.0.2.1',
      },
    },
    spec: {
      ports: [{ port: 80, protocol: 'TCP', nodePort: 30_000 }],
      selector: { app: 'web' },
      externalTrafficPolicy: 'Local',
      loadBalancerIP: '192.0.2.1',
      clusterIPs: ['10.96.0.1'],
    },
    status: { conditions: [{ type: 'Other', status: 'True' }], loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
  });
  const sharing = mergePatch(whole, { metadata: { annotations: { 'fairlead.dev/sharing-key': 'k' } } }) as V1Service;

  for (const [what, object] of [
    ['a Service', whole],
    ['one that shares', sharing],
    ['one that says nothing', service('plain')],
  ] as const) {
    it(`says the same of ${what} as the whole, and is written alike`, () => {
      const options = { defaultClass: false };
      expect(observeService(reduceService(object), options)).to.deep.equal(observeService(object, options));
      const verdict = { kind: 'release' as const, addresses: [] };
      expect(planService(reduceService(object), verdict, 0)).to.deep.equal(planService(object, verdict, 0));
    });
  }

  it('has nothing that only others read', () => {
    const { metadata, spec } = JSON.parse(JSON.stringify(reduceService(whole)));
    expect(Object.keys(metadata.annotations)).to.deep.equal(['fairlead.dev/address-pool', 'fairlead.dev/addresses']);
    expect(spec).to.not.have.any.keys('ports', 'selector', 'externalTrafficPolicy');
  });

  it('shares with what was known what has not changed since, and nothing else', () => {
    const known = reduceService(structuredClone(whole));
    const change = { metadata: { resourceVersion: '8', labels: { app: 'other' } } };
    const anew = mergePatch(structuredClone(whole), change) as V1Service;
    const reduced = reduceService(anew, known);
    expect(reduced).to.deep.equal(reduceService(anew));
    expect(reduced.spec).to.equal(known.spec);
    expect(reduced.metadata!.annotations).to.equal(known.metadata!.annotations);
    expect(known.metadata!.labels).to.deep.equal({ app: 'web' });
  });
});
