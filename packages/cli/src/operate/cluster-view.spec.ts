import { expect } from 'chai';
import { type NodeView, unfitBecause } from './cluster-view.js';

describe('whether a Node may own VIPs', () => {
  const node = (metadata: NodeView['metadata'], ready = 'True'): NodeView => ({
    metadata: { name: 'n1', ...metadata },
    status: { conditions: [{ type: 'Ready', status: ready }] },
  });
  const cases: [string, NodeView, string | undefined][] = [
    ['one that is Ready may', node({}), undefined],
    ['one that is not Ready may not', node({}, 'Unknown'), 'it is not Ready'],
    ['one that says nothing of itself may not', { metadata: { name: 'n1' } }, 'it is not Ready'],
    ['one that is being deleted may not', node({ deletionTimestamp: '2026-01-01T00:00:00Z' }), 'it is being deleted'],
    [
      'a drained one may not',
      node({ annotations: { 'fairlead.dev/drain': '' } }),
      'it is drained (fairlead undrain n1 ends that)',
    ],
    [
      'one that is excluded from load balancers may not',
      node({ labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }),
      'it has the label node.kubernetes.io/exclude-from-external-load-balancers',
    ],
  ];
  for (const [behaviour, view, why] of cases) {
    it(behaviour, () => {
      expect(unfitBecause(view)).to.equal(why);
    });
  }
});
