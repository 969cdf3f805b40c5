import { expect } from 'chai';
import { type NodeChoice, rankChosenNodes } from './chosen-nodes.js';
import { rankNodes } from './virtual-router.js';

describe('rankChosenNodes', () => {
  const labels: Record<string, Record<string, string>> = {
    n1: { rack: 'a' },
    n2: { rack: 'b', fast: 'yes' },
    n3: { rack: 'b' },
    n4: { rack: 'c' },
  };
  const rank = (choice: Partial<NodeChoice>) =>
    rankChosenNodes('public.0', { preferredNodes: [], ...choice }, Object.keys(labels), (node) => labels[node]).flat();
  const prefer = (weight: number, matchLabels: Record<string, string>) => ({ weight, selector: { matchLabels } });

  it('is the order of all nodes when the pool says nothing', () => {
    expect(rank({})).to.deep.equal(rankNodes('public.0', Object.keys(labels)));
  });

  it('has the nodes of the selector only', () => {
    expect(rank({ nodeSelector: { matchLabels: { rack: 'b' } } })).to.have.members(['n2', 'n3']);
    expect(rank({ nodeSelector: { matchLabels: { rack: 'z' } } })).to.deep.equal([]);
  });

  it('puts heavier nodes first and adds up weights, in the usual order among equals', () => {
    const ranked = rank({ preferredNodes: [prefer(10, { rack: 'b' }), prefer(1, { fast: 'yes' })] });
    expect(ranked.slice(0, 2)).to.deep.equal(['n2', 'n3']);
    expect(ranked.slice(2)).to.deep.equal(rankNodes('public.0', ['n1', 'n4']));
  });
});
