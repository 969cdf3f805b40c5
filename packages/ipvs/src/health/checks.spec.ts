import { expect } from 'chai';
import fc from 'fast-check';
import { type Check, Checks, type ChecksOptions } from './checks.js';
import { FakeNetwork, FakeTimers } from './fake-timers.spec.helpers.js';

function world(options: ChecksOptions = {}) {
  const timers = new FakeTimers();
  const network = new FakeNetwork(timers);
  const checks = new Checks({ timers, send: network.send, ...options });
  const changes: { service: string; subject: string; healthy: boolean; reason: string }[] = [];
  checks.on('change', ({ service, check, healthy, reason }) =>
    changes.push({ service, subject: check.subject, healthy, reason }),
  );
  checks.start();
  return { timers, network, checks, changes };
}

const tcp = (address: string, port = 30_080): Check => ({
  subject: `${address}:${port}`,
  probe: { kind: 'tcp', address, port },
});

describe('checks of Services', function () {
  this.timeout(20_000); // much simulated time, on a machine that may be busy

  it('ask the same question once for all Services, and tell each of them', () => {
    const { timers, network, checks, changes } = world();
    network.answer = () => ({ ok: false, reason: 'refused' });
    checks.set('default/a', [tcp('10.77.0.11')]);
    checks.set('default/b', [tcp('10.77.0.11'), { ...tcp('10.77.0.11'), subject: 'another name' }]);
    timers.advance(1);
    expect(network.sent).to.have.length(1);
    expect(changes).to.deep.equal([
      { service: 'default/a', subject: '10.77.0.11:30080', healthy: false, reason: 'refused' },
      { service: 'default/b', subject: '10.77.0.11:30080', healthy: false, reason: 'refused' },
      { service: 'default/b', subject: 'another name', healthy: false, reason: 'refused' },
    ]);
    checks.set('default/a', []);
    expect(checks.healthy('default/b', '10.77.0.11:30080'), 'b still asks').to.equal(false);
    checks.set('default/b', []);
    expect(checks.counters().targets).to.equal(0);
  });

  it('keep what they know of a real server when others come and go', () => {
    const { timers, network, checks } = world();
    network.answer = ({ address }) => (address === '10.77.0.11' ? { ok: false, reason: 'refused' } : { ok: true });
    checks.set('default/a', [tcp('10.77.0.11'), tcp('10.77.0.12')]);
    timers.advance(1);
    checks.set('default/a', [tcp('10.77.0.13'), tcp('10.77.0.11')]);
    expect(checks.healthy('default/a', '10.77.0.11:30080')).to.equal(false);
    expect(network.sent.map(({ probe }) => probe.address)).to.deep.equal(['10.77.0.11', '10.77.0.12', '10.77.0.13']);
  });

  it('tell of every change of `healthy`, also when a Service begins or ends to ask', () => {
    const { timers, network, checks, changes } = world();
    network.answer = ({ port }) => (port % 2 === 0 ? { ok: false, reason: 'refused' } : { ok: true });
    const said = (service: string, healthy: boolean) => [service, '10.77.0.11:30080', healthy];
    const heard = () => changes.splice(0).map(({ service, subject, healthy }) => [service, subject, healthy]);
    checks.set('default/a', [tcp('10.77.0.11')]);
    timers.advance(1);
    expect(heard()).to.deep.equal([said('default/a', false)]);
    checks.set('default/b', [tcp('10.77.0.11')]);
    expect(heard()).to.deep.equal([said('default/b', false)]);
    checks.set('default/a', []);
    expect(heard()).to.deep.equal([said('default/a', true)]);
    checks.set('default/b', [{ ...tcp('10.77.0.11', 30_081), subject: '10.77.0.11:30080' }]);
    expect(heard()).to.deep.equal([said('default/b', true)]);
    timers.advance(5_000);
    expect(heard()).to.deep.equal([]);
  });

  it('ask nothing of nodes that are dead', () => {
    const alive = new Set(['n1']);
    const { timers, network, checks } = world({ nodeAlive: (node) => alive.has(node) });
    checks.set('default/a', [
      { ...tcp('10.77.0.11'), node: 'n1' },
      { ...tcp('10.77.0.12'), node: 'n2' },
    ]);
    timers.advance(5_000);
    expect(network.times('10.77.0.12')).to.deep.equal([]);
    alive.add('n2');
    timers.advance(1_000);
    expect(network.times('10.77.0.12')).to.have.length(1);
  });

  it('of five thousand Services are no storm', () => {
    const { timers, network, checks } = world();
    for (let n = 0; n < 5_000; n++) checks.set(`default/s${n}`, [tcp('10.77.0.11', 20_000 + n)]);
    timers.advance(10_000);
    expect(network.sent.length).to.be.below(500 + 10 * 500 + 100);
    expect(network.mostUnanswered).to.be.at.most(256);
    expect(checks.counters().intervalMs).to.equal(10_000);
  });

  it('probe exactly what the Services ask for, whatever came before', () => {
    const setting = fc.record({
      service: fc.constantFrom('a', 'b', 'c'),
      ports: fc.uniqueArray(fc.integer({ min: 1, max: 4 })),
    });
    fc.assert(
      fc.property(fc.array(setting), (settings) => {
        const { timers, network, checks } = world();
        const wanted = new Map<string, number[]>();
        for (const { service, ports } of settings) {
          wanted.set(service, ports);
          checks.set(
            service,
            ports.map((port) => tcp('10.77.0.11', port)),
          );
        }
        network.sent.length = 0;
        timers.advance(1_000);
        const asked = new Set(network.sent.map(({ probe }) => probe.port));
        expect([...asked].sort()).to.deep.equal([...new Set([...wanted.values()].flat())].sort());
      }),
    );
  });
});
