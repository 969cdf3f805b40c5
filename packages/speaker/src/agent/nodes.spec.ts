import { nodeInput } from '@fairlead/ipvs';
import { expect } from 'chai';
import type { WatchedNode } from './feed.js';
import { keepNode } from './nodes.js';

const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'n1',
    uid: 'u-1',
    resourceVersion: '7',
    labels: { zone: 'a' },
    annotations: { 'fairlead.dev/drain': '', 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    managedFields: [{ manager: 'kubelet' }],
  },
  spec: { podCIDR: '10.244.1.0/24' },
  status: {
    addresses: [
      { type: 'InternalIP', address: '10.77.0.11' },
      { type: 'Hostname', address: 'n1' },
    ],
    conditions: [
      { type: 'MemoryPressure', status: 'False' },
      { type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:00:00Z' },
    ],
    images: [{ names: ['registry.k8s.io/pause:3.9'], sizeBytes: 321_520 }],
  },
} as unknown as WatchedNode;

describe('what is kept of a Node', () => {
  it('is planned as the whole Node is, ready, drained, excluded or on its way out', () => {
    const metadata = NODE.metadata!;
    for (const node of [
      NODE,
      { ...NODE, metadata: { name: 'n1' } },
      { ...NODE, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
      { ...NODE, metadata: { ...metadata, labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } } },
      { ...NODE, status: { ...NODE.status, conditions: [{ type: 'Ready', status: 'Unknown' }] } },
      { metadata: { name: 'n2' } },
    ]) {
      expect(nodeInput(keepNode(node))).to.deep.equal(nodeInput(node));
    }
    expect(keepNode(NODE).metadata?.labels).to.deep.equal({ zone: 'a' });
  });

  it('names it for Events', () => {
    const { apiVersion, kind, metadata } = keepNode(NODE);
    expect({ apiVersion, kind }).to.deep.equal({ apiVersion: 'v1', kind: 'Node' });
    expect(metadata).to.deep.include({ name: 'n1', uid: 'u-1', resourceVersion: '7' });
  });

  it('has nothing of what no speaker asks for, and stays the same when it is kept again', () => {
    const kept = keepNode(NODE);
    expect(JSON.stringify(kept)).not.to.match(/images|managedFields|podCIDR|MemoryPressure|Heartbeat|volumes/);
    expect(keepNode(kept)).to.deep.equal(kept);
  });
});
