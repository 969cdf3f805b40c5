import type { PlanProblem } from '@fairlead/ipvs';
import { expect } from 'chai';
import { pino } from 'pino';
import type { WatchedService } from './feed.js';
import { Reporter } from './reporter.js';

function service(name: string, ip: string, policy = 'Cluster'): WatchedService {
  return {
    metadata: { namespace: 'shop', name },
    spec: { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb', externalTrafficPolicy: policy },
    status: { loadBalancer: { ingress: [{ ip, ipMode: 'Proxy' }] } },
  };
}

describe('what users are told', () => {
  let told: string[];
  let services: Map<string, WatchedService>;
  let reporter: Reporter;
  let due: (() => void)[];

  beforeEach(() => {
    told = [];
    due = [];
    services = new Map([
      ['shop/web', service('web', '10.77.0.200')],
      ['shop/db', service('db', '10.77.0.201')],
    ]);
    reporter = new Reporter({
      node: 'n1',
      log: pino({ level: 'silent' }),
      events: { event: (object, _, reason) => void told.push(`${object.metadata?.name} ${reason}`) },
      services: { get: (key) => services.get(key) },
      servicesWith: (vip) =>
        [...services].flatMap(([key, each]) => (each.status?.loadBalancer?.ingress?.[0]?.ip === vip ? [key] : [])),
      ownNode: () => ({ metadata: { name: 'n1' } }),
      later: (callback) => void due.push(callback),
    });
  });

  const problem = (service: string, message: string): PlanProblem => ({ service, code: 'FL_BAD_SCHEDULER', message });
  const heard = () => told.splice(0);

  it('is where a VIP is announced, and which station has it', () => {
    reporter.took('public.0', ['10.77.0.200']);
    expect(heard()).to.deep.equal([]);
    reporter.announced('public.0', ['10.77.0.200', '10.77.0.202']);
    expect(heard()).to.deep.equal(['web Announced']);
    reporter.conflict('10.77.0.201', '02:66:66:66:66:66', 'eth0', true);
    expect(heard()).to.deep.equal(['db AddressConflict']);
  });

  it('is what of a Service cannot be done: by the owner of its VIP, once, and again when it comes back', () => {
    const problems = [problem('shop/web', 'bad'), problem('shop/db', 'worse')];
    reporter.problems([], problems);
    expect(heard()).to.deep.equal([]);
    reporter.took('public.0', ['10.77.0.200']);
    expect(heard()).to.deep.equal(['web ForwardFailed']);
    reporter.problems([], [...problems]);
    reporter.problems([], [problem('shop/web', 'bad')]);
    expect(heard()).to.deep.equal([]);
    reporter.problems([], []);
    reporter.problems([], [problem('shop/web', 'bad')]);
    expect(heard()).to.deep.equal(['web ForwardFailed']);
  });

  it('is that all checks of a Service fail, if it lasts: not while kube-proxy sets a new one up', () => {
    const failing = () => [{ ...problem('shop/web', 'all fail'), code: 'FL_ALL_CHECKS_FAILED' as const }];
    reporter.took('public.0', ['10.77.0.200']);
    reporter.problems([], failing());
    reporter.problems([], []);
    reporter.problems([], failing());
    expect(due).to.have.length(2);
    due[0]!();
    expect(heard(), 'the first time was over').to.deep.equal([]);
    due[1]!();
    reporter.problems([], failing());
    expect(heard()).to.deep.equal(['web ForwardFailed']);
  });

  it('is that externalTrafficPolicy Local does not keep the client’s address: by the owner, once', () => {
    const local = service('web', '10.77.0.200', 'Local');
    services.set('shop/web', local);
    reporter.service(local);
    expect(heard()).to.deep.equal([]);
    reporter.took('public.0', ['10.77.0.200']);
    reporter.announced('public.0', ['10.77.0.200']);
    expect(heard()).to.deep.equal(['web Announced', 'web ClientAddressNotKept']);
    reporter.service(local);
    expect(heard()).to.deep.equal([]);
    reporter.service(service('web', '10.77.0.200'));
    reporter.service(local);
    expect(heard()).to.deep.equal(['web ClientAddressNotKept']);
    reporter.lost('public.0');
    reporter.serviceGone(local);
    reporter.service(local);
    expect(heard()).to.deep.equal([]);
  });

  it('is which VIP this node cannot announce, whoever owns it', () => {
    const unannounceable = [{ service: services.get('shop/web')!, address: '10.77.0.200', why: 'no subnet' }];
    reporter.problems(unannounceable, []);
    reporter.problems([...unannounceable], []);
    expect(heard()).to.deep.equal(['web AnnounceFailed']);
  });

  it('is, on the speaker’s Node, that all nodes look unusable, and that this is over', () => {
    expect([true, true, false, true].map((panic) => reporter.panic(panic))).to.deep.equal([true, false, false, true]);
    expect(heard()).to.deep.equal(['n1 AllNodesUnhealthy', 'n1 NodesHealthy', 'n1 AllNodesUnhealthy']);
  });
});
