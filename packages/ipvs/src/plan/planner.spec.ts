import { expect } from 'chai';
import fc from 'fast-check';
import { type DesiredChange, type DesiredState, virtualServerName } from '../forwarder.js';
import { sortAddresses, sortByKeys } from '../order.js';
import { histories, interleaved, lastWords, type PlanEvent, tell } from './arbitraries.spec.helpers.js';
import type { EndpointsInput, NodeInput, ServiceInput } from './input.js';
import { Planner } from './planner.js';

function node(n: number, state: Partial<NodeInput> = {}): NodeInput {
  return { name: `n${n}`, internalIPs: [`10.77.0.${10 + n}`], ready: true, excluded: false, ...state };
}

function service(name: string, wishes: Partial<ServiceInput> = {}): ServiceInput {
  return { name, vips: ['10.77.0.200'], ports: [{ port: 80, nodePort: 30080, protocol: 'tcp' }], ...wishes };
}

function slice(service: string, nodes: string[]): EndpointsInput {
  const endpoints = nodes.map((node, index) => ({ address: `10.244.1.${index + 1}`, node }));
  return { name: `${service}-1`, service, family: 'ipv4', ports: [{ port: 8080, protocol: 'tcp' }], endpoints };
}

const unchanged: DesiredChange = { changed: [], removed: [], addedVips: [], removedVips: [] };

/** What a consumer holds who applies every change. */
function applied(change: DesiredChange, state: DesiredState): DesiredState {
  const servers = new Map(state.virtualServers.map((server) => [virtualServerName(server), server]));
  for (const key of change.removed)
    expect(servers.delete(virtualServerName(key)), 'removed, and was there').to.equal(true);
  for (const server of change.changed) servers.set(virtualServerName(server), server);
  const vips = new Set(state.vips);
  for (const vip of change.removedVips) expect(vips.delete(vip), 'removed, and was there').to.equal(true);
  for (const vip of change.addedVips) {
    expect(vips.has(vip), 'added, and was not there').to.equal(false);
    vips.add(vip);
  }
  return {
    vips: sortAddresses(vips),
    virtualServers: sortByKeys([...servers.values()]),
    ...(change.dead ? { dead: change.dead } : {}),
  };
}

/** Everything there is to see of a planner. */
function seen(planner: Planner): object {
  return { ...planner.desired(), problems: planner.problems, panic: planner.panic };
}

function told(events: readonly PlanEvent[]): Planner {
  const planner = new Planner();
  for (const event of events) tell(planner, event);
  return planner;
}

describe('the planner', function () {
  this.timeout(60_000);
  it('comes to the same whatever order things happened in, and to what a new process would plan', () => {
    const cases = histories.chain((all) => fc.tuple(fc.constant(all), interleaved(all), interleaved(all)));
    fc.assert(
      fc.property(cases, ([all, one, another]) => {
        const cold = seen(told(lastWords(all)));
        expect(seen(told(one))).to.deep.equal(cold);
        expect(seen(told(another))).to.deep.equal(cold);
      }),
      { numRuns: 200 },
    );
  });

  it('comes to the same however often it is asked on the way', () => {
    const cases = histories.chain((all) => fc.tuple(fc.constant(all), interleaved(all)));
    fc.assert(
      fc.property(cases, ([all, events]) => {
        const planner = new Planner();
        for (const event of events) {
          tell(planner, event);
          planner.desired();
        }
        expect(seen(planner)).to.deep.equal(seen(told(lastWords(all))));
      }),
      { numRuns: 150 },
    );
  });

  it('says with every change exactly what leads from what it said before to what it would say now', () => {
    const cases = histories.chain((all) =>
      fc.tuple(interleaved(all), fc.array(fc.boolean(), { minLength: 60, maxLength: 60 })),
    );
    fc.assert(
      fc.property(cases, ([events, asks]) => {
        const planner = new Planner();
        let held: DesiredState = { vips: [], virtualServers: [] };
        events.forEach((event, index) => {
          tell(planner, event);
          if (!asks[index]) return;
          const before = new Map(held.virtualServers.map((server) => [virtualServerName(server), server]));
          const change = planner.take();
          for (const server of change.changed) {
            expect(server, 'changed, and is another').not.to.deep.equal(before.get(virtualServerName(server)));
          }
          held = applied(change, held);
          expect(held).to.deep.equal(planner.desired());
          expect(planner.counts).to.deep.equal({
            vips: held.vips.length,
            virtualServers: held.virtualServers.length,
            realServers: held.virtualServers.flatMap(({ realServers }) => realServers).length,
          });
        });
        expect(applied(planner.take(), held)).to.deep.equal(planner.desired());
        const { dead: _, ...rest } = planner.take();
        expect(rest).to.deep.equal(unchanged);
      }),
      { numRuns: 150 },
    );
  });

  it('changes one virtual server when an endpoint of one Service does', () => {
    const planner = new Planner();
    for (const n of [1, 2, 3]) planner.setNode(node(n));
    for (let n = 0; n < 50; n++) {
      planner.setService(service(`shop/s${n}`, { local: true, vips: [`10.77.1.${n}`] }));
      planner.setEndpoints(slice(`shop/s${n}`, ['n1', 'n2']));
    }
    expect(planner.take().changed).to.have.length(50);
    planner.setEndpoints(slice('shop/s7', ['n1', 'n2', 'n2']));
    const { changed, ...rest } = planner.take();
    expect(changed.map(({ address }) => address)).to.deep.equal(['10.77.1.7']);
    expect(rest).to.deep.equal({ removed: [], addedVips: [], removedVips: [] });
  });

  it('does nothing for endpoints of a Service that is forwarded to all nodes, nor for the same word twice', () => {
    const planner = new Planner();
    planner.setNode(node(1));
    planner.setService(service('shop/a'));
    planner.take();
    planner.setEndpoints(slice('shop/a', ['n1']));
    planner.setNode(node(1));
    planner.setService(service('shop/a'));
    planner.setNodeHealth('n1', true);
    expect(planner.take()).to.deep.equal(unchanged);
  });

  it('leaves alone the Services that have nothing on a node, when that node’s health changes', () => {
    const planner = new Planner();
    for (const n of [1, 2, 3]) planner.setNode(node(n));
    planner.setService(service('shop/a', { local: true }));
    planner.setService(service('shop/b', { local: true, vips: ['10.77.0.201'] }));
    planner.setEndpoints(slice('shop/a', ['n1', 'n2']));
    planner.setEndpoints(slice('shop/b', ['n3']));
    planner.take();
    planner.setNodeHealth('n2', false);
    expect(planner.take().changed.map(({ address }) => address)).to.deep.equal(['10.77.0.200']);
  });

  it('keeps the objects of what did not change, since there may be a million of them', () => {
    const planner = new Planner();
    for (const n of [1, 2, 3]) planner.setNode(node(n));
    planner.setService(service('shop/a'));
    const before = planner.take().changed[0]!.realServers;
    planner.setNodeHealth('n2', false);
    const after = planner.take().changed[0]!.realServers;
    expect(after).to.have.length(2);
    expect(after[0]).to.equal(before[0]);
    expect(after[1]).to.equal(before[2]);
  });

  it('does not count a suspect among the dead', () => {
    const planner = new Planner();
    for (const n of [1, 2]) planner.setNode(node(n));
    planner.setService(service('shop/a'));
    planner.setNodeSuspect('n2', true);
    const change = planner.take();
    expect(change.changed[0]!.realServers.map(({ address }) => address)).to.deep.equal(['10.77.0.11']);
    expect(change).not.to.have.property('dead');
    planner.setNodeHealth('n2', false);
    expect([...planner.take().dead!]).to.deep.equal(['10.77.0.12']);
  });

  it('gives a port to the Service that comes first when its owner goes', () => {
    const planner = new Planner();
    planner.setNode(node(1));
    planner.setService(service('shop/a'));
    planner.setService(service('shop/b', { ports: [{ port: 80, nodePort: 30090, protocol: 'tcp' }] }));
    expect(planner.problems.map(({ service, code }) => [service, code])).to.deep.equal([
      ['shop/b', 'FL_PORT_CONFLICT'],
    ]);
    planner.take();
    planner.deleteService('shop/a');
    const { changed, removed } = planner.take();
    expect(changed.map(({ realServers: [real] }) => real!.port)).to.deep.equal([30090]);
    expect(removed).to.deep.equal([]);
    expect(planner.problems).to.deep.equal([]);
  });

  it('names what there is to check, what fails its check included', () => {
    const planner = new Planner();
    for (const n of [1, 2]) planner.setNode(node(n));
    planner.setService(service('shop/a'));
    planner.setCheck({ service: 'shop/a', address: '10.77.0.12', healthy: false });
    expect(planner.candidates('shop/a').map(({ address }) => address)).to.deep.equal(['10.77.0.11', '10.77.0.12']);
    expect(planner.candidates('shop/b')).to.deep.equal([]);
  });
});
