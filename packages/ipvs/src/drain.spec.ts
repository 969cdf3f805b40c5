import { expect } from 'chai';
import { Drains } from './drain.js';
import type { Flow, FlowCounts } from './flows.js';
import { endpoint, virtualServerName } from './forwarder.js';

const service = { address: '10.77.0.200', port: 80, protocol: 'tcp' } as const;
const name = virtualServerName(service);
const real = (n: number) => ({ address: `10.77.0.${n}`, port: 30080, weight: 0 });

describe('drains', () => {
  /** Looks at all that is due, with so many connections at each real server. */
  const look = (drains: Drains, nowMs: number, connections: (flow: Flow) => number = () => 0) => {
    const counts = new Map<string, Map<string, number>>();
    const due = drains.due(nowMs);
    for (const flow of due) {
      const ofService = counts.get(virtualServerName(flow.service)) ?? new Map();
      counts.set(virtualServerName(flow.service), ofService);
      ofService.set(endpoint(flow.realServer.address, flow.realServer.port), connections(flow));
    }
    return { due: due.length, finished: drains.finish(nowMs, counts as FlowCounts) };
  };

  it('end when nothing is connected any more, but never at the first look', () => {
    const drains = new Drains();
    drains.set(name, service, [real(1)]);
    expect(look(drains, 5_000)).to.deep.equal({ due: 0, finished: [] });
    expect(look(drains, 5_999)).to.deep.equal({ due: 0, finished: [] });
    expect(look(drains, 6_000).finished).to.deep.equal([{ service, realServer: real(1), connections: 0 }]);
    expect(drains.size).to.equal(0);
  });

  it('go on while there are connections, looked at less and less often', () => {
    const drains = new Drains();
    drains.set(name, service, [real(1)]);
    const looks: number[] = [];
    for (let second = 0; second <= 60; second++) {
      if (look(drains, second * 1_000, () => 1).due > 0) looks.push(second);
    }
    expect(looks).to.deep.equal([1, 3, 7, 15, 30, 45, 60]);
    expect(drains.size).to.equal(1);
  });

  it('end when their time is up, and say what was left', () => {
    const drains = new Drains(10_000);
    drains.set(name, service, [real(1)]);
    for (const nowMs of [0, 1_000, 3_000, 9_999]) expect(look(drains, nowMs, () => 3).finished).to.deep.equal([]);
    const { finished } = look(drains, 10_000, () => 3);
    expect(finished.map(({ realServer }) => realServer)).to.deep.equal([real(1)]);
    expect(drains.size).to.equal(0);
  });

  it('keep their time when others of the virtual server join them or come back', () => {
    const drains = new Drains(10_000);
    drains.set(name, service, [real(1), real(2)]);
    look(drains, 0);
    drains.set(name, service, [real(1), real(3)]);
    look(drains, 5_000, () => 1);
    expect(drains.of(name)).to.deep.equal([real(1), real(3)]);
    expect(look(drains, 10_000, () => 1).finished.map(({ realServer }) => realServer)).to.deep.equal([real(1)]);
    drains.set(name, service, []);
    expect(drains.size).to.equal(0);
    expect(look(drains, 60_000)).to.deep.equal({ due: 0, finished: [] });
  });

  it('by the thousand are looked at in turns', () => {
    const drains = new Drains();
    for (let port = 1; port <= 1_200; port++) {
      drains.set(virtualServerName({ ...service, port }), { ...service, port }, [real(1)]);
    }
    look(drains, 0);
    const finished = [1, 2, 3].map((second) => look(drains, second * 1_000).finished.length);
    expect(finished).to.deep.equal([500, 500, 200]);
  });
});
