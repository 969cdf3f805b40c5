import { parseAddress } from '@fairlead/api';
import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import {
  allocatorPool,
  conditionOf,
  ipsOf,
  ModelCluster,
  ModelController,
  mergePatch,
  service,
} from '../model/model-cluster.spec.helpers.js';
import { observeService } from '../services/service-observation.js';

const POOL = 'fairlead.dev/address-pool';
const twoAddresses = [allocatorPool('public', ['192.0.2.0/31'])];

function wants(pool: string): object {
  return { metadata: { annotations: { [POOL]: pool } } };
}

/** A cluster with these Services created in this order, and a controller that has come to rest. */
function start(names: string[], pools = twoAddresses): { cluster: ModelCluster; controller: ModelController } {
  const cluster = new ModelCluster();
  const controller = new ModelController(cluster, pools);
  for (const name of names) cluster.create(service(name));
  controller.settle();
  return { cluster, controller };
}

function ips(cluster: ModelCluster): Record<string, string> {
  return Object.fromEntries(
    [...cluster.services].map(([key, each]) => [key.replace('default/', ''), ipsOf(each).join(' ')]),
  );
}

function why(cluster: ModelCluster, name: string): string {
  const { status, reason, message } = conditionOf(cluster.services.get(`default/${name}`)) ?? {};
  return `${status} ${reason} ${message}`;
}

describe('a Service', () => {
  it('gets the lowest free address, ipMode Proxy, a condition, the finalizer and an Event, in one write', () => {
    const { cluster, controller } = start(['s1']);
    const { metadata, status } = cluster.services.get('default/s1')!;
    expect(status?.loadBalancer).to.deep.equal({ ingress: [{ ip: '192.0.2.0', ipMode: 'Proxy' }] });
    expect(why(cluster, 's1')).to.equal('True Allocated 192.0.2.0 from pool "public"');
    expect(metadata?.finalizers).to.deep.equal(['service.kubernetes.io/load-balancer-cleanup']);
    expect(controller.events).to.deep.equal(['default/s1 Normal IPAllocated: Assigned 192.0.2.0 from pool "public"']);
    expect(controller.writes).to.equal(1);
  });

  it('of which a pool cannot be found, or is full, is told so once, and what to do', () => {
    const { cluster, controller } = start(['s1', 's2']);
    cluster.create(service('typo', wants('publik')));
    cluster.create(service('late'));
    cluster.create(service('late-too', wants('public')));
    cluster.create(service('six', { spec: { ipFamilies: ['IPv6'] } }));
    controller.settle();
    expect(why(cluster, 'typo')).to.equal(
      `False PoolNotFound AddressPool "publik" does not exist; create it, or correct the annotation ${POOL}`,
    );
    expect(why(cluster, 'late')).to.match(
      /^False PoolExhausted no IPv4 .* "public" has 0 of 2 IPv4 addresses free; 2 Services wait; delete/,
    );
    expect(why(cluster, 'late-too')).to.match(/^False PoolExhausted pool "public" has 0 of 2 IPv4 addresses free/);
    expect(why(cluster, 'six')).to.match(/pool "public" has no IPv6 addresses at all/);
    const { writes, events } = controller;
    expect(events.filter((text) => text.includes(' Warning AllocationFailed: '))).to.have.length(4);
    cluster.edit('default/typo', { metadata: { labels: { touched: 'yes' } } });
    controller.setPools(twoAddresses);
    controller.settle();
    expect(controller.writes, 'nothing has changed, so nothing is written').to.equal(writes);
  });

  const noPool: [string, ReturnType<typeof allocatorPool>[], RegExp][] = [
    ['there is none', [], /^False NoPool there is no AddressPool; create one/],
    [
      'none is automatic',
      [allocatorPool('manual', ['192.0.2.0/31'], { autoAssign: false })],
      /^False NoPool .*"manual" has autoAssign: false; name a pool in the annotation/,
    ],
    [
      'none is accepted',
      [allocatorPool('bad', [], { mode: 'closed', why: 'overlaps AddressPool "x"' })],
      /^False NoPool .*"bad" is not accepted \(overlaps AddressPool "x"\)/,
    ],
  ];
  for (const [what, pools, expected] of noPool) {
    it(`is told why it gets no pool when ${what}`, () => {
      const { cluster } = start(['s1'], pools);
      expect(why(cluster, 's1')).to.match(expected);
    });
  }

  it('hears nothing while the pool it may get an address from is being looked at', () => {
    const { cluster, controller } = start(['s1'], [allocatorPool('new', [], { mode: 'undecided' })]);
    expect(controller.writes).to.equal(0);
    controller.setPools([allocatorPool('new', ['192.0.2.0/31'])]);
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0' });
    expect(controller.events).to.have.length(1);
  });

  it('of another class, or without class when we are not the default, is left alone', () => {
    const cluster = new ModelCluster();
    const controller = new ModelController(cluster, twoAddresses);
    cluster.create(service('other', { spec: { loadBalancerClass: 'other.example/lb' } }));
    cluster.create(service('none', { spec: { loadBalancerClass: null } }));
    cluster.create(service('internal', { spec: { type: 'ClusterIP', loadBalancerClass: null } }));
    controller.settle();
    expect(controller.writes).to.equal(0);
  });

  it('without class is served by the default, unless it has an ingress that is not from our pools', () => {
    const cluster = new ModelCluster();
    const classless = (ingress: object[]) => ({
      spec: { loadBalancerClass: null },
      status: { loadBalancer: { ingress } },
    });
    cluster.create(service('new', classless([])));
    cluster.create(service('foreign', classless([{ ip: '203.0.113.9' }])));
    cluster.create(service('host', classless([{ hostname: 'lb.example' }])));
    cluster.create(service('migrated', classless([{ ip: '192.0.2.1', ipMode: 'VIP' }])));
    const controller = new ModelController(cluster, twoAddresses, { defaultClass: true });
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ new: '192.0.2.0', foreign: '203.0.113.9', host: '', migrated: '192.0.2.1' });
    expect(conditionOf(cluster.services.get('default/foreign'))).to.equal(undefined);
    expect(cluster.services.get('default/migrated')?.status?.loadBalancer?.ingress?.[0]?.ipMode).to.equal('Proxy');
    controller.crash();
    const notDefault = new ModelController(cluster, twoAddresses, { defaultClass: false });
    notDefault.settle();
    expect(notDefault.writes, 'one that has an address of ours keeps it').to.equal(0);
  });

  it('keeps conditions that others have set', () => {
    const cluster = new ModelCluster();
    const other = { type: 'other.example/Ready', status: 'True', reason: 'R', message: '', lastTransitionTime: 'x' };
    cluster.create(service('s1', { status: { conditions: [other] } }));
    const controller = new ModelController(cluster, twoAddresses);
    controller.settle();
    expect(cluster.services.get('default/s1')?.status?.conditions).to.deep.include(other);
    cluster.edit('default/s1', { spec: { type: 'ClusterIP' } });
    controller.settle();
    expect(cluster.services.get('default/s1')?.status?.conditions).to.deep.equal([other]);
  });
});

describe('a freed address', () => {
  it('goes to the Service that has waited longest', () => {
    const { cluster, controller } = start(['s1', 's2', 'z-first', 'a-second']);
    cluster.delete('default/s2');
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0', 'z-first': '192.0.2.1', 'a-second': '' });
  });

  it('goes to the longest-waiting one after a restart, too', () => {
    const { cluster, controller } = start(['s1', 's2', 'z-first', 'a-second']);
    controller.crash();
    const waitsSince = (lastTransitionTime: string) => ({
      status: { conditions: [{ ...conditionOf(cluster.services.get('default/z-first'))!, lastTransitionTime }] },
    });
    cluster.edit('default/z-first', waitsSince('2026-01-02T00:00:00Z'));
    cluster.edit('default/a-second', waitsSince('2026-01-02T00:00:01Z'));
    const restarted = new ModelController(cluster, twoAddresses);
    cluster.delete('default/s1');
    restarted.settle();
    expect(ips(cluster)).to.deep.equal({ s2: '192.0.2.1', 'z-first': '192.0.2.0', 'a-second': '' });
  });

  for (const [what, patch] of [
    ['type', { spec: { type: 'NodePort', loadBalancerClass: null } }],
    ['class', { spec: { loadBalancerClass: 'other.example/lb' } }],
  ] as const) {
    it(`comes from a Service that changed its ${what}, once its status no longer shows it`, () => {
      const { cluster, controller } = start(['s1', 's2', 'waits']);
      cluster.edit('default/s1', patch);
      while (controller.deliver());
      expect(controller.ledger.allocator.size).to.equal(2);
      expect(controller.ledger.waiting, 'nobody gets an address that a status still shows').to.equal(1);
      controller.settle();
      expect(ips(cluster)).to.deep.equal({ s1: '', s2: '192.0.2.1', waits: '192.0.2.0' });
      expect(conditionOf(cluster.services.get('default/s1'))).to.equal(undefined);
      expect(controller.events).to.include.members([
        "default/s1 Normal IPReleased: Released 192.0.2.0: the Service is no longer of type LoadBalancer with Fairlead's class",
      ]);
    });
  }

  it('comes from a Service of another class, whose controller keeps what is its own: ingress, conditions, and the finalizer', () => {
    const { cluster, controller } = start(['s1', 's2', 'waits']);
    const theirs = { ip: '203.0.113.9', ipMode: 'VIP' };
    const condition = {
      type: 'other.example/Ready',
      status: 'True',
      reason: 'Ready',
      message: '',
      lastTransitionTime: '',
    };
    const { status } = cluster.services.get('default/s1')!;
    cluster.edit('default/s1', {
      spec: { loadBalancerClass: 'other.example/lb' },
      status: {
        loadBalancer: { ingress: [...status!.loadBalancer!.ingress!, theirs] },
        conditions: [...status!.conditions!, condition],
      },
    });
    controller.settle();
    const left = cluster.services.get('default/s1')!;
    expect(left.status?.loadBalancer?.ingress).to.deep.equal([theirs]);
    expect(left.status?.conditions).to.deep.equal([condition]);
    expect(left.metadata?.finalizers).to.deep.equal(['service.kubernetes.io/load-balancer-cleanup']);
    expect(ips(cluster)).to.include({ waits: '192.0.2.0' });
  });

  it('comes from a Service whose whole status is gone with its type, and its finalizer goes too', () => {
    const { cluster, controller } = start(['s1', 's2', 'waits']);
    cluster.edit('default/s1', { spec: { type: 'ClusterIP', loadBalancerClass: null }, status: null });
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '', s2: '192.0.2.1', waits: '192.0.2.0' });
    expect(cluster.services.get('default/s1')?.metadata?.finalizers ?? []).to.deep.equal([]);
  });

  it('of a deleted Service is free when the object is gone, its status cleared before if others hold the object', () => {
    const { cluster, controller } = start(['s1', 's2', 'waits']);
    cluster.edit('default/s1', { metadata: { finalizers: ['service.kubernetes.io/load-balancer-cleanup', 'x/y'] } });
    controller.settle();
    cluster.delete('default/s1');
    controller.settle();
    expect(cluster.services.get('default/s1')?.metadata?.finalizers).to.deep.equal(['x/y']);
    expect(ips(cluster)).to.deep.equal({ s1: '', s2: '192.0.2.1', waits: '192.0.2.0' });
    cluster.delete('default/s2');
    controller.settle();
    expect([...cluster.services.keys()]).to.deep.equal(['default/s1', 'default/waits']);
  });
});

describe('a Service that asks for another pool', () => {
  const pools = [allocatorPool('a', ['192.0.2.0/31']), allocatorPool('b', ['198.51.100.0/32'])];

  it('moves when that pool has an address, and its old one is for the next', () => {
    const { cluster, controller } = start(['s1', 's2'], pools);
    cluster.edit('default/s1', wants('b'));
    cluster.create(service('s3'));
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '198.51.100.0', s2: '192.0.2.1', s3: '192.0.2.0' });
  });

  it('is not told again why it keeps what it has when that has to be written again', () => {
    const { cluster, controller } = start(['s1'], pools);
    cluster.edit('default/s1', wants('nonsense'));
    controller.settle();
    const warnings = () => controller.events.filter((event) => event.includes('Warning'));
    expect(warnings()).to.have.length(1);
    cluster.edit('default/s1', { status: { loadBalancer: { ingress: null } } });
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0' });
    expect(warnings()).to.have.length(1);
  });

  it('keeps what it has while that pool is full or unknown, is told so, and moves when it can', () => {
    const { cluster, controller } = start(['s1'], pools);
    cluster.create(service('b1', wants('b')));
    cluster.edit('default/s1', wants('b'));
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0', b1: '198.51.100.0' });
    expect(why(cluster, 's1')).to.match(/^True PoolExhausted keeps 192\.0\.2\.0 from pool "a"; pool "b" has 0 of 1/);
    cluster.edit('default/s1', wants('nonsense'));
    controller.settle();
    expect(why(cluster, 's1')).to.match(/^True PoolNotFound keeps 192\.0\.2\.0 .*"nonsense" does not exist/);
    cluster.edit('default/s1', wants('b'));
    cluster.delete('default/b1');
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '198.51.100.0' });
    expect(why(cluster, 's1')).to.equal('True Allocated 198.51.100.0 from pool "b"');
  });
});

describe('pools that shrink, close or go', () => {
  it('take nothing away from a Service, also over a restart', () => {
    const { cluster, controller } = start(['s1', 's2']);
    for (const pools of [
      [allocatorPool('public', ['192.0.2.1/32'])],
      [allocatorPool('public', [], { mode: 'closed' })],
      [],
    ]) {
      controller.setPools(pools);
      controller.settle();
      expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0', s2: '192.0.2.1' });
    }
    controller.crash();
    const restarted = new ModelController(cluster, [allocatorPool('other', ['192.0.2.0/30'])]);
    cluster.create(service('s3'));
    restarted.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0', s2: '192.0.2.1', s3: '192.0.2.2' });
  });
});

describe('an address shown by two Services', () => {
  it('stays with the one that has had it longer; the other one gets a new one and a Warning', () => {
    const { cluster, controller } = start(['s1']);
    controller.crash();
    cluster.create(mergePatch(service('copy'), { status: cluster.services.get('default/s1')!.status }) as never);
    cluster.edit('default/copy', { metadata: { creationTimestamp: '2026-01-04T00:00:00Z' } });
    const restarted = new ModelController(cluster, twoAddresses);
    restarted.settle();
    expect(Object.values(ips(cluster)).sort()).to.deep.equal(['192.0.2.0', '192.0.2.1']);
    expect(restarted.events.join('\n')).to.match(
      /Warning AddressConflict: 192\.0\.2\.0 in the status belongs to Service/,
    );
    expect(restarted.writes).to.equal(1);
  });
});

describe('a dual-stack Service', () => {
  const both = [allocatorPool('public', ['192.0.2.0/31', '2001:db8::/127'])];
  const dual = (policy: string, more: object = {}) =>
    mergePatch({ spec: { ipFamilyPolicy: policy, ipFamilies: ['IPv6', 'IPv4'] } }, more) as object;

  it('gets an address of each family, in its order, in one write', () => {
    const { cluster, controller } = start([], both);
    cluster.create(service('s1', dual('RequireDualStack')));
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '2001:db8:: 192.0.2.0' });
    expect(why(cluster, 's1')).to.equal('True Allocated 2001:db8:: and 192.0.2.0 from pool "public"');
    expect(controller.writes).to.equal(1);
  });

  it('that requires both gets none where one is missing; one that prefers both takes what there is, and is told', () => {
    const { cluster, controller } = start([]);
    cluster.create(service('require', dual('RequireDualStack')));
    cluster.create(service('prefer', dual('PreferDualStack')));
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ require: '', prefer: '192.0.2.0' });
    expect(why(cluster, 'require')).to.match(/has no IPv6 addresses at all and 1 of 2 IPv4 addresses free/);
    expect(why(cluster, 'prefer')).to.match(
      /^True Allocated 192\.0\.2\.0 from pool "public"; no IPv6 address is free: pool "public" has no IPv6/,
    );
    controller.setPools(both);
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ require: '2001:db8:: 192.0.2.1', prefer: '2001:db8::1 192.0.2.0' });
  });

  it('keeps its first address when it gets a second family, and when it gives one up', () => {
    const { cluster, controller } = start(['s1'], both);
    cluster.edit('default/s1', { spec: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] } });
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0 2001:db8::' });
    cluster.edit('default/s1', { spec: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] } });
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0' });
    expect(controller.ledger.allocator.size).to.equal(1);
  });
});

describe('a Service that asks for certain addresses', () => {
  const asks = (addresses: string) => ({ metadata: { annotations: { 'fairlead.dev/addresses': addresses } } });
  const pools = [allocatorPool('public', ['192.0.2.0/29']), allocatorPool('b', ['198.51.100.0/31'])];

  it('gets them, by annotation or by spec.loadBalancerIP, and moves when it asks for another one', () => {
    const { cluster, controller } = start([], pools);
    cluster.create(service('s1', asks('192.0.2.5')));
    cluster.create(service('s2', { spec: { loadBalancerIP: '192.0.2.3' } }));
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.5', s2: '192.0.2.3' });
    cluster.edit('default/s1', asks('192.0.2.6'));
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.6', s2: '192.0.2.3' });
  });

  it('that another Service has keeps what it has, is told whose it is, and gets it when that one goes', () => {
    const { cluster, controller } = start(['s1', 's2'], pools);
    cluster.edit('default/s2', asks('192.0.2.0'));
    controller.settle();
    expect(why(cluster, 's2')).to.match(
      /^True AddressUnavailable keeps 192\.0\.2\.1 .*; 192\.0\.2\.0, which .* belongs to Service default\/s1 \(to share/,
    );
    cluster.delete('default/s1');
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s2: '192.0.2.0' });
  });

  const contradictions: [string, object, RegExp][] = [
    [
      'two addresses of one family',
      asks('192.0.2.1,192.0.2.2'),
      /^False ContradictoryRequest .* asks for 192\.0\.2\.1 and .* for 192\.0\.2\.2/,
    ],
    [
      'a pool, and an address of another one',
      mergePatch(wants('public'), asks('198.51.100.1')) as object,
      /^False ContradictoryRequest .*address-pool asks for pool "public", but 198\.51\.100\.1.* belongs to pool "b"/,
    ],
    ['what no pool has', asks('203.0.113.1'), /^False AddressUnavailable 203\.0\.113\.1.* is not in any AddressPool/],
    [
      'what is no address',
      asks('192.0.2'),
      /^False InvalidRequest annotation fairlead\.dev\/addresses: "192\.0\.2" is not/,
    ],
  ];
  for (const [what, request, expected] of contradictions) {
    it(`and asks for ${what} is told so, once, by condition and Warning`, () => {
      const { cluster, controller } = start([], pools);
      cluster.create(service('s1', request));
      controller.settle();
      expect(why(cluster, 's1')).to.match(expected);
      expect(controller.events).to.have.length(1);
      expect(controller.events[0]).to.match(/^default\/s1 Warning AllocationFailed: /);
      cluster.edit('default/s1', { metadata: { labels: { touched: 'yes' } } });
      controller.settle();
      expect(controller.events).to.have.length(1);
    });
  }
});

describe('Services with a sharing key', () => {
  const shares = (port: number, more: object = {}) =>
    mergePatch(
      { metadata: { annotations: { 'fairlead.dev/sharing-key': 'k' } }, spec: { ports: [{ port, protocol: 'TCP' }] } },
      more,
    ) as object;

  function twoSharing() {
    const { cluster, controller } = start([]);
    cluster.create(service('s1', shares(80)));
    cluster.create(service('s2', shares(443)));
    controller.settle();
    return { cluster, controller };
  }

  it('have one address, as long as their ports are disjoint', () => {
    const { cluster, controller } = twoSharing();
    cluster.create(service('s3', shares(80)));
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0', s2: '192.0.2.0', s3: '192.0.2.1' });
    expect(controller.ledger.allocator.size).to.equal(2);
  });

  it('free it with the last of them', () => {
    const { cluster, controller } = twoSharing();
    cluster.delete('default/s1');
    controller.settle();
    expect(controller.ledger.allocator.size).to.equal(1);
    cluster.delete('default/s2');
    controller.settle();
    expect(controller.ledger.allocator.size).to.equal(0);
  });

  it('part when one takes a port of the other, which keeps the address; a Warning names the two and the port', () => {
    const { cluster, controller } = twoSharing();
    cluster.edit('default/s2', { spec: { ports: [{ port: 80, protocol: 'TCP' }] } });
    controller.settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.0', s2: '192.0.2.1' });
    expect(controller.events.join('\n')).to.match(
      /default\/s2 Warning AddressConflict: 192\.0\.2\.0 .* belongs to Service default\/s1.*both have port tcp\/80/,
    );
  });

  it('keep the address when another one wants it alone, also where that is asked while no controller runs', () => {
    const { cluster } = twoSharing();
    cluster.edit('default/s1', { metadata: { annotations: { 'fairlead.dev/sharing-key': null } } });
    new ModelController(cluster, twoAddresses).settle();
    expect(ips(cluster)).to.deep.equal({ s1: '192.0.2.1', s2: '192.0.2.0' });
  });

  it('let one in that waits as soon as a port becomes free', () => {
    const { cluster, controller } = twoSharing();
    cluster.create(service('other'));
    cluster.create(service('s3', shares(80)));
    controller.settle();
    expect(ips(cluster).s3).to.equal('');
    cluster.edit('default/s1', { spec: { ports: [{ port: 81, protocol: 'TCP' }] } });
    controller.settle();
    expect(ips(cluster).s3).to.equal('192.0.2.0');
  });

  it('gives nobody what a write on its way may still make a Service show', () => {
    const cluster = new ModelCluster();
    const inPool = (pool: string) => ({ metadata: { annotations: { 'fairlead.dev/address-pool': pool } } });
    cluster.create(service('web', inPool('a')));
    const controller = new ModelController(cluster, [allocatorPool('a', ['192.0.2.0/32'])]);
    const { ledger } = controller;
    ledger.sending('default/web');
    // The only address goes to another pool before there is an answer.
    ledger.setPools([allocatorPool('a', ['198.51.100.0/32']), allocatorPool('b', ['192.0.2.0/32'])]);
    expect(ledger.verdict('default/web')).to.deep.include({
      allocations: [{ address: parseAddress('198.51.100.0'), pool: 'a' }],
    });
    const seen = (name: string, version: string) =>
      observeService(mergePatch(service(name, inPool('b')), { metadata: { resourceVersion: version } }) as V1Service, {
        defaultClass: false,
      });
    ledger.observe(seen('next', '9'));
    expect(ledger.verdict('default/next')).to.deep.include({ allocations: [] });
    // The Service has changed since, so that write can come to nothing.
    const changed = mergePatch(cluster.services.get('default/web'), { metadata: { resourceVersion: '10' } });
    ledger.observe(observeService(changed as V1Service, { defaultClass: false }));
    expect(ledger.verdict('default/next')).to.deep.include({
      allocations: [{ address: parseAddress('192.0.2.0'), pool: 'b' }],
    });
  });

  it('does not let who waits in vain stand in the way of those whom another pool admits', () => {
    const cluster = new ModelCluster();
    const pools = [
      allocatorPool('a', ['192.0.2.0/32']),
      allocatorPool('b', ['198.51.100.0/32'], { namespaces: ['other'] }),
    ];
    const controller = new ModelController(cluster, pools);
    const other = { metadata: { namespace: 'other' } };
    for (const object of [service('x'), service('y', other), service('w1'), service('w2', other)]) {
      cluster.create(object);
      controller.settle();
    }
    cluster.delete('other/y');
    controller.settle();
    expect(ipsOf(cluster.services.get('other/w2'))).to.deep.equal(['198.51.100.0']);
    expect(ipsOf(cluster.services.get('default/w1'))).to.deep.equal([]);
  });

  it('does not let one that cannot share stand in the way of one that can', () => {
    const cluster = new ModelCluster();
    const controller = new ModelController(cluster, [allocatorPool('a', ['192.0.2.0/32'])]);
    const sharing = (port: number) => ({
      metadata: { annotations: { 'fairlead.dev/sharing-key': 'k' } },
      spec: { ports: [{ port, protocol: 'TCP' }] },
    });
    for (const object of [service('x'), service('w1', sharing(80)), service('w2', sharing(81))]) {
      cluster.create(object);
      controller.settle();
    }
    cluster.edit('default/x', sharing(80));
    controller.settle();
    expect(ipsOf(cluster.services.get('default/w2'))).to.deep.equal(['192.0.2.0']);
    expect(ipsOf(cluster.services.get('default/w1'))).to.deep.equal([]);
  });

  it('lets the one that has had it for longer keep an address that two show when it begins', () => {
    const cluster = new ModelCluster();
    const showing = (since: string) => ({
      status: {
        loadBalancer: { ingress: [{ ip: '192.0.2.0', ipMode: 'Proxy' }] },
        conditions: [
          {
            type: 'fairlead.dev/Allocated',
            status: 'True',
            reason: 'Allocated',
            message: '',
            lastTransitionTime: since,
          },
        ],
      },
    });
    cluster.create(service('a', showing('2026-01-02T00:00:00Z')));
    cluster.create(service('z', showing('2026-01-01T00:00:00Z')));
    new ModelController(cluster, [allocatorPool('public', ['192.0.2.0/31'])]).settle();
    expect(ipsOf(cluster.services.get('default/z'))).to.deep.equal(['192.0.2.0']);
    expect(ipsOf(cluster.services.get('default/a'))).to.deep.equal(['192.0.2.1']);
  });
});
