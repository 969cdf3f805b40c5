import { nodeAnnotations, nodeLabels } from '@fairlead/api';
import { Planner } from '@fairlead/ipvs';
import { expect } from 'chai';
import { Assignment } from './assignment.js';
import { Feed, type WatchedNode, type WatchedPool, type WatchedService } from './feed.js';

const pool = (addresses: string[], free = '8'): WatchedPool =>
  ({
    apiVersion: 'fairlead.dev/v1alpha1',
    kind: 'AddressPool',
    metadata: { name: 'public', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { addresses, virtualRouters: 1 },
    status: { free },
  }) as unknown as WatchedPool;

const node = (name: string, heartbeat: string): WatchedNode => ({
  metadata: { name, annotations: { heartbeat } },
  status: {
    addresses: [{ type: 'InternalIP', address: `10.77.0.1${name.slice(1)}` }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});

const web: WatchedService = {
  metadata: { namespace: 'shop', name: 'web' },
  spec: { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb', ports: [{ port: 80, nodePort: 30080 }] },
  status: { loadBalancer: { ingress: [{ ip: '10.77.0.200', ipMode: 'Proxy' }] } },
};

describe('what the watches say', () => {
  let planner: Planner;
  let assignment: Assignment;
  let heard: string[];
  let feed: Feed;

  beforeEach(() => {
    planner = new Planner();
    assignment = new Assignment();
    heard = [];
    feed = new Feed(planner, assignment, {
      set: (name) => heard.push(`set ${name}`),
      delete: (name) => heard.push(`delete ${name}`),
      endpointsChanged: (name) => heard.push(`endpoints ${name}`),
    });
    feed.pools([pool(['10.77.0.200/29'])], () => []);
    feed.node(node('n1', '1'));
    feed.service(web);
    feed.settle();
    planner.take();
    assignment.take();
    heard = [];
  });

  const changed = () => {
    feed.settle();
    const { changed, removed, addedVips, removedVips } = planner.take();
    return {
      plan: changed.length + removed.length + addedVips.length + removedVips.length,
      assignment: assignment.take() !== undefined,
    };
  };

  it('changes nothing when it is a heartbeat, a status of a pool, or the same again', () => {
    feed.node(node('n1', '2'));
    feed.pools([pool(['10.77.0.200/29'], '7')], () => {
      throw new Error('nobody has to look at Services');
    });
    feed.service({ ...web, metadata: { ...web.metadata, annotations: { unrelated: 'yes' } } });
    expect(changed()).to.deep.equal({ plan: 0, assignment: false });
  });

  it('reaches the plan and not the assignment when it is a port or an endpoint', () => {
    feed.service({ ...web, spec: { ...web.spec, ports: [{ port: 81, nodePort: 30081 }] } });
    expect(changed()).to.deep.equal({ plan: 2, assignment: false });
    const input = { name: 'shop/web-1', service: 'shop/web', family: 'ipv4' as const, ports: [], endpoints: [] };
    feed.slice({ metadata: { namespace: 'shop', name: 'web-1' }, input });
    expect(changed()).to.deep.equal({ plan: 0, assignment: false });
    expect(heard).to.deep.equal(['set shop/web', 'endpoints shop/web']);
  });

  it('reaches both when it is a VIP or a node', () => {
    const status = { loadBalancer: { ingress: [{ ip: '10.77.0.201', ipMode: 'Proxy' }] } };
    feed.service({ ...web, status });
    expect(changed()).to.deep.equal({ plan: 4, assignment: true });
    feed.node(node('n2', '1'));
    expect(changed()).to.deep.equal({ plan: 1, assignment: true });
    feed.nodeGone(node('n2', '1'));
    expect(changed()).to.deep.equal({ plan: 1, assignment: true });
  });

  it('ranks a node last that is being deleted, or labelled to be excluded', () => {
    const best = () => {
      feed.settle();
      return assignment.take()?.changed[0]?.ranking[0];
    };
    feed.node(node('n2', '1'));
    const first = best()!;
    const second = first === 'n1' ? 'n2' : 'n1';
    const { metadata, status } = node(first, '1');
    feed.node({ metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }, status } as WatchedNode);
    expect(best()).to.equal(second);
    feed.node({ metadata, status } as WatchedNode);
    expect(best()).to.equal(first);
    const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
    feed.node({ metadata: { ...metadata, labels }, status } as WatchedNode);
    expect(best()).to.equal(second);
  });

  describe('of a node', () => {
    const n1 = node('n1', '1');
    const { metadata, status } = n1;
    beforeEach(() => feed.takeNodesChanged());

    for (const [what, other] of [
      ['is drained', { ...n1, metadata: { ...metadata, annotations: { [nodeAnnotations.drain]: '' } } }],
      ['is excluded', { ...n1, metadata: { ...metadata, labels: { [nodeLabels.exclude]: '' } } }],
      ['has a label that pools may choose by', { ...n1, metadata: { ...metadata, labels: { rack: 'b' } } }],
      ['is being deleted', { ...n1, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }],
      ['is not Ready', { ...n1, status: { ...status, conditions: [] } }],
    ] as [string, WatchedNode][]) {
      it(`is known once when it ${what}, and when it does no more`, () => {
        feed.node(other);
        expect(feed.takeNodesChanged()).to.equal(true);
        feed.node(other);
        expect(feed.takeNodesChanged()).to.equal(false);
        feed.node(n1);
        expect(feed.takeNodesChanged()).to.equal(true);
      });
    }

    it('is known when it comes and when it goes', () => {
      feed.node(node('n2', '1'));
      expect(feed.takeNodesChanged()).to.equal(true);
      feed.nodeGone(node('n2', '1'));
      expect(feed.takeNodesChanged()).to.equal(true);
      feed.nodeGone(node('n2', '1'));
      expect(feed.takeNodesChanged()).to.equal(false);
    });

    it('is nothing when it is a heartbeat, or when something else has changed', () => {
      feed.interfaces([{ name: 'eth0', index: 2, mtu: 1500, running: true, addresses: [] }]);
      feed.node(node('n1', '2'));
      feed.service({ ...web, spec: { ...web.spec, ports: [{ port: 81, nodePort: 30081 }] } });
      expect(feed.takeNodesChanged()).to.equal(false);
    });
  });

  it('takes a Service out of the plan whose VIP no pool has any more, and brings it back', () => {
    feed.pools([pool(['10.77.0.208/29'])], () => [web]);
    expect(changed()).to.deep.equal({ plan: 2, assignment: true });
    expect(assignment.unannounceable.map(({ address }) => address)).to.deep.equal(['10.77.0.200']);
    feed.pools([pool(['10.77.0.200/29'])], () => [web]);
    expect(changed()).to.deep.equal({ plan: 2, assignment: true });
    expect(heard).to.deep.equal(['delete shop/web', 'set shop/web']);
  });

  it('looks at VIPs again when this host’s interfaces are others, and only then', () => {
    const eth0 = { name: 'eth0', index: 2, mtu: 1500, running: true, addresses: [] };
    feed.interfaces([eth0]);
    expect(changed()).to.deep.equal({ plan: 0, assignment: true });
    feed.interfaces([{ ...eth0 }]);
    expect(changed()).to.deep.equal({ plan: 0, assignment: false });
  });
});
