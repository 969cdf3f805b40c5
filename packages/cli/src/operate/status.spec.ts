import { expect } from 'chai';
import type { LeaseView, NodeView } from './cluster-view.js';
import { type ClusterObjects, type ServiceView, statusOf } from './status.js';
import { age, statusText } from './status-text.js';

const NOW = Date.parse('2026-01-01T12:00:00Z');

function pool(name: string, addresses: string, spec: object = {}): object {
  return {
    metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { addresses: [addresses], virtualRouters: 1, ...spec },
    status: { conditions: [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: '' }] },
  };
}

function service(name: string, ip: string | undefined, condition: object = { status: 'True', reason: 'Allocated' }) {
  return {
    metadata: { namespace: 'default', name },
    spec: { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb' },
    status: {
      loadBalancer: { ingress: ip === undefined ? [] : [{ ip, ipMode: 'Proxy' }] },
      conditions: [{ type: 'fairlead.dev/Allocated', ...condition }],
    },
  } as ServiceView;
}

function lease(virtualRouter: string, holderIdentity: string, renewTime = '2026-01-01T11:59:59.500000Z'): LeaseView {
  return {
    metadata: { name: `vr-${virtualRouter}`, labels: { 'fairlead.dev/virtual-router': virtualRouter } },
    spec: { holderIdentity, leaseDurationSeconds: 3, acquireTime: '2026-01-01T11:57:00.000000Z', renewTime },
  };
}

function node(name: string, annotations: Record<string, string> = {}): NodeView {
  return { metadata: { name, annotations }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
}

function status(objects: Partial<Record<keyof ClusterObjects, readonly unknown[]>>) {
  return statusOf({ services: [], pools: [], leases: [], nodes: [], ...objects } as ClusterObjects, NOW);
}

describe('fairlead status', () => {
  const lan = pool('lan', '10.0.0.0/24');

  it('names the owner of each VIP, in the order of addresses, and the Services that share it', () => {
    const { vips } = status({
      services: [service('b', '10.0.0.10'), service('a', '10.0.0.9'), service('c', '10.0.0.9')],
      pools: [lan],
      leases: [lease('lan.0', 'n1')],
    });
    expect(vips).to.deep.equal([
      {
        vip: '10.0.0.9',
        services: ['default/a', 'default/c'],
        pool: 'lan',
        virtualRouter: 'lan.0',
        owner: 'n1',
        since: '2026-01-01T11:57:00.000000Z',
      },
      {
        vip: '10.0.0.10',
        services: ['default/b'],
        pool: 'lan',
        virtualRouter: 'lan.0',
        owner: 'n1',
        since: '2026-01-01T11:57:00.000000Z',
      },
    ]);
  });

  const problems: [string, object, LeaseView[], RegExp | undefined][] = [
    ['nothing is said of a VIP that is owned', {}, [lease('lan.0', 'n1')], undefined],
    ['nobody holds the Lease', {}, [lease('lan.0', '')], /nobody owns it.*AnnounceFailed/],
    ['there is no Lease', {}, [], /nobody owns it/],
    [
      'the pool chooses no node',
      { nodeSelector: { matchLabels: { edge: 'yes' } } },
      [],
      /nodeSelector of AddressPool "lan" chooses no node/,
    ],
    [
      'the Lease was not renewed for long',
      {},
      [lease('lan.0', 'n1', '2026-01-01T11:59:20.000000Z')],
      /not renewed the Lease for 40 s/,
    ],
    [
      'an owner by VRRP, who writes its Lease once, is fine',
      { election: 'vrrp' },
      [lease('lan.0', 'n1', '2026-01-01T11:00:00.000000Z')],
      undefined,
    ],
  ];
  for (const [behaviour, spec, leases, problem] of problems) {
    it(`tells why a VIP has no owner: ${behaviour}`, () => {
      const pools = [pool('lan', '10.0.0.0/24', spec)];
      const { vips } = status({ services: [service('a', '10.0.0.9')], pools, leases, nodes: [node('n1')] });
      if (problem) expect(vips[0]?.problem).to.match(problem);
      else expect(vips[0]).not.to.have.property('problem');
    });
  }

  it('tells of a VIP that is in no pool', () => {
    expect(status({ services: [service('a', '10.9.0.1')], pools: [lan] }).vips[0]?.problem).to.contain(
      'no AddressPool',
    );
  });

  it('tells which Services wait, and why', () => {
    const { waiting } = status({
      services: [
        service('content', '10.0.0.9'),
        service('without', undefined, { status: 'False', reason: 'PoolExhausted', message: 'all are in use' }),
        service('other', '10.0.0.8', { status: 'True', reason: 'PoolNotFound', message: 'there is no such pool' }),
        { ...service('unseen', undefined), status: {} },
        { ...service('foreign', undefined), spec: { type: 'LoadBalancer', loadBalancerClass: 'x/y' }, status: {} },
      ],
      pools: [lan],
    });
    expect(waiting.map(({ service: name, reason }) => `${name} ${reason}`)).to.deep.equal([
      'default/without PoolExhausted',
      'default/other PoolNotFound',
      'default/unseen Unseen',
    ]);
  });

  it('tells which nodes may own VIPs, and how many virtual routers they own', () => {
    const { nodes } = status({
      services: [service('a', '10.0.0.9')],
      pools: [lan],
      leases: [lease('lan.0', 'n2'), lease('unused.0', 'n1')],
      nodes: [node('n2'), node('n1', { 'fairlead.dev/drain': '' })],
    });
    expect(nodes).to.deep.equal([
      { node: 'n1', virtualRouters: 0, unfit: 'it is drained (fairlead undrain n1 ends that)' },
      { node: 'n2', virtualRouters: 1 },
    ]);
  });

  it('prints columns, then what is wrong', () => {
    const refused = {
      metadata: { name: 'x' },
      status: { conditions: [{ type: 'Accepted', status: 'False', message: 'why' }] },
    };
    const shown = status({
      services: [
        service('a', '10.0.0.9'),
        service('b', undefined, { status: 'False', reason: 'NoPool', message: 'none' }),
      ],
      pools: [lan, refused],
      leases: [lease('lan.0', 'n1')],
      nodes: [node('n1')],
    });
    expect(statusText(shown, NOW)).to.equal(
      [
        'VIP        OWNER   SINCE   VIRTUAL ROUTER   SERVICES',
        '10.0.0.9   n1      3m      lan.0            default/a',
        '',
        'NODE   VIRTUAL ROUTERS   MAY OWN VIPS',
        'n1     1                 yes',
        '',
        'Service default/b waits (NoPool): none',
        'AddressPool "x" gives out no addresses: why',
        '',
      ].join('\n'),
    );
    expect(statusText(status({}), NOW)).to.match(/^No Service has a VIP\.\n/);
  });

  it('shows ages as kubectl does', () => {
    expect([-5, 45, 119, 180, 7_200, 86_400 * 2].map((seconds) => age(seconds * 1_000))).to.deep.equal([
      '0s',
      '45s',
      '119s',
      '3m',
      '2h',
      '2d',
    ]);
  });
});
