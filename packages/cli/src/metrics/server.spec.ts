import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { pino } from 'pino';
import { type MetricsServer, type MetricsServerOptions, serveMetrics } from './server.js';

describe('the metrics server', () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  /** A server, and what it logs. */
  function serve(options: Partial<MetricsServerOptions> = {}) {
    const stream = new PassThrough({ encoding: 'utf8' });
    const lines = logLines(stream);
    const server: MetricsServer = serveMetrics({
      address: { host: '127.0.0.1', port: 0 },
      log: pino({ level: 'debug' }, stream),
      documents: { '/metrics': async () => 'up 1\n' },
      notReady: () => undefined,
      ...options,
    });
    cleanups.push(() => server.close());
    return { server, lines };
  }

  async function* logLines(stream: PassThrough): AsyncGenerator<{ msg: string; code?: string; port?: number }> {
    for await (const chunk of stream) {
      for (const line of (chunk as string).trim().split('\n')) yield JSON.parse(line);
    }
  }

  async function get(port: number, path: string) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  }

  it('serves metrics in the format that Prometheus reads', async () => {
    const { lines } = serve();
    const { port } = (await lines.next()).value!;
    expect(await get(port!, '/metrics?x=1')).to.deep.equal({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      text: 'up 1\n',
    });
  });

  it('is healthy while it answers, and ready when the daemon says so', async () => {
    let why: string | undefined = 'starting';
    const { lines } = serve({ notReady: () => why });
    const { port } = (await lines.next()).value!;
    expect((await get(port!, '/healthz')).status).to.equal(200);
    expect(await get(port!, '/readyz')).to.include({ status: 503, text: 'starting\n' });
    why = undefined;
    expect((await get(port!, '/readyz')).status).to.equal(200);
  });

  it('says what there is where it has nothing, and 500 when a document cannot be made', async () => {
    const { lines } = serve({ documents: { '/metrics': async () => Promise.reject(new Error('no kernel')) } });
    const { port } = (await lines.next()).value!;
    const nothing = await get(port!, '/constructor');
    expect(nothing.status).to.equal(404);
    expect(nothing.text).to.contain('/healthz, /readyz, /metrics');
    expect((await get(port!, '/metrics')).status).to.equal(500);
    expect((await lines.next()).value!.msg).to.contain('no kernel');
  });

  it('says once that its port is taken, and serves as soon as it is free', async () => {
    const other: Server = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { server, lines } = serve({ address: { host: '127.0.0.1', port }, retryMs: 5 });
    const refused = (await lines.next()).value!;
    expect(refused.code).to.equal('EADDRINUSE');
    expect(refused.msg)
      .to.contain(`127.0.0.1:${port}`)
      .and.contain('--metrics-address')
      .and.contain('everything else goes on');
    expect(server.port).to.equal(undefined);
    await new Promise((resolve) => other.close(resolve));
    expect((await lines.next()).value).to.include({ port, msg: 'serving metrics' });
    expect((await get(port, '/metrics')).status).to.equal(200);
  });
});
