import { expect } from 'chai';
import { type Fitness, type FitnessInput, fitness, PATIENCE_MS, Patience, SETTLE_MS } from './fitness.js';

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
    ['a node that has no way into its director does not', { broken: 'no director' }, 'no director'],
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
    [
      'a drained node hands over at once',
      { nodes: [{ name: 'n1', ...good, drained: true }, usual.nodes[1]!] },
      'drained',
    ],
    ['a drained node keeps what nobody else can have', { nodes: [{ name: 'n1', ...good, drained: true }] }, true],
    [
      'two drained nodes do not leave the VIPs to each other',
      { nodes: usual.nodes.map((node) => ({ ...node, drained: true as const })) },
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

describe('patience of an owner', () => {
  const LONG_AGO = Number.NEGATIVE_INFINITY;
  const fit: Fitness = { fit: true };
  const busy: Fitness = { fit: false, why: 'its kube-proxy does not answer', mayPass: true };
  const excluded: Fitness = { fit: false, why: 'excluded', mayPass: false };

  it('bears a complaint that passes', () => {
    const patience = new Patience();
    expect(patience.next(fit, 0, LONG_AGO)).to.deep.equal({ stand: true });
    expect(patience.next(busy, 1_000, LONG_AGO)).to.deep.equal({ stand: true, askAgainAt: 1_000 + PATIENCE_MS });
    expect(patience.next(fit, 2_000, LONG_AGO)).to.deep.equal({ stand: true });
    expect(patience.next(busy, 5_000, LONG_AGO)).to.deep.equal({ stand: true, askAgainAt: 5_000 + PATIENCE_MS });
  });

  it('gives up when the complaint stays', () => {
    const patience = new Patience();
    patience.next(fit, 0, LONG_AGO);
    patience.next(busy, 1_000, LONG_AGO);
    expect(patience.next(busy, 999 + PATIENCE_MS, LONG_AGO).stand).to.equal(true);
    expect(patience.next(busy, 1_000 + PATIENCE_MS, LONG_AGO)).to.deep.equal({ stand: false });
    expect(patience.next(fit, 9_000, LONG_AGO)).to.deep.equal({ stand: true });
  });

  it('is not for what does not pass, nor for a node that does not stand yet', () => {
    const patience = new Patience();
    expect(patience.next(busy, 0, LONG_AGO)).to.deep.equal({ stand: false });
    patience.next(fit, 1_000, LONG_AGO);
    expect(patience.next(excluded, 2_000, LONG_AGO)).to.deep.equal({ stand: false });
  });

  it('begins when the kernel has been in line for a while, and not while it is not', () => {
    const patience = new Patience();
    expect(patience.next(fit, 0, undefined)).to.deep.equal({ stand: false, settling: true });
    const askAgainAt = 500 + SETTLE_MS;
    expect(patience.next(fit, 600, 500)).to.deep.equal({ stand: false, settling: true, askAgainAt });
    expect(patience.next(fit, askAgainAt, 500)).to.deep.equal({ stand: true });
  });

  it('does not end because the kernel is mended', () => {
    const patience = new Patience();
    patience.next(fit, 0, LONG_AGO);
    expect(patience.next(fit, 1_000, undefined)).to.deep.equal({ stand: true });
    expect(patience.next(fit, 2_000, 1_999)).to.deep.equal({ stand: true });
  });
});
