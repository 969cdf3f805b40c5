import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { NodeHealth, type NodeHealthOptions } from './health.js';
import type { ProbeOutcome } from './health-state.js';

const n1 = { name: 'n1', address: '127.0.0.1' };
/** Quick rounds; no test depends on how quick. */
const quick = { intervalMs: 5, timeoutMs: 60_000 };

describe('node health', () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  function watch(options: NodeHealthOptions): NodeHealth {
    const health = new NodeHealth(options);
    cleanups.push(() => health.stop());
    return health;
  }

  async function serve(listener: RequestListener): Promise<{ server: Server; port: number }> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { server, port: (server.address() as AddressInfo).port };
  }

  it('asks kube-proxy: 200 is healthy, 503 is not, and it tells when that changes', async () => {
    let status = 200;
    const paths = new Set<string>();
    const { port } = await serve((request, response) => {
      paths.add(request.url!);
      response.writeHead(status).end('{"lastUpdated":""}');
    });
    const health = watch({ ...quick, port });
    health.setNodes([n1]);
    health.start();
    await health.firstRound();
    expect(health.healthy('n1')).to.equal(true);

    status = 503;
    const [down] = await once(health, 'change');
    expect(down).to.deep.equal({ node: 'n1', healthy: false, reason: `http://127.0.0.1:${port}/healthz answers 503` });
    expect(health.healthy('n1')).to.equal(false);

    status = 200;
    const [up] = await once(health, 'change');
    expect(up).to.deep.equal({ node: 'n1', healthy: true, reason: '' });
    expect([...paths]).to.deep.equal(['/healthz']);
  });

  it('finds a node unhealthy where nothing listens', async () => {
    const { server, port } = await serve(() => {});
    server.close();
    const health = watch({ ...quick, port });
    health.setNodes([n1]);
    health.start();
    const [change] = await once(health, 'change');
    expect(change.healthy).to.equal(false);
    expect(change.reason).to.contain('ECONNREFUSED');
  });

  it('does not wait for an answer longer than the time-out', async () => {
    const { port } = await serve(() => {}); // accepts and never answers
    const health = watch({ intervalMs: 20, timeoutMs: 30, port });
    health.setNodes([n1]);
    health.start();
    const [change] = await once(health, 'change');
    expect(change).to.deep.equal({ node: 'n1', healthy: false, reason: 'no answer within 30 ms' });
  });

  it('starts a probe every interval, however many are pending', async () => {
    let started = 0;
    await new Promise<void>((enough) => {
      const health = watch({
        ...quick,
        probe: () => {
          if (++started === 5) enough();
          return new Promise(() => {});
        },
      });
      health.setNodes([n1]);
      health.start();
    });
  });

  it('counts a node as healthy until a probe says otherwise, and unknown nodes always', () => {
    const health = watch({ ...quick, probe: () => new Promise(() => {}) });
    health.setNodes([n1]);
    health.start();
    expect(health.healthy('n1')).to.equal(true);
    expect(health.healthy('n2')).to.equal(true);
  });

  it('forgets a node that is gone: its late outcome says nothing about its successor', async () => {
    const answers: ((outcome: ProbeOutcome) => void)[] = [];
    const health = watch({
      intervalMs: 60_000,
      probe: () => new Promise((resolve) => answers.push(resolve)),
    });
    health.setNodes([n1]);
    health.start();
    health.setNodes([{ name: 'n1', address: '127.0.0.2' }]);
    expect(answers).to.have.length(2);
    answers[0]!({ ok: false, reason: 'refused' });
    answers[1]!({ ok: true });
    await health.firstRound();
    expect(health.healthy('n1')).to.equal(true);
  });

  it('ends the first round also when the node that it waits for is no longer watched', async () => {
    const health = watch({ ...quick, probe: () => new Promise(() => {}) });
    health.setNodes([n1]);
    const round = health.firstRound();
    health.setNodes([]);
    await round;
  });
});
