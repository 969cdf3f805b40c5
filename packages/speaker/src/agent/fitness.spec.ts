import { expect } from 'chai';
import { type FitnessInput, fitness } from './fitness.js';

const good = { ready: true, excluded: false };
const usual: FitnessInput = {
  self: 'n1',
  nodes: [
    { name: 'n1', ...good },
    { name: 'n2', ...good },
  ],
  healthy: () => true,
};

describe('fitness to stand for election', () => {
  const cases: [string, Partial<FitnessInput>, string | true][] = [
    ['a healthy node stands', {}, true],
    ['a node that the cluster does not know does not', { self: 'n9' }, 'no Node "n9"'],
    [
      'a node that is not Ready leaves it to one that is',
      { nodes: [{ name: 'n1', ready: false, excluded: false }, usual.nodes[1]!] },
      'not Ready',
    ],
    ['a node without kube-proxy leaves it to one that has it', { healthy: (node) => node !== 'n1' }, 'kube-proxy'],
    ['when no node is healthy, all stand', { healthy: () => false }, true],
    ['when no node is Ready, all stand', { nodes: usual.nodes.map((node) => ({ ...node, ready: false })) }, true],
    [
      'an excluded node never stands, even when no other is better',
      { healthy: () => false, nodes: [{ name: 'n1', ready: true, excluded: true }, usual.nodes[1]!] },
      'excluded',
    ],
    [
      'a node that is excluded is no better off',
      { healthy: (node) => node === 'n2', nodes: [usual.nodes[0]!, { name: 'n2', ready: true, excluded: true }] },
      true,
    ],
  ];
  for (const [behaviour, changes, expected] of cases) {
    it(behaviour, () => {
      const result = fitness({ ...usual, ...changes });
      if (expected === true) expect(result).to.deep.equal({ fit: true });
      else expect(result.fit ? '' : result.why).to.include(expected);
    });
  }
});
