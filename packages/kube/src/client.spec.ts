import { getEventListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { KubeClient } from './client.js';
import { isKubeError, type KubeError, type KubeErrorCode } from './error.js';
import { FakeServer, service } from './fake-server.spec.helpers.js';
import type { KubeObject } from './objects.js';
import { addressPools, leases, nodes, services } from './resources.js';

describe('KubeClient', () => {
  let server: FakeServer;
  let client: KubeClient;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = new KubeClient({ server: server.url });
  });

  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  describe('requests', () => {
    it('gets a namespaced object with credentials and user agent', async () => {
      await client.close();
      client = new KubeClient({ server: server.url, token: async () => 'secret', userAgent: 'spec/1' });
      const got = client.get(services, { namespace: 'default', name: 'web' });
      const request = await server.next();
      expect(request.method).to.equal('GET');
      expect(request.url.pathname).to.equal('/api/v1/namespaces/default/services/web');
      expect(request.request.headers).to.include({ authorization: 'Bearer secret', 'user-agent': 'spec/1' });
      request.reply(200, service('web', '7'));
      expect((await got).metadata?.resourceVersion).to.equal('7');
    });

    it('asks for the token on every request, so that a rotated one is used', async () => {
      await client.close();
      let token = 'old';
      client = new KubeClient({ server: server.url, token: () => token });
      for (const expected of ['old', 'new']) {
        token = expected;
        const got = client.get(nodes, { name: 'n1' });
        const request = await server.next();
        expect(request.request.headers.authorization).to.equal(`Bearer ${expected}`);
        request.reply(200, {});
        await got;
      }
    });

    it('leaves nothing on a signal that outlives many requests, however they ended', async () => {
      const long = new AbortController();
      const { signal } = long;
      for (let n = 0; n < 30; n++) {
        const got = client.get(nodes, { name: 'n1' }, { signal, timeoutMs: n % 3 === 2 ? 5 : 10_000 }).catch(() => {});
        const request = await server.next();
        if (n % 3 < 2) request.reply(n % 3 === 0 ? 200 : 404, {});
        await got;
      }
      const events = client.watch(nodes, { signal })[Symbol.asyncIterator]();
      const first = events.next();
      const watch = await server.next();
      expect(getEventListeners(signal, 'abort').length).to.equal(1);
      watch.reply(500, {});
      await first.catch(() => {});
      expect(getEventListeners(signal, 'abort').length).to.equal(0);
    });

    it('puts the path of the server URL before every request', async () => {
      await client.close();
      client = new KubeClient({ server: `${server.url}/k8s/clusters/c-1/` });
      const got = client.get(nodes, { name: 'n1' });
      const request = await server.next();
      expect(request.url.pathname).to.equal('/k8s/clusters/c-1/api/v1/nodes/n1');
      request.reply(200, {});
      await got;
    });

    it('sends each verb with its method, path, query and body', async () => {
      const lease = { metadata: { namespace: 'ns', name: 'l', resourceVersion: '5' } };
      const pool = { metadata: { name: 'p' } };
      const cases: [() => Promise<unknown>, string, string, unknown][] = [
        [() => client.create(leases, lease), 'POST', '/apis/coordination.k8s.io/v1/namespaces/ns/leases', lease],
        [() => client.update(leases, lease), 'PUT', '/apis/coordination.k8s.io/v1/namespaces/ns/leases/l', lease],
        [
          () => client.updateStatus(addressPools, pool, { dryRun: true }),
          'PUT',
          '/apis/fairlead.dev/v1alpha1/addresspools/p/status?dryRun=All',
          pool,
        ],
        [
          () => client.patch(addressPools, { name: 'p' }, pool, { type: 'apply', fieldManager: 'me', force: true }),
          'PATCH',
          '/apis/fairlead.dev/v1alpha1/addresspools/p?fieldManager=me&force=true',
          pool,
        ],
        [
          () => client.delete(leases, { namespace: 'ns', name: 'l' }, { preconditions: { uid: 'u' } }),
          'DELETE',
          '/apis/coordination.k8s.io/v1/namespaces/ns/leases/l',
          { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: 'u' } },
        ],
      ];
      for (const [call, method, target, body] of cases) {
        const done = call();
        const request = await server.next();
        expect([request.method, request.request.url]).to.deep.equal([method, target]);
        expect(JSON.parse(request.body)).to.deep.equal(body);
        request.reply(200, {});
        await done;
      }
    });

    it('names the type of a patch in its content type', async () => {
      const types = {
        merge: 'application/merge-patch+json',
        json: 'application/json-patch+json',
        strategic: 'application/strategic-merge-patch+json',
        apply: 'application/apply-patch+yaml',
      } as const;
      for (const [type, contentType] of Object.entries(types)) {
        const key = { namespace: 'default', name: 'web' };
        const done = client.patch(services, key, {}, { type: type as keyof typeof types, subresource: 'status' });
        const request = await server.next();
        expect(request.url.pathname).to.equal('/api/v1/namespaces/default/services/web/status');
        expect(request.request.headers['content-type']).to.equal(contentType);
        request.reply(200, {});
        await done;
      }
    });

    it('refuses to address a namespaced object without its namespace', () => {
      expect(() => client.get(services, { name: 'web' })).to.throw(TypeError, /"web" needs a namespace/);
    });

    it('keeps connections alive', async () => {
      for (let i = 0; i < 20; i++) {
        const got = client.get(nodes, { name: 'n1' });
        (await server.next()).reply(200, {});
        await got;
      }
      // undici lets a connection rest for one turn of the event loop, so two take turns.
      expect(server.connections).to.be.at.most(2);
    });

    it('uses no more connections than allowed, and serves those who wait in order', async () => {
      await client.close();
      client = new KubeClient({ server: server.url, maxConnections: 2 });
      const names = ['a', 'b', 'c', 'd', 'e'];
      const all = Promise.all(names.map((name) => client.get(nodes, { name })));
      const first = [await server.next(), await server.next()];
      expect(server.requests.length).to.equal(2);
      for (const request of first) request.reply(200, {});
      for (let i = 0; i < 3; i++) (await server.next()).reply(200, {});
      await all;
      const order = server.requests.map((request) => request.url.pathname.split('/').pop());
      expect(order.slice(2)).to.deep.equal(['c', 'd', 'e']);
      expect(server.connections).to.equal(2);
    });

    it('talks over a unix socket', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'fl-kube-'));
      const socketPath = join(directory, 'api.sock');
      const unix = await FakeServer.start(socketPath);
      const overUnix = new KubeClient({ server: 'http://localhost', socketPath });
      try {
        const got = overUnix.get(nodes, { name: 'n1' });
        (await unix.next()).reply(200, { metadata: { name: 'n1' } });
        expect((await got).metadata?.name).to.equal('n1');
      } finally {
        await overUnix.close();
        await unix.stop();
        await rm(directory, { recursive: true });
      }
    });
  });

  describe('lists', () => {
    it('fetches all pages and gives every item its kind', async () => {
      const listed = client.list(services, { labelSelector: 'a=b', limit: 2 });
      const first = await server.next();
      expect(first.query).to.deep.equal({ labelSelector: 'a=b', limit: '2' });
      first.list([service('a', '1'), service('b', '2')], '100', 'token');
      const second = await server.next();
      expect(second.query).to.deep.equal({ labelSelector: 'a=b', limit: '2', continue: 'token' });
      second.list([service('c', '3')], '100');
      const { items, resourceVersion } = await listed;
      expect(resourceVersion).to.equal('100');
      expect(items.map((item) => item.metadata?.name)).to.deep.equal(['a', 'b', 'c']);
      expect(items[0]).to.include({ apiVersion: 'v1', kind: 'Service' });
    });

    it('transforms the objects of every page, those of one while the next is under way', async () => {
      const seen: string[] = [];
      const transform = (object: KubeObject): KubeObject => {
        seen.push(object.metadata!.name!);
        return { ...object, kind: 'Transformed' };
      };
      const done = client.list<KubeObject>(services, { limit: 1, transform });
      (await server.next()).list([service('a', '1')], '100', 'more');
      const second = await server.next();
      while (seen.length === 0) await new Promise(setImmediate);
      second.list([service('b', '2')], '100');
      const { items } = await done;
      expect(items.map(({ kind, metadata }) => `${kind} ${metadata?.name}`)).to.deep.equal([
        'Transformed a',
        'Transformed b',
      ]);
      expect(seen).to.deep.equal(['a', 'b']);
    });

    it('starts over without pages when the next page has expired', async () => {
      const listed = client.list(services, { limit: 1 });
      (await server.next()).list([service('a', '1')], '100', 'token');
      (await server.next()).refuse(410, 'Expired');
      const whole = await server.next();
      expect(whole.query).to.deep.equal({});
      whole.list([service('b', '2')], '120');
      const { items, resourceVersion } = await listed;
      expect(items.map((item) => item.metadata?.name)).to.deep.equal(['b']);
      expect(resourceVersion).to.equal('120');
    });
  });

  describe('errors', () => {
    const cases: [number, string, KubeErrorCode][] = [
      [401, 'Unauthorized', 'FL_KUBE_UNAUTHORIZED'],
      [403, 'Forbidden', 'FL_KUBE_FORBIDDEN'],
      [404, 'NotFound', 'FL_KUBE_NOT_FOUND'],
      [409, 'Conflict', 'FL_KUBE_CONFLICT'],
      [409, 'AlreadyExists', 'FL_KUBE_ALREADY_EXISTS'],
      [410, 'Expired', 'FL_KUBE_GONE'],
      [422, 'Invalid', 'FL_KUBE_INVALID'],
      [429, 'TooManyRequests', 'FL_KUBE_TOO_MANY_REQUESTS'],
      [500, 'InternalError', 'FL_KUBE_SERVER'],
      [400, 'BadRequest', 'FL_KUBE_REQUEST'],
    ];
    for (const [status, reason, code] of cases) {
      it(`${status} ${reason} is ${code}`, async () => {
        const failed = failure(client.get(nodes, { name: 'n1' }));
        (await server.next()).refuse(status, reason);
        const error = await failed;
        expect(error).to.include({ code, status, reason });
        expect(error.message).to.match(/^GET \/api\/v1\/nodes\/n1: fake/);
      });
    }

    it('shows what a proxy said that does not speak Kubernetes', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }));
      (await server.next()).reply(502, '<h1>Bad gateway</h1>', { 'content-type': 'text/html' });
      expect((await failed).message)
        .to.contain('<h1>Bad gateway</h1>')
        .and.contain('502');
    });

    it('an answer that is not JSON is FL_KUBE_BAD_REPLY', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }));
      (await server.next()).reply(200, 'hello');
      expect(await failed).to.include({ code: 'FL_KUBE_BAD_REPLY', status: 200 });
    });

    it('a connection that is reset is FL_KUBE_NETWORK, and the next request works', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }));
      (await server.next()).socket.destroy();
      expect(await failed).to.include({ code: 'FL_KUBE_NETWORK', status: 0 });
      const got = client.get(nodes, { name: 'n1' });
      (await server.next()).reply(200, { metadata: { name: 'n1' } });
      expect((await got).metadata?.name).to.equal('n1');
    });

    it('a connection that is refused is FL_KUBE_NETWORK and says where', async () => {
      const { url } = server;
      await server.stop();
      const error = await failure(client.get(nodes, { name: 'n1' }));
      expect(error).to.include({ code: 'FL_KUBE_NETWORK', reason: 'ECONNREFUSED' });
      expect(error.message).to.contain(new URL(url).host);
      server = await FakeServer.start();
    });

    it('an answer cut short is FL_KUBE_NETWORK', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }));
      const request = await server.next();
      request.response.writeHead(200, { 'content-length': '1000' });
      request.response.write('{"metadata"', () => request.socket.destroy());
      expect(await failed).to.include({ code: 'FL_KUBE_NETWORK' });
    });
  });

  describe('deadlines and aborts', () => {
    it('no answer in time is FL_KUBE_TIMEOUT', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }, { timeoutMs: 20 }));
      expect(await failed).to.include({ code: 'FL_KUBE_TIMEOUT', status: 0 });
    });

    it('an answer that begins and does not end is FL_KUBE_TIMEOUT', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }, { timeoutMs: 300 }));
      const request = await server.next();
      request.response.writeHead(200);
      request.response.write('{');
      expect(await failed).to.include({ code: 'FL_KUBE_TIMEOUT' });
      await request.closed;
    });

    it('after an unanswered request no connection is used again that was idle meanwhile', async () => {
      const both = [client.get(nodes, { name: 'a' }), client.get(nodes, { name: 'b' })];
      (await server.next()).reply(200, {});
      (await server.next()).reply(200, {});
      await Promise.all(both);
      const old = new Set(server.requests.map((request) => request.socket));
      const silent = failure(client.get(nodes, { name: 'silent' }, { timeoutMs: 500 }));
      await server.next();
      expect((await silent).code).to.equal('FL_KUBE_TIMEOUT');
      const got = client.get(nodes, { name: 'c' });
      const request = await server.next();
      request.reply(200, {});
      await got;
      expect(old.has(request.socket)).to.equal(false);
    });

    it('aborts a request that runs, and one that waits for a connection', async () => {
      await client.close();
      client = new KubeClient({ server: server.url, maxConnections: 1 });
      const abort = new AbortController();
      const running = failure(client.get(nodes, { name: 'a' }, { signal: abort.signal }));
      const waiting = failure(client.get(nodes, { name: 'b' }, { signal: abort.signal }));
      const request = await server.next();
      abort.abort(new Error('enough'));
      for (const error of [await running, await waiting]) {
        expect(error.code).to.equal('FL_KUBE_ABORTED');
        expect(error.cause).to.have.property('message', 'enough');
      }
      await request.closed;
      expect(server.requests.length).to.equal(1);
    });

    it('sends nothing when aborted before', async () => {
      const error = await failure(client.get(nodes, { name: 'a' }, { signal: AbortSignal.abort() }));
      expect(error.code).to.equal('FL_KUBE_ABORTED');
      expect(server.requests.length).to.equal(0);
    });

    it('close() fails what runs and what comes later', async () => {
      const running = failure(client.get(nodes, { name: 'a' }));
      await server.next();
      await client.close();
      expect((await running).code).to.equal('FL_KUBE_CLOSED');
      expect((await failure(client.get(nodes, { name: 'a' }))).code).to.equal('FL_KUBE_CLOSED');
    });
  });

  describe('Retry-After', () => {
    it('is waited out, and the request sent again', async () => {
      const got = client.get(nodes, { name: 'n1' });
      (await server.next()).refuse(429, 'TooManyRequests', { 'retry-after': '0' });
      (await server.next()).refuse(503, 'ServiceUnavailable', { 'retry-after': '0' });
      (await server.next()).reply(200, { metadata: { name: 'n1' } });
      expect((await got).metadata?.name).to.equal('n1');
    });

    it('beyond the deadline is reported at once', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }, { timeoutMs: 5_000 }));
      (await server.next()).refuse(429, 'TooManyRequests', { 'retry-after': '7' });
      expect(await failed).to.include({ code: 'FL_KUBE_TOO_MANY_REQUESTS', retryAfterMs: 7_000 });
    });

    it('is not invented: a 500 without it is not sent again', async () => {
      const failed = failure(client.update(nodes, { metadata: { name: 'n1' } }));
      (await server.next()).refuse(500, 'InternalError');
      expect((await failed).code).to.equal('FL_KUBE_SERVER');
      expect(server.requests.length).to.equal(1);
    });

    it('ends at a number of attempts', async () => {
      const failed = failure(client.get(nodes, { name: 'n1' }));
      for (let i = 0; i < 5; i++) (await server.next()).refuse(429, 'TooManyRequests', { 'retry-after': '0' });
      expect((await failed).status).to.equal(429);
    });
  });
});

/** The KubeError with which it fails. */
async function failure(promise: Promise<unknown>): Promise<KubeError> {
  try {
    await promise;
  } catch (error) {
    if (isKubeError(error)) return error;
    throw error;
  }
  throw new Error('succeeded, but a failure was expected');
}
