import { once } from 'node:events';
import { expect } from 'chai';
import { KubeClient } from '../client.js';
import { isKubeError } from '../error.js';
import { type FakeRequest, FakeServer, service } from '../fake-server.spec.helpers.js';
import { type KubeObject, keyOf } from '../objects.js';
import { services } from '../resources.js';
import { Informer, type InformerOptions } from './informer.js';

describe('Informer', () => {
  let server: FakeServer;
  let client: KubeClient;
  let informer: Informer<KubeObject>;
  let seen: string[];
  let errors: Error[];
  let onSeen: (() => void) | undefined;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = new KubeClient({ server: server.url });
  });

  afterEach(async () => {
    await informer.stop();
    await client.close();
    await server.stop();
  });

  function start(options: Partial<InformerOptions<KubeObject>> = {}): void {
    seen = [];
    errors = [];
    const note = (text: string) => {
      seen.push(text);
      onSeen?.();
    };
    informer = new Informer({ client, resource: services, backoff: { baseMs: 2, maxMs: 8 }, ...options });
    informer.on('add', (object) => note(`add ${describeObject(object)}`));
    informer.on('update', (object, old) => note(`update ${describeObject(old)} ${describeObject(object)}`));
    informer.on('delete', (object) => note(`delete ${describeObject(object)}`));
    informer.on('error', (error) => errors.push(error));
    informer.start();
  }

  /** Waits until that many changes were reported. */
  async function changes(count: number): Promise<string[]> {
    while (seen.length < count) {
      await new Promise<void>((resolve) => {
        onSeen = resolve;
      });
    }
    return seen;
  }

  async function listThenWatch(items: unknown[] = [service('a', '1')]): Promise<FakeRequest> {
    (await server.next()).list(items);
    return (await server.next()).open();
  }

  describe('following', () => {
    it('lists, then watches from the resourceVersion of the list', async () => {
      start({ namespace: 'default', labelSelector: 'x=y', watchSeconds: 60, random: () => 0.5 });
      const list = await server.next();
      expect(list.url.pathname).to.equal('/api/v1/namespaces/default/services');
      expect(list.query).to.deep.equal({ labelSelector: 'x=y', limit: '500' });
      list.list([service('a', '1')], '100');
      const watch = await server.next();
      expect(watch.query).to.deep.equal({
        watch: 'true',
        labelSelector: 'x=y',
        resourceVersion: '100',
        allowWatchBookmarks: 'true',
        timeoutSeconds: '90',
      });
    });

    it('keeps the copy up to date and reports every change', async () => {
      start();
      const watch = await listThenWatch();
      watch
        .send('ADDED', service('b', '101'))
        .send('MODIFIED', service('a', '102'))
        .send('DELETED', service('b', '103'));
      expect(await changes(4)).to.deep.equal(['add a@1', 'add b@101', 'update a@1 a@102', 'delete b@103']);
      expect(informer.list().map(describeObject)).to.deep.equal(['a@102']);
      expect(informer.get('default/a')?.metadata?.resourceVersion).to.equal('102');
      expect(informer.get('default/b')).to.equal(undefined);
    });

    it('is synced when the first list, with all its pages, was reported', async () => {
      start({ pageSize: 1 });
      (await server.next()).list([service('a', '1')], '100', 'more');
      const second = await server.next();
      expect(informer.hasSynced).to.equal(false);
      expect(informer.size).to.equal(0);
      second.list([service('b', '2')], '100');
      await informer.synced;
      expect(informer.hasSynced).to.equal(true);
      expect(seen).to.deep.equal(['add a@1', 'add b@2']);
    });

    it('gives listeners the complete list when they hear of its first object', async () => {
      const sizes: number[] = [];
      start();
      informer.on('add', () => sizes.push(informer.size));
      (await server.next()).list([service('a', '1'), service('b', '2')]);
      await informer.synced;
      expect(sizes).to.deep.equal([2, 2]);
    });

    it('reports what the first list changes in a copy that it was given', async () => {
      const initial = [service('same', '1'), service('old', '2'), service('gone', '3')] as KubeObject[];
      start({ initial });
      expect(informer.list()).to.have.length(3);
      expect(informer.hasSynced).to.equal(false);
      await listThenWatch([service('same', '1'), service('old', '5'), service('new', '6')]);
      await informer.synced;
      expect(seen.map((text) => text.split(' ')[0]).sort()).to.deep.equal(['add', 'delete', 'update']);
      expect(
        informer
          .list()
          .map(({ metadata }) => metadata?.name)
          .sort(),
      ).to.deep.equal(['new', 'old', 'same']);
    });

    it('drops managedFields unless told otherwise', async () => {
      start();
      (await listThenWatch()).send('ADDED', service('b', '101'));
      await changes(2);
      for (const object of informer.list()) expect(object.metadata).not.to.have.property('managedFields');
    });

    it('keeps what the transform makes of an object', async () => {
      start({
        transform: (object) => ({
          metadata: { ...object.metadata, managedFields: undefined, labels: { kept: 'yes' } },
        }),
      });
      (await listThenWatch()).send('ADDED', service('b', '101'));
      await changes(2);
      for (const object of informer.list()) expect(object.metadata?.labels).to.deep.equal({ kept: 'yes' });
    });

    it('understands events in whatever chunks they come', async () => {
      start();
      const watch = await listThenWatch();
      const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: service('ü', '101') })}\n`);
      for (const byte of bytes) {
        watch.response.write(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
      expect(await changes(2)).to.include('add ü@101');
    });

    it('survives listeners that throw or reject, and tells the others', async () => {
      start();
      informer.on('add', () => {
        throw new Error('thrown');
      });
      informer.on('add', async () => {
        throw new Error('rejected');
      });
      const last: string[] = [];
      informer.on('add', (object) => last.push(keyOf(object)));
      (await listThenWatch()).send('ADDED', service('b', '101'));
      await changes(2);
      expect(last).to.deep.equal(['default/a', 'default/b']);
      await new Promise(setImmediate);
      expect(errors.map((error) => error.message)).to.have.members(['thrown', 'rejected', 'thrown', 'rejected']);
    });
  });

  describe('given an answer to a write of ours', () => {
    const answer = (version: string) => service('a', version) as KubeObject;

    it('shows it at once, reports nothing, and is told nothing new by its echo', async () => {
      start();
      const watch = await listThenWatch();
      await informer.synced;
      informer.take(answer('101'));
      expect(informer.list().map(describeObject)).to.deep.equal(['a@101']);
      watch.send('MODIFIED', service('a', '101')).send('MODIFIED', service('a', '102')).end();
      expect(await changes(2)).to.deep.equal(['add a@1', 'update a@101 a@102']);
      expect((await server.next()).query.resourceVersion).to.equal('102');
    });

    it('has come so far with the watch as its echo', async () => {
      start();
      const watch = await listThenWatch();
      await informer.synced;
      informer.take(answer('101'));
      watch.send('MODIFIED', service('a', '101')).end();
      expect((await server.next()).query.resourceVersion).to.equal('101');
      expect(seen).to.deep.equal(['add a@1']);
    });

    it('keeps of it what it keeps of every object', async () => {
      start({ transform: ({ metadata }) => ({ metadata: { ...metadata, labels: { kept: 'yes' } } }) });
      await listThenWatch();
      await informer.synced;
      informer.take(answer('101'));
      expect(informer.get('default/a')?.metadata?.labels).to.deep.equal({ kept: 'yes' });
    });

    it('does not bring back what is gone', async () => {
      start();
      (await listThenWatch()).send('DELETED', service('a', '101'));
      await changes(2);
      informer.take(answer('100'));
      expect(informer.list()).to.deep.equal([]);
    });

    it('follows a later list without it', async () => {
      start();
      const watch = await listThenWatch();
      await informer.synced;
      informer.take(answer('101'));
      watch.send('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }).end();
      const again = await listThenWatch([service('a', '90')]);
      again.send('MODIFIED', service('a', '101'));
      expect(await changes(3)).to.deep.equal(['add a@1', 'update a@101 a@90', 'update a@90 a@101']);
    });
  });

  describe('a watch that ends', () => {
    it('is continued from the last event', async () => {
      start();
      const watch = await listThenWatch();
      watch.send('ADDED', service('b', '101')).end();
      const next = await server.next();
      expect(next.query.resourceVersion).to.equal('101');
      expect(errors).to.deep.equal([]);
      expect(informer.counters.lists).to.equal(1);
    });

    it('is continued from the last bookmark', async () => {
      start();
      const watch = await listThenWatch();
      watch.send('BOOKMARK', { kind: 'Service', metadata: { resourceVersion: '500' } }).end();
      expect((await server.next()).query.resourceVersion).to.equal('500');
      expect(seen).to.deep.equal(['add a@1']);
    });

    it('at once, again and again, is met with growing waits', async () => {
      const waits: number[] = [];
      start({ backoff: { baseMs: 4, maxMs: 64 } });
      (await server.next()).list([]);
      let last = performance.now();
      for (let i = 0; i < 5; i++) {
        (await server.next()).open().end();
        waits.push(performance.now() - last);
        last = performance.now();
      }
      // Each wait is at least half of 4, 8, 16, 32 ms (the first watch follows the list without one).
      for (const [i, least] of [2, 4, 8, 16].entries()) expect(waits[i + 1]).to.be.at.least(least - 1);
    });

    it('by a reset connection or a cut event is reported and continued', async () => {
      start();
      (await listThenWatch()).socket.destroy();
      const second = (await server.next()).open();
      expect(second.query.resourceVersion).to.equal('100');
      expect(errors.map((error) => isKubeError(error) && error.code)).to.deep.equal(['FL_KUBE_NETWORK']);
      second.response.end('{"type":"ADDED","obj');
      (await server.next()).open().send('ADDED', service('b', '101'));
      await changes(2);
      expect(errors.map((error) => isKubeError(error) && error.code)).to.include('FL_KUBE_BAD_REPLY');
      expect(informer.counters.lists).to.equal(1);
    });

    it('with garbage is reported and continued', async () => {
      start();
      (await listThenWatch()).response.write('not json\n');
      (await server.next()).open().send('ADDED', service('b', '101'));
      await changes(2);
      expect(errors).to.have.length(1);
      expect(informer.counters.lists).to.equal(1);
    });

    it('in silence (half-open connection) is noticed, and is no error', async () => {
      start({ idleTimeoutMs: 30 });
      const watch = await listThenWatch();
      await watch.closed;
      const next = await server.next();
      expect(next.query).to.include({ watch: 'true', resourceVersion: '100' });
      expect(errors).to.deep.equal([]);
    });
  });

  describe('errors of the server', () => {
    for (const [status, reason] of [
      [500, 'InternalError'],
      [429, 'TooManyRequests'],
      [403, 'Forbidden'],
      [401, 'Unauthorized'],
    ] as const) {
      it(`${status} to list and watch are reported and waited out`, async () => {
        start();
        (await server.next()).refuse(status, reason);
        (await server.next()).list([service('a', '1')]);
        (await server.next()).refuse(status, reason);
        const watch = await server.next();
        expect(watch.query.resourceVersion).to.equal('100');
        watch.open().send('ADDED', service('b', '101'));
        expect(await changes(2)).to.deep.equal(['add a@1', 'add b@101']);
        expect(errors.map((error) => isKubeError(error) && error.status)).to.deep.equal([status, status]);
      });
    }

    it('a Retry-After on a refused watch is honoured', async () => {
      start();
      (await server.next()).list([]);
      const at = performance.now();
      (await server.next()).refuse(429, 'TooManyRequests', { 'retry-after': '1' });
      await server.next();
      expect(performance.now() - at).to.be.at.least(990);
    });

    it('a server that is down at start is awaited', async () => {
      const { url } = server;
      await server.stop();
      start();
      while (errors.length < 3) await once(informerErrors(), 'error');
      expect(errors.every((error) => isKubeError(error, 'FL_KUBE_NETWORK'))).to.equal(true);
      expect(informer.hasSynced).to.equal(false);
      server = await FakeServer.start({ host: '127.0.0.1', port: Number(new URL(url).port) });
      (await server.next()).list([service('a', '1')]);
      await informer.synced;
      expect(seen).to.deep.equal(['add a@1']);
    });
  });

  describe('410 Gone', () => {
    const ways: [string, (watch: FakeRequest) => void][] = [
      ['as status', (watch) => watch.refuse(410, 'Expired')],
      [
        'as event',
        (watch) => watch.open().send('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'x' }),
      ],
    ];
    for (const [way, gone] of ways) {
      it(`${way} leads to a new list, and exactly the difference is reported`, async () => {
        start();
        (await server.next()).list([
          service('same', '1'),
          service('gone', '2'),
          service('new-uid', '3'),
          service('mod', '4'),
        ]);
        gone(await server.next());
        const list = await server.next();
        expect(list.isWatch).to.equal(false);
        seen.length = 0;
        list.list(
          [service('same', '1'), service('new-uid', '7', 'other'), service('mod', '8'), service('new', '9')],
          '200',
        );
        const watch = await server.next();
        expect(watch.query.resourceVersion).to.equal('200');
        expect(seen).to.have.members([
          'delete gone@2',
          'delete new-uid@3',
          'add new-uid@7',
          'update mod@4 mod@8',
          'add new@9',
        ]);
        expect(seen.indexOf('delete new-uid@3')).to.be.below(seen.indexOf('add new-uid@7'));
        expect(errors).to.deep.equal([]);
      });
    }

    it('again and again makes no tight loop of lists', async () => {
      start({ backoff: { baseMs: 4, maxMs: 64 } });
      const at: number[] = [];
      for (let i = 0; i < 5; i++) {
        (await server.next()).list([]);
        at.push(performance.now());
        (await server.next()).refuse(410, 'Expired');
      }
      for (const [i, least] of [2, 4, 8, 16].entries()) expect(at[i + 1]! - at[i]!).to.be.at.least(least - 1);
    });
  });

  describe('stop()', () => {
    it('ends the watch, and nothing is asked for any more', async () => {
      start();
      const watch = await listThenWatch();
      await informer.stop();
      await watch.closed;
      expect(server.requests).to.have.length(2);
    });

    it('during a list opens no watch, reports nothing and rejects synced', async () => {
      start();
      const list = await server.next();
      const { synced } = informer;
      await informer.stop();
      await list.closed;
      const outcome = await synced.then(
        () => 'synced',
        (error) => error.code,
      );
      expect(outcome).to.equal('FL_KUBE_ABORTED');
      expect([seen, errors, server.requests.length]).to.deep.equal([[], [], 1]);
    });

    it('within a listener is the last that listeners hear', async () => {
      start();
      informer.on('add', () => informer.stop());
      (await server.next()).list([service('a', '1'), service('b', '2')]);
      await informer.synced.catch(() => {});
      expect(seen).to.deep.equal(['add a@1']);
    });

    it('during a wait ends it', async () => {
      start({ backoff: { baseMs: 3_600_000, maxMs: 3_600_000 } });
      (await server.next()).refuse(500, 'InternalError');
      await once(informerErrors(), 'error');
      await informer.stop();
    });
  });

  /** 'error' of the informer as an EventTarget, to be awaited with `once`. */
  function informerErrors(): EventTarget {
    const target = new EventTarget();
    informer.on('error', () => target.dispatchEvent(new Event('error')));
    return target;
  }
});

function describeObject(object: KubeObject): string {
  return `${object.metadata?.name}@${object.metadata?.resourceVersion}`;
}
