import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { CONFIG_MAPS, configMap, TestApi } from './api.spec.helpers.js';

describe('faults on order', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await TestApi.start();
  });
  afterEach(() => api.stop());

  it('refuse the next request that matches, and no other', async () => {
    api.server.faults.next(503, { match: { verb: 'list', resource: 'configmaps' }, retryAfterSeconds: 2 });
    expect((await api.get('/api/v1/nodes')).status).to.equal(200);
    const refused = await api.get(CONFIG_MAPS);
    expect([refused.status, refused.body.reason, refused.headers['retry-after']]).to.deep.equal([
      503,
      'ServiceUnavailable',
      '2',
    ]);
    expect((await api.get(CONFIG_MAPS)).status).to.equal(200);
  });

  it('come in the order in which they were given, as often as they were given', async () => {
    api.server.faults.next(429, { count: 2 });
    api.server.faults.next(500);
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await api.get(CONFIG_MAPS)).status);
    expect(statuses).to.deep.equal([429, 429, 500, 200]);
  });

  it('break connections before or after the work is done', async () => {
    const failure = async (action: Promise<unknown>): Promise<string> =>
      action.then(
        () => 'none',
        (error) => error.code,
      );
    api.server.faults.reset();
    expect(await failure(api.create(CONFIG_MAPS, configMap('never')))).to.equal('ECONNRESET');
    api.server.faults.loseAnswer();
    expect(await failure(api.create(CONFIG_MAPS, configMap('done')))).to.equal('ECONNRESET');
    const { body } = await api.get(CONFIG_MAPS);
    expect(body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).to.deep.equal(['done']);
  });

  it('hold requests back until they are released', async () => {
    api.server.faults.hold();
    const arrived = once(api.server, 'request');
    let answered = false;
    const held = api.get(CONFIG_MAPS).then(() => {
      answered = true;
    });
    await arrived;
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).to.equal(false);
    api.server.faults.release();
    await held;
  });

  it('can be called off', async () => {
    api.server.faults.next(500, { count: Number.POSITIVE_INFINITY });
    expect((await api.get(CONFIG_MAPS)).status).to.equal(500);
    expect((await api.get(CONFIG_MAPS)).status).to.equal(500);
    api.server.faults.clear();
    expect((await api.get(CONFIG_MAPS)).status).to.equal(200);
  });
});

describe('the server', () => {
  it('counts requests by verb and resource', async () => {
    const api = await TestApi.start();
    await api.get(CONFIG_MAPS);
    await api.create(CONFIG_MAPS, configMap('a'));
    await api.get(`${CONFIG_MAPS}/a`);
    await api.get(`${CONFIG_MAPS}/a`);
    (await api.watch(`${CONFIG_MAPS}?watch=1`)).close();
    expect(Object.fromEntries(api.server.counts)).to.deep.equal({
      'list configmaps': 1,
      'create configmaps': 1,
      'get configmaps': 2,
      'watch configmaps': 1,
    });
    await api.stop();
  });

  it('tells as a metric who asked for what, and how often', async () => {
    const api = await TestApi.start();
    for (let n = 0; n < 2; n++) await api.get(CONFIG_MAPS, { 'user-agent': 'fairlead-speaker/1.0 "x"' });
    const { body } = await api.get('/metrics');
    expect((body.text as string).split('\n')).to.include(
      'apiserver_request_total{client="fairlead-speaker",resource="configmaps",verb="list"} 2',
    );
    await api.stop();
  });

  it('is healthy, and tells its version', async () => {
    const api = await TestApi.start();
    for (const path of ['/healthz', '/livez', '/readyz']) expect((await api.get(path)).body.text).to.equal('ok');
    expect((await api.get('/version')).body).to.deep.include({ major: '1', minor: '35' });
    await api.stop();
  });

  it('seeds objects with their status, and all that the server adds', async () => {
    const api = await TestApi.start();
    const [service] = api.server.seed({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a' },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
      status: { loadBalancer: { ingress: [{ ip: '10.0.0.1', ipMode: 'Proxy' }] } },
    });
    expect(service?.spec.ports[0].nodePort).to.be.a('number');
    expect(service?.status.loadBalancer.ingress).to.deep.equal([{ ip: '10.0.0.1', ipMode: 'Proxy' }]);
    await api.stop();
  });

  it('ends every stream and connection when it closes', async () => {
    const api = await TestApi.start();
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1`);
    const ended = watch.rest();
    await api.stop();
    await ended;
  });
});

describe('the server as a process', function () {
  this.timeout(30_000);
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  let folder: string;
  let child: ChildProcess;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairlead-apiserver-'));
  });
  afterEach(async () => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  const start = (...args: string[]): ChildProcess => {
    child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    return child;
  };

  it('says when it listens, answers on TCP and on its socket, and ends at SIGTERM', async () => {
    const socketPath = join(folder, 'api.sock');
    start('--listen', '127.0.0.1:0', '--socket', socketPath);
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    const ready = JSON.parse(line);
    expect(ready).to.deep.include({ ready: true, pid: child.pid });
    const statusOf = (options: object): Promise<number> =>
      new Promise((resolve, reject) => {
        request({ path: '/readyz', agent: false, ...options }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        })
          .on('error', reject)
          .end();
      });
    const { hostname, port } = new URL(ready.addresses[0]);
    expect(await statusOf({ hostname, port })).to.equal(200);
    expect(await statusOf({ socketPath })).to.equal(200);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).to.deep.equal([0, null]);
  });

  it('says what is wrong when it cannot start', async () => {
    start();
    let said = '';
    child.stderr!.on('data', (chunk) => {
      said += chunk;
    });
    expect((await once(child, 'close'))[0]).to.equal(2);
    expect(said).to.include('give --listen or --socket');
  });
});
