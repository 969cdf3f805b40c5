import { type ParsedPool, parseAddressPool } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  type AssignedRouter,
  type AssignedService,
  type AssignedVip,
  Assignment,
  type Ground,
  type Reassignment,
  type Unannounceable,
} from './assignment.js';
import { eth0 } from './interfaces.spec.helpers.js';
import { TABLES } from './tables.js';

function pool(name: string, addresses: string[], more: object = {}): ParsedPool {
  const parsed = parseAddressPool({ metadata: { name }, spec: { addresses, ...more } });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.pool;
}

function service(name: string, ...ips: string[]): AssignedService {
  return {
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb' },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip, ipMode: 'Proxy' })) } },
  };
}

type Whole = AssignedRouter & { vips: AssignedVip[] };

/** Virtual routers with all their VIPs, as the changes make them. */
class Held {
  readonly #routers = new Map<string, Whole>();

  take({ changed, removed }: Reassignment = { changed: [], removed: [] }): void {
    for (const name of removed) expect(this.#routers.delete(name), name).to.equal(true);
    for (const { added, removed, ...router } of changed) {
      const vips = new Map(this.#routers.get(router.name)?.vips.map((vip) => [vip.address, vip]));
      for (const address of removed) expect(vips.delete(address), address).to.equal(true);
      for (const vip of added) {
        expect(vips.get(vip.address)).to.not.deep.equal(vip);
        vips.set(vip.address, vip);
      }
      this.#routers.set(router.name, { ...router, vips: [...vips.values()] });
    }
  }

  get routers(): Whole[] {
    const order = (a: { address: string }, b: { address: string }) => (a.address < b.address ? -1 : 1);
    return [...this.#routers.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((router) => ({ ...router, vips: router.vips.sort(order) }));
  }
}

/** Everything at once. */
function assign({ services, ...ground }: Ground & { services: readonly AssignedService[] }): {
  routers: Whole[];
  unannounceable: readonly Unannounceable[];
} {
  const assignment = new Assignment();
  for (const one of services) assignment.setService(`default/${one.metadata!.name}`, one);
  assignment.setGround(ground);
  const held = new Held();
  held.take(assignment.take());
  return { routers: held.routers, unannounceable: assignment.unannounceable };
}

const nodes = ['n1', 'n2', 'n3'];
const pools = [pool('public', ['10.77.0.200-10.77.0.215', 'fd00:77::/120']), pool('far', ['10.99.0.0/28'])];
const common = { pools, nodes, interfaces: [eth0] };

describe('assignment of VIPs to virtual routers', () => {
  const labels = new Map(nodes.map((name) => [name, { rack: name === 'n3' ? 'b' : 'a' }]));
  const chosen = (more: object, self = 'n1') =>
    assign({
      ...common,
      labels,
      self,
      pools: [pool('public', ['10.77.0.200/32'], more)],
      services: [service('web', '10.77.0.200')],
    });

  it('leaves the VIPs of a pool to the nodes of its selector, without a complaint', () => {
    const nodeSelector = { matchLabels: { rack: 'b' } };
    for (const [self, uplink] of [
      ['n1', undefined],
      ['n3', 'eth0'],
    ] as const) {
      const { routers, unannounceable } = chosen({ nodeSelector }, self);
      expect(routers[0]).to.deep.include({ ranking: ['n3'], vips: [{ address: '10.77.0.200', uplink }] });
      expect(unannounceable).to.deep.equal([]);
    }
  });

  it('ranks the nodes that a pool prefers first', () => {
    const preferredNodes = [{ weight: 1, selector: { matchLabels: { rack: 'b' } } }];
    expect(chosen({ preferredNodes }).routers[0]!.ranking[0]).to.equal('n3');
    expect(chosen({ preferredNodes }).routers[0]!.ranking).to.have.members(nodes);
  });

  it('announces on the interfaces that a pool names only', () => {
    expect(chosen({ interfaces: ['eth*'] }).routers[0]!.vips[0]!.uplink).to.equal('eth0');
    const cni0 = { ...eth0, name: 'cni0', index: 1, addresses: [{ address: '10.244.1.1', prefixLength: 24 }] };
    const { routers: beside } = assign({
      ...common,
      pools: [pool('public', ['10.77.0.200/32'], { interfaces: ['*'] })],
      interfaces: [cni0, eth0],
      services: [service('web', '10.77.0.200')],
    });
    expect(beside[0]!.vips[0]!.uplink, 'not on the Pods’ bridge').to.equal('eth0');
    const { routers, unannounceable } = chosen({ interfaces: ['eth1', 'bond*'] });
    expect(routers[0]!.vips[0]!.uplink).to.equal(undefined);
    expect(unannounceable[0]!.why).to.match(/^no interface of this node that the pool names \(eth1, bond\*\) has/);
  });

  it('puts every VIP into one virtual router of its pool, with its interface and the ranking of all nodes', () => {
    const { routers, unannounceable } = assign({ ...common, services: [service('web', '10.77.0.200')] });
    expect(unannounceable).to.deep.equal([]);
    expect(routers).to.have.length(1);
    expect(routers[0]).to.deep.include({
      name: 'public.0',
      pool: 'public',
      leaseName: 'vr-public-0',
      vips: [{ address: '10.77.0.200', uplink: 'eth0' }],
    });
    expect([...routers[0]!.ranking].sort()).to.deep.equal(nodes);
  });

  it('counts an address that two Services share once', () => {
    const services = [service('a', '10.77.0.208'), service('b', '10.77.0.208', '10.77.0.200')];
    const assignment = new Assignment();
    for (const each of services) assignment.setService(`default/${each.metadata!.name}`, each);
    expect([...assignment.servicesWith('10.77.0.208')]).to.deep.equal(['default/a', 'default/b']);
    expect([...assignment.servicesWith('10.77.0.1')]).to.deep.equal([]);
    const { routers } = assign({ ...common, services });
    expect(routers.map((router) => [router.name, router.vips.map((vip) => vip.address)])).to.deep.equal([
      ['public.0', ['10.77.0.200', '10.77.0.208']],
    ]);
  });

  it('does not depend on the order of Services and nodes', () => {
    const services = ['10.77.0.200', '10.77.0.201', '10.77.0.209', '10.77.0.202'].map((ip, n) => service(`s${n}`, ip));
    const forward = assign({ ...common, services });
    const backward = assign({ ...common, services: [...services].reverse(), nodes: [...nodes].reverse() });
    expect(backward).to.deep.equal(forward);
  });

  for (const [what, address, why] of [
    ['an address of no pool', '10.77.0.100', /in no AddressPool/],
    [
      'an address outside of every subnet of the node',
      '10.99.0.1',
      /no interface of this node .*AddressPool "far".*there is eth0 10\.77\.0\.11\/24;/,
    ],
    ['an IPv6 address where the LAN has none', 'fd00:77::1', /Neighbour Discovery only works within a subnet/],
  ] as const) {
    it(`says what is wrong with ${what}`, () => {
      const { unannounceable } = assign({ ...common, services: [service('web', address)] });
      expect(unannounceable.map((entry) => entry.address)).to.deep.equal([address]);
      expect(unannounceable[0]!.why).to.match(why);
    });
  }

  it('asks whether the uplink is right where there is no interface at all', () => {
    const { unannounceable } = assign({ ...common, interfaces: [], services: [service('web', '10.77.0.200')] });
    expect(unannounceable[0]!.why).to.match(/--uplink/);
  });

  it('says on one node, for all of them, that a pool chooses none', () => {
    const nodeSelector = { matchLabels: { edge: 'yes' } };
    const ground = {
      ...common,
      pools: [pool('public', ['10.77.0.200-10.77.0.215'], { nodeSelector })],
      services: [service('web', '10.77.0.200')],
    };
    const saying = nodes.filter((self) => assign({ ...ground, self }).unannounceable.length > 0);
    expect(saying).to.deep.equal([[...nodes].sort()[0]]);
    const [told] = assign({ ...ground, self: saying[0] }).unannounceable;
    expect(told!.why).to.match(/no node has the labels that AddressPool "public" asks for/);
    const labels = new Map([[nodes.at(-1)!, { edge: 'yes' }]]);
    expect(assign({ ...ground, self: saying[0], labels }).unannounceable, 'another one is chosen').to.deep.equal([]);
  });

  it('leaves out VIPs for whose virtual routers there is no room, says so, and serves them when there is', () => {
    const wide = Array.from({ length: TABLES / 64 + 1 }, (_, n) =>
      pool(`p${n}`, [`10.77.${n}.0/26`], { virtualRouters: 64 }),
    );
    const vips = wide.flatMap((_, n) => Array.from({ length: 64 }, (_, host) => `10.77.${n}.${host}`));
    const assignment = new Assignment();
    const interfaces = [{ ...eth0, addresses: [{ address: '10.77.255.1', prefixLength: 16 }] }];
    assignment.setGround({ nodes, pools: wide, interfaces });
    for (const vip of vips.slice(0, TABLES + 2)) assignment.setService(`default/${vip}`, service(vip, vip));
    const held = new Held();
    held.take(assignment.take());
    expect(held.routers).to.have.length(TABLES);
    expect(assignment.unannounceable.map(({ address }) => address)).to.deep.equal(vips.slice(TABLES, TABLES + 2));
    expect(assignment.unannounceable[0]!.why).to.match(/1024.*lower spec\.virtualRouters/);
    assignment.deleteService(`default/${vips[0]}`);
    held.take(assignment.take());
    expect(held.routers.flatMap((router) => router.vips.map(({ address }) => address))).to.include(vips[TABLES]);
    expect(assignment.unannounceable.map(({ address }) => address)).to.deep.equal([vips[TABLES + 1]]);
  });

  it('leaves Services of others alone', () => {
    const foreign = service('x', '10.77.0.200');
    foreign.spec = { type: 'LoadBalancer', loadBalancerClass: 'example.com/lb' };
    expect(assign({ ...common, services: [foreign] })).to.deep.equal({ routers: [], unannounceable: [] });
  });

  it('touches the virtual router of a new VIP, and no other', () => {
    const assignment = new Assignment();
    assignment.setGround(common);
    assignment.setService('default/a', service('a', '10.77.0.200'));
    assignment.setService('default/b', service('b', '10.77.0.201'));
    assignment.take();
    assignment.setService('default/c', service('c', '10.77.0.209'));
    const { changed, removed } = assignment.take()!;
    expect(removed).to.deep.equal([]);
    expect(changed.map((router) => [router.name, router.added, router.removed])).to.deep.equal([
      ['public.1', [{ address: '10.77.0.209', uplink: 'eth0' }], []],
    ]);
    assignment.setService('default/c', service('c', '10.77.0.209'));
    expect(assignment.take()).to.equal(undefined);
  });

  const grounds: Ground[] = [
    common,
    { ...common, pools: [pool('public', ['10.77.0.200-10.77.0.215'], { virtualRouters: 2 })] },
    { ...common, nodes: ['n1', 'n9'] },
    { ...common, interfaces: [{ ...eth0, name: 'eth1', index: 3 }] },
    { ...common, interfaces: [] },
  ];
  const event = fc.oneof(
    fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      ips: fc.uniqueArray(fc.constantFrom('10.77.0.200', '10.77.0.201', '10.77.0.202', '10.99.0.1', 'fd00:77::1'), {
        maxLength: 3,
      }),
    }),
    fc.record({ ground: fc.constantFrom(...grounds) }),
    fc.record({ gone: fc.constantFrom('a', 'b', 'c') }),
  );

  it('comes to what it would be at once, and says with every change what leads there', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.boolean()), { maxLength: 20 }), (events) => {
        const assignment = new Assignment();
        const services = new Map<string, AssignedService>();
        let ground = grounds[0]!;
        assignment.setGround(ground);
        const held = new Held();
        for (const [what, ask] of events) {
          if ('ground' in what) {
            ground = what.ground;
            assignment.setGround(ground);
          } else if ('gone' in what) {
            services.delete(what.gone);
            assignment.deleteService(`default/${what.gone}`);
          } else {
            services.set(what.name, service(what.name, ...what.ips));
            assignment.setService(`default/${what.name}`, service(what.name, ...what.ips));
          }
          if (ask) held.take(assignment.take());
        }
        held.take(assignment.take());
        const cold = assign({ ...ground, services: [...services.values()] });
        expect(held.routers).to.deep.equal(cold.routers);
        expect([...assignment.unannounceable]).to.have.deep.members([...cold.unannounceable]);
      }),
    );
  });
});
