import { type ParsedPool, parseAddressPool } from '@fairlead/api';
import { expect } from 'chai';
import { type AssignedService, assign } from './assignment.js';
import type { HostInterface } from './uplinks.js';

const eth0: HostInterface = {
  name: 'eth0',
  index: 2,
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  running: true,
  addresses: [{ address: '10.77.0.11', prefixLength: 24 }],
};

function pool(name: string, addresses: string[], virtualRouters = 8): ParsedPool {
  const parsed = parseAddressPool({ metadata: { name }, spec: { addresses, virtualRouters } });
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

const nodes = ['n1', 'n2', 'n3'];
const pools = [pool('public', ['10.77.0.200-10.77.0.215', 'fd00:77::/120']), pool('far', ['10.99.0.0/28'])];
const common = { pools, nodes, interfaces: [eth0] };

describe('assignment of VIPs to virtual routers', () => {
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
    ['an address outside of every subnet of the node', '10.99.0.1', /no interface of this node .*AddressPool "far"/],
    ['an IPv6 address where the LAN has none', 'fd00:77::1', /Neighbour Discovery only works within a subnet/],
  ] as const) {
    it(`says what is wrong with ${what}`, () => {
      const { unannounceable } = assign({ ...common, services: [service('web', address)] });
      expect(unannounceable.map((entry) => entry.address)).to.deep.equal([address]);
      expect(unannounceable[0]!.why).to.match(why);
    });
  }

  it('leaves Services of others alone', () => {
    const foreign = service('x', '10.77.0.200');
    foreign.spec = { type: 'LoadBalancer', loadBalancerClass: 'example.com/lb' };
    expect(assign({ ...common, services: [foreign] })).to.deep.equal({ routers: [], unannounceable: [] });
  });
});
