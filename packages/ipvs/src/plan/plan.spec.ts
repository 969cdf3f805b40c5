import { expect } from 'chai';
import fc from 'fast-check';
import type { NodeInput, ServiceInput } from './input.js';
import { type PlanInput, plan } from './plan.js';

const healthy = () => true;

function node(n: number, state: Partial<NodeInput> = {}): NodeInput {
  return {
    name: `n${n}`,
    internalIPs: [`10.77.0.${10 + n}`, `fd00:77::${10 + n}`],
    ready: true,
    excluded: false,
    ...state,
  };
}

function service(name: string, vips: string[], ports: [port: number, nodePort: number | undefined][]): ServiceInput {
  return {
    name: `default/${name}`,
    vips,
    ports: ports.map(([port, nodePort]) => ({ port, ...(nodePort ? { nodePort } : {}), protocol: 'tcp' })),
  };
}

const web = service('web', ['10.77.0.200'], [[80, 30080]]);

/** `address:port` of the real servers of the only virtual server. */
function realServers(input: Partial<PlanInput>): string[] {
  const { virtualServers } = plan({ services: [web], nodes: [node(1), node(2), node(3)], health: healthy, ...input });
  expect(virtualServers).to.have.length(1);
  return virtualServers[0]!.realServers.map(({ address, port }) => `${address}:${port}`);
}

describe('plan', () => {
  it('forwards every port of a Service to its NodePort on every usable node', () => {
    const desired = plan({
      services: [
        service(
          'web',
          ['10.77.0.200'],
          [
            [443, 30443],
            [80, 30080],
          ],
        ),
      ],
      nodes: [node(2), node(1)],
      health: healthy,
    });
    const to = (port: number) => [
      { address: '10.77.0.11', port, weight: 1 },
      { address: '10.77.0.12', port, weight: 1 },
    ];
    const common = { address: '10.77.0.200', protocol: 'tcp', scheduler: 'wrr' };
    expect(desired).to.deep.equal({
      vips: ['10.77.0.200'],
      virtualServers: [
        { ...common, port: 80, realServers: to(30080) },
        { ...common, port: 443, realServers: to(30443) },
      ],
      panic: false,
      problems: [],
    });
  });

  it('leaves out nodes that are not ready, probed unhealthy, or excluded', () => {
    expect(realServers({ nodes: [node(1), node(2, { ready: false }), node(3)] })).to.have.length(2);
    expect(realServers({ health: (name) => name !== 'n3' })).to.deep.equal(['10.77.0.11:30080', '10.77.0.12:30080']);
    expect(realServers({ nodes: [node(1, { excluded: true }), node(2), node(3)] })).to.have.length(2);
  });

  it('keeps all nodes when all look unusable at once, and says so', () => {
    const nodes = [node(1), node(2, { ready: false }), node(3, { excluded: true })];
    expect(realServers({ nodes, health: () => false })).to.deep.equal(['10.77.0.11:30080', '10.77.0.12:30080']);
    expect(plan({ services: [web], nodes, health: () => false }).panic).to.equal(true);
    expect(plan({ services: [web], nodes, health: healthy }).panic).to.equal(false);
  });

  it('never panics into excluded nodes', () => {
    const nodes = [node(1, { excluded: true }), node(2, { excluded: true })];
    expect(realServers({ nodes, health: () => false })).to.deep.equal([]);
    expect(plan({ services: [web], nodes, health: () => false }).panic).to.equal(false);
  });

  it('forwards a VIP only to nodes that have an address of its family, the first of them', () => {
    const nodes = [
      node(1, { internalIPs: ['fd00:77::11', '10.77.0.11', '192.0.2.11', 'fd00:78::11'] }),
      node(2, { internalIPs: ['10.77.0.12'] }),
    ];
    const { virtualServers } = plan({
      services: [service('dual', ['10.77.0.200', 'fd00:77:0::200'], [[80, 30080]])],
      nodes,
      health: healthy,
    });
    expect(
      virtualServers.map((server) => [server.address, server.realServers.map((real) => real.address)]),
    ).to.deep.equal([
      ['10.77.0.200', ['10.77.0.11', '10.77.0.12']],
      ['fd00:77::200', ['fd00:77::11']],
    ]);
  });

  it('counts two Node objects with one address as one real server', () => {
    expect(realServers({ nodes: [node(1), node(1, { name: 'renamed' })] })).to.deep.equal(['10.77.0.11:30080']);
  });

  it('lists real servers in numeric order of their addresses', () => {
    expect(realServers({ nodes: [100, 9, 20].map((n) => node(n, { internalIPs: [`10.77.0.${n}`] })) })).to.deep.equal([
      '10.77.0.9:30080',
      '10.77.0.20:30080',
      '10.77.0.100:30080',
    ]);
  });

  it('keeps a VIP that has nothing to forward, so that it answers ping', () => {
    const { vips, virtualServers, problems } = plan({
      services: [service('web', ['10.77.0.200'], [[80, undefined]])],
      nodes: [node(1)],
      health: healthy,
    });
    expect(vips).to.deep.equal(['10.77.0.200']);
    expect(virtualServers).to.deep.equal([]);
    expect(problems.map(({ code, service }) => [code, service])).to.deep.equal([['FL_NO_NODE_PORT', 'default/web']]);
    expect(problems[0]!.message).to.contain('allocateLoadBalancerNodePorts');
  });

  it('refuses connections to a Service without any node instead of hiding it', () => {
    expect(realServers({ nodes: [] })).to.deep.equal([]);
  });

  it('gives a port that two Services of one VIP want to the first by name, and reports the other', () => {
    const a = service('a', ['10.77.0.200'], [[80, 30001]]);
    const b = service(
      'b',
      ['10.77.0.200'],
      [
        [80, 30002],
        [81, 30003],
      ],
    );
    const desired = plan({ services: [b, a], nodes: [node(1)], health: healthy });
    expect(desired.virtualServers.map(({ port, realServers: [real] }) => [port, real!.port])).to.deep.equal([
      [80, 30001],
      [81, 30003],
    ]);
    expect(desired.problems.map(({ code, service }) => [code, service])).to.deep.equal([
      ['FL_PORT_CONFLICT', 'default/b'],
    ]);
    expect(desired.problems[0]!.message).to.contain('default/a');
  });

  it('takes the scheduler that it is given', () => {
    const { virtualServers } = plan({ services: [web], nodes: [node(1)], health: healthy, scheduler: 'mh' });
    expect(virtualServers[0]!.scheduler).to.equal('mh');
  });

  it('does not depend on the order of Services and nodes', () => {
    const services = [web, service('a', ['10.77.0.9'], [[80, 30001]]), service('z', ['10.77.0.200'], [[80, 30002]])];
    const nodes = [1, 2, 3, 20].map((n) => node(n));
    const expected = plan({ services, nodes, health: healthy });
    fc.assert(
      fc.property(
        fc.shuffledSubarray(services, { minLength: services.length }),
        fc.shuffledSubarray(nodes, { minLength: nodes.length }),
        (shuffledServices, shuffledNodes) => {
          expect(plan({ services: shuffledServices, nodes: shuffledNodes, health: healthy })).to.deep.equal(expected);
        },
      ),
    );
  });
});
