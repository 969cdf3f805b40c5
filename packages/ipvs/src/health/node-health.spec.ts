import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { FakeNetwork, FakeTimers } from './fake-timers.spec.helpers.js';
import { type HealthChange, NodeHealth } from './node-health.js';

const n1 = { name: 'n1', address: '10.77.0.11' };
const n2 = { name: 'n2', address: '10.77.0.12' };

function world() {
  const timers = new FakeTimers();
  const network = new FakeNetwork(timers);
  const health = new NodeHealth({ timers, send: network.send });
  const changes: HealthChange[] = [];
  health.on('change', (change) => changes.push(change));
  return { timers, network, health, changes };
}

describe('node health', () => {
  it('asks the kube-proxy of every node, once a second', () => {
    const { timers, network, health } = world();
    health.setNodes([n1, n2]);
    health.start();
    timers.advance(10_000);
    expect(network.sent).to.have.length(2 * 11);
    expect(network.sent[0]!.probe).to.deep.equal({
      kind: 'http',
      address: n1.address,
      port: 10256,
      path: '/healthz',
      expect: '200',
    });
  });

  it('counts a node as healthy until a probe says otherwise, and unknown nodes always', () => {
    const { timers, network, health, changes } = world();
    network.answer = ({ address }) => (address === n1.address ? { ok: false, reason: 'refused' } : { ok: true });
    health.setNodes([n1, n2]);
    health.start();
    expect([health.healthy('n1'), health.healthy('n2'), health.healthy('n3')]).to.deep.equal([true, true, true]);
    timers.advance(1);
    expect([health.healthy('n1'), health.healthy('n2'), health.healthy('n3')]).to.deep.equal([false, true, true]);
    expect(changes).to.deep.equal([{ node: 'n1', healthy: false, reason: 'refused' }]);
  });

  it('takes two failures in a row to give a node up, and two answers in a row to trust it again', () => {
    const { timers, network, health, changes } = world();
    health.setNodes([n1]);
    health.start();
    timers.advance(1_500);
    network.answer = () => ({ ok: false, reason: 'refused' });
    timers.advance(1_000);
    expect(changes).to.deep.equal([]);
    timers.advance(1_000);
    expect(changes.map(({ healthy }) => healthy)).to.deep.equal([false]);
    network.answer = () => ({ ok: true });
    timers.advance(1_000);
    expect(health.healthy('n1')).to.equal(false);
    timers.advance(1_000);
    expect(changes.map(({ healthy }) => healthy)).to.deep.equal([false, true]);
  });

  it('forgets a node that is gone: its late outcome says nothing about its successor', async () => {
    const { timers, network, health, changes } = world();
    network.answer = () => ({ ok: false, reason: 'refused' });
    health.setNodes([n1]);
    health.start();
    network.answer = () => ({ ok: true });
    health.setNodes([{ ...n1, address: '10.77.0.99' }]);
    timers.advance(1);
    await health.firstRound();
    expect(changes).to.deep.equal([]);
    expect(health.counters()).to.include({ targets: 1, passed: 1, failed: 0 });
  });

  it('ends the first round also when the node that it waits for is no longer watched', async () => {
    const { network, health } = world();
    network.answer = () => 'silence';
    health.setNodes([n1]);
    health.start();
    const round = health.firstRound();
    health.setNodes([]);
    await round;
  });

  it('hears a real server go down and come back', async () => {
    let status = 200;
    const server = createServer((_, response) => response.writeHead(status).end('{"lastUpdated":""}'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const health = new NodeHealth({ intervalMs: 5, timeoutMs: 60_000, port });
    try {
      health.setNodes([{ name: 'n1', address: '127.0.0.1' }]);
      health.start();
      await health.firstRound();
      expect(health.healthy('n1')).to.equal(true);
      status = 503;
      const [down] = await once(health, 'change');
      expect(down).to.deep.equal({
        node: 'n1',
        healthy: false,
        reason: `http://127.0.0.1:${port}/healthz answers 503`,
      });
      status = 200;
      const [up] = await once(health, 'change');
      expect(up).to.deep.equal({ node: 'n1', healthy: true, reason: '' });
    } finally {
      health.stop();
      server.closeAllConnections();
      server.close();
    }
  });
});
