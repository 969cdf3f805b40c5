import { expect } from 'chai';
import type { Contested, Election, Engine } from './election.js';
import { Engines } from './engines.js';

function setUp() {
  const log: string[] = [];
  const engine = (name: Engine): Election => ({
    configure: (contested) => log.push(`${name}: ${contested.map((spec) => spec.name).join(' ')}`),
    setFit: (fit) => log.push(`${name} fit=${fit}`),
    isUncertain: () => false,
    mayAnswer: () => name === 'vrrp',
    claimed: (router, node) => log.push(`${name} claimed ${router} by ${node}`),
    rivalHeard: (router) => log.push(`${name} rival ${router}`),
    stop: async () => void log.push(`${name} stops`),
  });
  return { log, engines: new Engines({ lease: engine('lease'), vrrp: engine('vrrp') }) };
}

function router(name: string, engine: Engine): Contested {
  return { name, engine, leaseName: name, ranking: [], preempt: false, vips: [] };
}

describe('the two engines', () => {
  it('each contest what is theirs', () => {
    const { log, engines } = setUp();
    engines.configure([router('a.0', 'lease'), router('b.0', 'vrrp')]);
    expect(log).to.deep.equal(['lease: a.0', 'vrrp: b.0']);
    expect(['a.0', 'b.0', 'c.0'].map((name) => engines.mayAnswer(name))).to.deep.equal([false, true, false]);
    engines.rivalHeard('b.0');
    expect(log.at(-1)).to.equal('vrrp rival b.0');
  });

  it('yield a virtual router that changes its engine before the other contests it', () => {
    const { log, engines } = setUp();
    engines.configure([router('a.0', 'lease'), router('b.0', 'lease')]);
    log.length = 0;
    engines.configure([router('a.0', 'vrrp'), router('b.0', 'lease')]);
    expect(log).to.deep.equal(['lease: b.0', 'vrrp: ', 'lease: b.0', 'vrrp: a.0']);
  });

  it('stand and stop together', async () => {
    const { log, engines } = setUp();
    engines.setFit(true);
    await engines.stop({ release: true });
    expect(log).to.deep.equal(['lease fit=true', 'vrrp fit=true', 'lease stops', 'vrrp stops']);
  });
});
