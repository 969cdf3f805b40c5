import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { KubeClient } from '../client.js';
import { FakeServer, service } from '../fake-server.spec.helpers.js';
import type { StreamSink } from '../http/exchange.js';
import type { Transport } from '../http/transport.js';
import type { KubeObject, WatchEvent } from '../objects.js';
import { services } from '../resources.js';
import { watchStream } from './watch-stream.js';

describe('KubeClient.watch', () => {
  let server: FakeServer;
  let client: KubeClient;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = new KubeClient({ server: server.url, maxConnections: 1 });
  });

  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  async function collect(watch: AsyncIterable<WatchEvent<KubeObject>>): Promise<string[]> {
    const seen: string[] = [];
    for await (const { type, object } of watch) seen.push(`${type} ${object.metadata?.name}`);
    return seen;
  }

  it('yields every event and ends with the answer', async () => {
    const collected = collect(client.watch(services, { resourceVersion: '5' }));
    const request = (await server.next()).open();
    for (const type of ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']) request.send(type, service('a', '6'));
    request.end();
    expect(await collected).to.deep.equal(['ADDED a', 'MODIFIED a', 'DELETED a', 'BOOKMARK a']);
  });

  it('tells of changes to versions that its reader knows how far it has come, and no more', async () => {
    const quoted = '"resourceVersion":"7"';
    const known: string[] = [];
    const events: WatchEvent<KubeObject>[] = [];
    const collected = (async () => {
      const isKnown = (version: string) => known.push(version) > 0 && version !== '8';
      for await (const event of client.watch(services, { isKnown })) events.push(event);
    })();
    const request = (await server.next()).open();
    request.send('ADDED', service('a', '7')).send('DELETED', service('a', '7')).send('BOOKMARK', service('a', '7'));
    request.send('MODIFIED', { ...service('a', '8'), data: { quoted, metadata: { resourceVersion: '7' } } });
    request.send('MODIFIED', { data: { quoted } });
    request.send('MODIFIED', service('a', '6')).send('MODIFIED', service('a', '7')).end();
    await collected;
    expect(events.map(({ type, object }) => `${type} ${object.metadata?.name}`)).to.deep.equal([
      'ADDED a',
      'DELETED a',
      'BOOKMARK a',
      'MODIFIED a',
      'MODIFIED undefined',
      'BOOKMARK undefined',
    ]);
    expect(events.at(-1)!.object).to.deep.equal({ metadata: { resourceVersion: '7' } });
    expect(known).to.deep.equal(['8', '6', '7']);
  });

  it('reads answers first that are on their way when an event comes: that of the next turn makes it known', async () => {
    let sink: StreamSink | undefined;
    const transport: Pick<Transport, 'stream'> = {
      stream: async (_, given) => {
        sink = given;
        return { ok: true, control: { pause: () => {}, resume: () => {} } };
      },
    };
    const known = new Set<string>();
    const watch = watchStream<KubeObject>({
      transport,
      what: 'a watch',
      request: async (signal) => ({ method: 'GET', path: '/', headers: {}, signal, timeoutMs: 1_000 }),
      isKnown: (version) => known.has(version),
    });
    const first = watch.next();
    while (!sink) await turn();
    await turn();
    sink.onData(Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object: service('a', '7') })}\n`));
    setImmediate(() => known.add('7'));
    expect((await first).value).to.deep.equal({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '7' } } });
    await watch.return();
  });

  it('keeps up with a server that is much faster than its consumer, losing nothing', async () => {
    const count = 5_000;
    let request: Awaited<ReturnType<typeof server.next>>;
    let got = 0;
    const done = (async () => {
      for await (const { object } of client.watch(services)) {
        expect(object.metadata?.resourceVersion).to.equal(String(got));
        got++;
        if (got % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    request = (await server.next()).open();
    for (let i = 0; i < count; i++) request.send('ADDED', service('x'.repeat(200), String(i)));
    request.end();
    await done;
    expect(got).to.equal(count);
  });

  it('is not ended by silence while its consumer is busy', async () => {
    const events = 1_000;
    const seen = (async () => {
      let got = 0;
      for await (const _ of client.watch(services, { idleTimeoutMs: 300 })) {
        if (++got === 300) await new Promise((resolve) => setTimeout(resolve, 900));
      }
      return got;
    })();
    const request = (await server.next()).open();
    for (let i = 0; i < events; i++) request.send('ADDED', service('x'.repeat(500), String(i)));
    request.end();
    expect(await seen).to.equal(events);
  });

  it('closes the connection when the loop is left', async () => {
    const request = server.next();
    for await (const _ of watchWithOneEvent()) break;
    await (await request).closed;

    async function* watchWithOneEvent() {
      const watch = client.watch(services);
      void request.then((opened) => opened.open().send('ADDED', service('a', '1')));
      yield* watch;
    }
  });

  it('does not take a connection from requests', async () => {
    const watches = [1, 2, 3].map(() => collect(client.watch(services)));
    const opened = [await server.next(), await server.next(), await server.next()];
    for (const request of opened) request.open();
    const got = client.get(services, { namespace: 'default', name: 'a' });
    (await server.next()).reply(200, service('a', '1'));
    expect((await got).metadata?.name).to.equal('a');
    for (const request of opened) request.end();
    await Promise.all(watches);
  });

  it('ends with FL_KUBE_ABORTED when the signal fires, also before there is an answer', async () => {
    for (const answered of [true, false]) {
      const abort = new AbortController();
      const collected = collect(client.watch(services, { signal: abort.signal })).catch((error) => error.code);
      const request = await server.next();
      if (answered) request.open().send('ADDED', service('a', '1'));
      abort.abort();
      expect(await collected).to.equal('FL_KUBE_ABORTED');
      await request.closed;
    }
  });

  it('a server that does not begin to answer is given up', async () => {
    const collected = collect(client.watch(services, { timeoutMs: 30 })).catch((error) => error.code);
    expect(await collected).to.equal('FL_KUBE_TIMEOUT');
  });

  it('gives what was sent before the end, and then the error', async () => {
    const seen: string[] = [];
    const failed = (async () => {
      for await (const { type } of client.watch(services)) seen.push(type);
    })().catch((error) => error);
    const request = (await server.next()).open().send('ADDED', service('a', '1'));
    request.send('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
    const error = await failed;
    expect(error).to.include({ code: 'FL_KUBE_GONE', status: 410 });
    expect(seen).to.deep.equal(['ADDED']);
  });
});
