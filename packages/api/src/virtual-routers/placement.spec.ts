import { expect } from 'chai';
import fc from 'fast-check';
import { type PlacedPool, rankVirtualRouters } from './placement.js';
import { rankNodes } from './virtual-router.js';

const noLabels = () => undefined;

function pool(name: string, virtualRouters: number, more: Partial<PlacedPool> = {}): PlacedPool {
  return { name, createdAt: '2026-01-01T00:00:00Z', virtualRouters, preferredNodes: [], ...more };
}

function nodesUpTo(count: number): string[] {
  return [...Array(count).keys()].map((n) => `n${n + 1}`);
}

function shareAndAQuarter(routers: number, nodes: number): number {
  return Math.ceil((routers / Math.max(1, nodes)) * 1.25);
}

function loads(owners: Iterable<string | undefined>): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts;
}

const anyPools = fc
  .array(fc.record({ virtualRouters: fc.integer({ min: 1, max: 64 }), day: fc.integer({ min: 1, max: 9 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((pools) =>
    pools.map(({ virtualRouters, day }, n) => pool(`p${n}`, virtualRouters, { createdAt: `2026-01-0${day}` })),
  );
const anyNodes = fc.integer({ min: 2, max: 20 }).map(nodesUpTo);

describe('the placement of virtual routers', () => {
  it('makes no node the best for more than its share and a quarter', () => {
    fc.assert(
      fc.property(anyPools, anyNodes, (pools, nodes) => {
        const rankings = [...rankVirtualRouters(pools, nodes, noLabels).values()];
        const most = Math.max(...loads(rankings.map(([best]) => best)).values());
        expect(most).to.be.at.most(shareAndAQuarter(rankings.length, nodes.length));
      }),
    );
  });

  it('spreads what a node leaves behind within the share and a quarter of the others, who keep what they have', () => {
    fc.assert(
      fc.property(anyPools, anyNodes, fc.nat(), (pools, nodes, index) => {
        const gone = nodes[index % nodes.length]!;
        const rankings = [...rankVirtualRouters(pools, nodes, noLabels).values()];
        const owners = rankings.map((ranking) => ranking.find((node) => node !== gone));
        expect(Math.max(...loads(owners).values())).to.be.at.most(shareAndAQuarter(rankings.length, nodes.length - 1));
      }),
    );
  });

  it('counts nodes that are excluded neither as best nor as those to share with, and ranks them last', () => {
    fc.assert(
      fc.property(anyPools, fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 9 }), (pools, standing, more) => {
        const nodes = nodesUpTo(standing + more);
        const excluded = new Set(nodes.slice(standing));
        const rankings = rankVirtualRouters(pools, nodes, noLabels, excluded);
        const among = rankVirtualRouters(pools, nodesUpTo(standing), noLabels);
        for (const [name, ranking] of rankings) {
          expect(ranking).to.have.members(nodes);
          expect(ranking.slice(0, standing)).to.deep.equal(among.get(name));
        }
      }),
    );
  });

  it('does not depend on the order in which pools and nodes are known, and ranks every node once', () => {
    fc.assert(
      fc.property(anyPools, anyNodes, fc.nat(), (pools, nodes, turn) => {
        const turned = <T>(list: readonly T[]) => [
          ...list.slice(turn % list.length),
          ...list.slice(0, turn % list.length),
        ];
        const rankings = rankVirtualRouters(pools, nodes, noLabels);
        const again = rankVirtualRouters(turned(pools), turned(nodes).reverse(), noLabels);
        expect(again).to.deep.equal(rankings);
        for (const ranking of rankings.values()) expect(ranking).to.have.members(nodes);
      }),
    );
  });

  it('is left as it is by a younger pool', () => {
    fc.assert(
      fc.property(anyPools, anyNodes, (pools, nodes) => {
        const young = pool('young', 16, { createdAt: '2026-02-01' });
        const best = (rankings: Map<string, string[]>) =>
          [...rankings].filter(([name]) => !name.startsWith('young')).map(([name, [node]]) => [name, node]);
        expect(best(rankVirtualRouters([...pools, young], nodes, noLabels))).to.deep.equal(
          best(rankVirtualRouters(pools, nodes, noLabels)),
        );
      }),
    );
  });

  it('moves few others when a Node is removed for good', () => {
    let moved = 0;
    let orphaned = 0;
    for (let n = 0; n < 50; n++) {
      const before = rankVirtualRouters([pool(`p${n}`, 64)], nodesUpTo(8), noLabels);
      const after = rankVirtualRouters([pool(`p${n}`, 64)], nodesUpTo(7), noLabels);
      for (const [name, [best]] of before) {
        if (best === 'n8') orphaned += 1;
        else if (after.get(name)![0] !== best) moved += 1;
      }
    }
    expect(moved).to.be.below(orphaned);
  });

  it('follows the hash where nobody is above the share', () => {
    const rankings = rankVirtualRouters([pool('p', 1)], nodesUpTo(5), noLabels);
    expect(rankings.get('p.0')![0]).to.equal(rankNodes('p.0', nodesUpTo(5))[0]);
  });

  it('stays with the nodes that a pool prefers, and within those it chooses, as evenly as they can', () => {
    const labelsOf = (node: string) => ({ rack: node === 'n1' || node === 'n2' ? 'a' : 'b' });
    const rackA = { matchLabels: { rack: 'a' } };
    for (const more of [{ preferredNodes: [{ weight: 1, selector: rackA }] }, { nodeSelector: rackA }]) {
      const rankings = [...rankVirtualRouters([pool('p', 16, more)], nodesUpTo(6), labelsOf).values()];
      expect(loads(rankings.map(([best]) => best))).to.deep.equal(
        new Map([
          ['n1', 8],
          ['n2', 8],
        ]),
      );
      expect(new Set(rankings.map(([, second]) => second))).to.deep.equal(new Set(['n1', 'n2']));
    }
  });

  it('has nobody where a pool chooses no node', () => {
    const nodeSelector = { matchLabels: { rack: 'z' } };
    expect([...rankVirtualRouters([pool('p', 2, { nodeSelector })], nodesUpTo(3), noLabels)]).to.deep.equal([
      ['p.0', []],
      ['p.1', []],
    ]);
  });
});
