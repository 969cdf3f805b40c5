import { expect } from 'chai';
import { makeNetns } from '../netns.spec.helpers.js';
import { type Changeable, ChangeWatch } from './change-watch.js';
import { Rtnetlink } from './rtnetlink.js';

describe('ChangeWatch on the running kernel', () => {
  let netns: ReturnType<typeof makeNetns>;
  let rtnetlink: Rtnetlink;
  let veth: number;
  const watches: ChangeWatch[] = [];
  const watch = (of: readonly Changeable[], newAddresses = true) => {
    const one = new ChangeWatch({ netns: netns.name, of, newAddresses });
    watches.push(one);
    return one;
  };

  beforeEach(() => {
    netns = makeNetns();
    rtnetlink = new Rtnetlink({ netns: netns.name });
    veth = rtnetlink.addVeth({ name: 'v0', peer: { name: 'v1' } }).index;
    // The loopback interface alone: what becomes of a carrier is told later.
    rtnetlink.setLink(index, { up: true });
    rtnetlink.addAddress(address);
  });
  afterEach(() => {
    for (const one of watches.splice(0)) one.close();
    rtnetlink.close();
    netns.delete();
  });

  const index = 1;
  const address = { index, address: '10.0.0.1', prefixLength: 32 };
  const route = { family: 'ipv4', destination: '10.9.0.0', prefixLength: 24, table: 7700 } as const;
  const route6 = { family: 'ipv6', destination: 'fd00:9::', prefixLength: 64, table: 7700 } as const;

  const changes: [string, Changeable, () => void][] = [
    ['a new address', 'addresses', () => rtnetlink.addAddress({ ...address, address: '10.0.0.2' })],
    ['an address that goes', 'addresses', () => rtnetlink.deleteAddress(address)],
    ['an IPv6 address', 'addresses', () => rtnetlink.addAddress({ index, address: 'fd00::1', prefixLength: 128 })],
    ['a new route', 'routes', () => rtnetlink.addRoute({ ...route, index })],
    ['an IPv6 route', 'routes', () => rtnetlink.addRoute({ ...route6, index })],
    ['a new rule', 'rules', () => rtnetlink.addRule({ family: 'ipv4', priority: 7, table: 7700 })],
    ['a link that goes down', 'links', () => rtnetlink.setLink(index, { up: false })],
    ['a link that goes', 'links', () => rtnetlink.deleteLink(veth)],
  ];
  for (const [what, of, change] of changes) {
    it(`tells of ${what}, once`, () => {
      const one = watch([of]);
      one.changed();
      expect(one.changed()).to.equal(false);
      change();
      expect(one.changed()).to.equal(true);
      expect(one.changed()).to.equal(false);
    });
  }

  it('tells of a route that goes', () => {
    rtnetlink.addRoute({ ...route, index });
    const one = watch(['routes']);
    rtnetlink.deleteRoute(route);
    expect(one.changed()).to.equal(true);
  });

  it('takes a new or prolonged address for nothing where that is asked for, but not one that goes', () => {
    const one = watch(['addresses'], false);
    rtnetlink.replaceAddress({ ...address, validLifetimeSeconds: 5 });
    rtnetlink.addAddress({ ...address, address: '10.0.0.2' });
    expect(one.changed()).to.equal(false);
    rtnetlink.deleteAddress(address);
    expect(one.changed()).to.equal(true);
  });

  it('tells that something changed when there was too much to tell', () => {
    const one = watch(['routes']);
    const routes = Array.from({ length: 40_000 }, (_, n) => ({
      ...route,
      index,
      destination: `10.${20 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`,
      prefixLength: 32,
    }));
    expect(rtnetlink.replaceRoutes(routes)).to.deep.equal([]);
    expect(one.changed()).to.equal(true);
    expect(one.changed()).to.equal(false);
    rtnetlink.deleteRoute(routes[0]!);
    expect(one.changed()).to.equal(true);
  }).timeout(20_000);
});
