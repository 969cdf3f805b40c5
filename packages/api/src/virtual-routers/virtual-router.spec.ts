import { expect } from 'chai';
import fc from 'fast-check';
import { parseAddress } from '../addresses/address.js';
import { anyAddress } from '../addresses/arbitraries.spec.helpers.js';
import {
  leaseLabels,
  leaseName,
  parseVirtualRouterName,
  rankNodes,
  virtualRouterName,
  virtualRouterOf,
} from './virtual-router.js';

describe('virtualRouterOf', () => {
  it('is within the count and the same every time', () => {
    fc.assert(
      fc.property(anyAddress, fc.integer({ min: 1, max: 64 }), (vip, count) => {
        const n = virtualRouterOf(vip, count);
        expect(n).to.be.within(0, count - 1);
        expect(virtualRouterOf({ ...vip }, count)).to.equal(n);
      }),
    );
  });

  it('never changes between releases: speakers of two versions have to agree', () => {
    expect(virtualRouterOf(parseAddress('192.0.2.10'), 8)).to.equal(2);
    expect(virtualRouterOf(parseAddress('192.0.2.10'), 7)).to.equal(0);
    expect(virtualRouterOf(parseAddress('2001:db8::ff'), 8)).to.equal(7);
  });

  it('puts eight neighbouring addresses on eight virtual routers', () => {
    const used = new Set([...Array(8).keys()].map((i) => virtualRouterOf(parseAddress(`10.0.0.${100 + i}`), 8)));
    expect(used.size).to.equal(8);
  });
});

describe('names of a virtual router', () => {
  it('read back, also when the pool has dots, dashes and digits at its end', () => {
    for (const pool of ['public', 'a-1', 'a.1', '10.0']) {
      expect(parseVirtualRouterName(virtualRouterName(pool, 12))).to.deep.equal({ pool, n: 12 });
    }
    for (const text of ['public', 'public.', '.1', 'public.01', 'public.100', 'public.x']) {
      expect(parseVirtualRouterName(text)).to.equal(undefined);
    }
  });

  it('are a Lease name and labels that the API server accepts', () => {
    expect(leaseName('public', 3)).to.equal('vr-public-3');
    expect(leaseLabels('public.3')).to.deep.equal({
      'app.kubernetes.io/name': 'fairlead',
      'fairlead.dev/virtual-router': 'public.3',
    });
  });
});

describe('rankNodes', () => {
  const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'];

  it('does not depend on the order in which the nodes are known, and leaves the argument alone', () => {
    fc.assert(
      fc.property(fc.string(), fc.shuffledSubarray(nodes, { minLength: 5 }), (name, shuffled) => {
        const before = [...shuffled];
        expect(rankNodes(name, shuffled)).to.deep.equal(rankNodes(name, nodes));
        expect(shuffled).to.deep.equal(before);
      }),
    );
  });

  it('keeps the order of all others when a node goes', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...nodes), (name, gone) => {
        const rest = nodes.filter((node) => node !== gone);
        expect(rankNodes(name, rest)).to.deep.equal(rankNodes(name, nodes).filter((node) => node !== gone));
      }),
    );
  });

  it('gives every node its share of the first places', () => {
    const first = new Map<string, number>();
    for (let pool = 0; pool < 100; pool++) {
      for (let n = 0; n < 8; n++) {
        const [node] = rankNodes(virtualRouterName(`pool-${pool}`, n), nodes);
        first.set(node!, (first.get(node!) ?? 0) + 1);
      }
    }
    for (const node of nodes) expect(first.get(node)).to.be.within(120, 200); // 160 expected, sigma 11
  });

  it('never changes between releases: speakers of two versions have to agree', () => {
    expect(rankNodes('public.0', nodes)).to.deep.equal(['n1', 'n4', 'n2', 'n3', 'n5']);
  });
});
