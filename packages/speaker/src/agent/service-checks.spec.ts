import { annotations } from '@fairlead/api';
import { Checks, type NodeInput, Planner, type ProbeOutcome, type SendProbe, type ServiceObject } from '@fairlead/ipvs';
import { expect } from 'chai';
import { checksOf, checkWish, ServiceChecks } from './service-checks.js';

const nodes: NodeInput[] = [1, 2].map((n) => ({
  name: `n${n}`,
  internalIPs: [`10.77.0.${10 + n}`],
  ready: true,
  excluded: false,
}));
const nodeOf = (address: string) => nodes.find(({ internalIPs }) => internalIPs.includes(address))?.name;

function service(annotation: string | undefined, spec: ServiceObject['spec'] = {}): ServiceObject {
  return {
    metadata: annotation === undefined ? {} : { annotations: { [annotations.healthCheck]: annotation } },
    spec,
  };
}
const local = { externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 };

describe('what a Service wants to be asked', () => {
  it('is nothing, for most', () => {
    expect(checkWish(service(undefined))).to.equal(undefined);
    expect(checkWish(service(undefined, { ...local, externalTrafficPolicy: 'Cluster' }))).to.equal(undefined);
    expect(checkWish(service(undefined, { externalTrafficPolicy: 'Local' }))).to.equal(undefined);
  });

  it('is what it says', () => {
    expect(checkWish(service('tcp', local))).to.deep.equal({ healthCheckNodePort: 32_000, check: { kind: 'tcp' } });
    expect(checkWish(service('http:/a'))).to.deep.equal({ check: { kind: 'http', path: '/a' } });
    expect(checkWish(service('gopher')))
      .to.have.property('problem')
      .that.contains('gopher');
  });

  it('comes to one question a node for its health check NodePort, and one a real server for its own check', () => {
    const candidates = [
      { address: '10.77.0.11', port: 30_080, tcp: true },
      { address: '10.77.0.11', port: 30_443, tcp: true },
      { address: '10.77.0.11', port: 30_053, tcp: false },
      { address: '10.244.1.2', port: 8080, tcp: true },
    ];
    const asked = (wish: Parameters<typeof checksOf>[0]) =>
      checksOf(wish, candidates, nodeOf).map(({ subject, probe, node }) => [subject, probe.kind, probe.port, node]);
    expect(asked({ healthCheckNodePort: 32_000 })).to.deep.equal([['10.77.0.11', 'http', 32_000, 'n1']]);
    expect(asked({ check: { kind: 'tcp' } })).to.deep.equal([
      ['10.77.0.11:30080', 'tcp', 30_080, 'n1'],
      ['10.77.0.11:30443', 'tcp', 30_443, 'n1'],
      ['10.244.1.2:8080', 'tcp', 8080, undefined],
    ]);
  });
});

describe('checks of Services, and the plan', () => {
  /** Who refuses, by address; answers come at once. */
  function world(refuse: Set<string>) {
    const send: SendProbe = ({ address }, done) => {
      const outcome: ProbeOutcome = refuse.has(address) ? { ok: false, reason: 'refused' } : { ok: true };
      pending.push(() => done(outcome));
      return () => {};
    };
    const pending: (() => void)[] = [];
    const planner = new Planner();
    const checks = new Checks({ send, timers: { now: () => 0, setTimeout: () => 0, clearTimeout: () => {} } });
    const verdicts: string[] = [];
    const serviceChecks = new ServiceChecks({
      checks,
      planner,
      onVerdict: (name, subject, healthy) => verdicts.push(`${name} ${subject} ${healthy}`),
    });
    checks.start();
    for (const node of nodes) planner.setNode(node);
    serviceChecks.nodesChanged(nodes);
    const web = (changes: { protocol?: 'tcp' | 'udp' } = {}) =>
      planner.setService({
        name: 'default/web',
        vips: ['10.77.0.200'],
        ports: [{ port: 80, nodePort: 30_080, protocol: changes.protocol ?? 'tcp' }],
      });
    const realServers = () => planner.desired().virtualServers[0]!.realServers.map(({ address }) => address);
    const answer = () => {
      for (const tell of pending.splice(0)) tell();
    };
    return { planner, serviceChecks, verdicts, web, realServers, answer, pending };
  }

  it('take a real server that fails out, and put it back when nobody asks any more', () => {
    const { serviceChecks, web, realServers, answer, verdicts } = world(new Set(['10.77.0.12']));
    web();
    serviceChecks.set('default/web', service('tcp'));
    serviceChecks.settle();
    answer();
    expect(realServers()).to.deep.equal(['10.77.0.11']);
    serviceChecks.set('default/web', service(undefined));
    serviceChecks.settle();
    expect(realServers()).to.deep.equal(['10.77.0.11', '10.77.0.12']);
    expect(verdicts).to.deep.equal(['default/web 10.77.0.12:30080 false', 'default/web 10.77.0.12:30080 true']);
  });

  it('keep all real servers when all of them fail, and say so', () => {
    const { planner, serviceChecks, web, realServers, answer } = world(new Set(['10.77.0.11', '10.77.0.12']));
    web();
    serviceChecks.set('default/web', service('http:/ready'));
    serviceChecks.settle();
    answer();
    expect(realServers()).to.deep.equal(['10.77.0.11', '10.77.0.12']);
    expect(planner.problems.map(({ code }) => code)).to.deep.equal(['FL_ALL_CHECKS_FAILED']);
  });

  it('do not check what is wrong, and say what', () => {
    const { serviceChecks, web, pending } = world(new Set());
    web({ protocol: 'udp' });
    serviceChecks.set('default/web', service('tcp'));
    serviceChecks.settle();
    expect(serviceChecks.problems.map(({ message }) => message)).to.have.length(1);
    expect(serviceChecks.problems[0]!.message).to.contain('default/web').and.contain('no TCP port');
    serviceChecks.set('default/web', service('udp'));
    serviceChecks.settle();
    expect(serviceChecks.problems[0]!.message).to.contain('"udp"');
    serviceChecks.delete('default/web');
    expect([serviceChecks.problems, pending]).to.deep.equal([[], []]);
  });

  it('follow the nodes', () => {
    const { planner, serviceChecks, web, answer, realServers } = world(new Set(['10.77.0.13']));
    web();
    serviceChecks.set('default/web', service('tcp'));
    serviceChecks.settle();
    const n3 = { name: 'n3', internalIPs: ['10.77.0.13'], ready: true, excluded: false };
    planner.setNode(n3);
    serviceChecks.nodesChanged([...nodes, n3]);
    serviceChecks.settle();
    answer();
    expect(realServers()).to.deep.equal(['10.77.0.11', '10.77.0.12']);
  });
});
