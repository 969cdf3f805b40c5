import { expect } from 'chai';
import { formatAddress } from '../addresses/address.js';
import { isOurs, type ServiceLike, vipsOf } from './service.js';

describe('isOurs', () => {
  const cases: [string | undefined, string | undefined, boolean, boolean][] = [
    ['LoadBalancer', 'fairlead.dev/lb', false, true],
    ['LoadBalancer', 'fairlead.dev/lb', true, true],
    ['LoadBalancer', undefined, true, true],
    ['LoadBalancer', undefined, false, false],
    ['LoadBalancer', 'other.example/lb', true, false],
    ['LoadBalancer', '', true, false],
    ['ClusterIP', 'fairlead.dev/lb', true, false],
    ['NodePort', undefined, true, false],
    [undefined, undefined, true, false],
  ];
  for (const [type, loadBalancerClass, defaultClass, expected] of cases) {
    it(`says ${expected} for type ${type}, class ${JSON.stringify(loadBalancerClass)}, default class ${defaultClass}`, () => {
      const spec = { ...(type && { type }), ...(loadBalancerClass !== undefined && { loadBalancerClass }) };
      expect(isOurs({ spec }, { defaultClass })).to.equal(expected);
    });
  }
});

describe('vipsOf', () => {
  const ingress = [{ ip: '192.0.2.1', ipMode: 'Proxy' }];
  const vips = (service: ServiceLike) => vipsOf(service).map(formatAddress);
  const ours = { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb' };

  it('are the ingress addresses of our Services', () => {
    expect(vips({ spec: ours, status: { loadBalancer: { ingress } } })).to.deep.equal(['192.0.2.1']);
    expect(vips({ spec: ours })).to.deep.equal([]);
  });

  it('of a class-less Service are ours only when the controller has left its condition', () => {
    const spec = { type: 'LoadBalancer' };
    const loadBalancer = { ingress };
    expect(vips({ spec, status: { loadBalancer } })).to.deep.equal([]);
    expect(vips({ spec, status: { loadBalancer, conditions: [{ type: 'fairlead.dev/Allocated' }] } })).to.deep.equal([
      '192.0.2.1',
    ]);
  });

  it('leave out what others have put there', () => {
    const foreign = [
      { ip: '192.0.2.2' },
      { ip: '192.0.2.3', ipMode: 'VIP' },
      { hostname: 'lb.example' },
      { ip: 'x', ipMode: 'Proxy' },
    ];
    expect(vips({ spec: ours, status: { loadBalancer: { ingress: foreign } } })).to.deep.equal([]);
  });
});
