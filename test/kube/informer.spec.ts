/** The client and the informer against the lab's API server, with the faults that it makes on order. */
import {
  Informer,
  isKubeError,
  KubeClient,
  type KubeObject,
  keyOf,
  nodes,
  resolveConfig,
  services,
} from '@fairlead/kube';
import { expect } from 'chai';
import { type ApiServer, labOnly, namespace, newApiServer, type TestServer } from '../controller/api-server.js';

describe('kube: client and informer against an API server', function () {
  this.timeout(60_000);
  let server: TestServer;
  let client: KubeClient;
  let informer: Informer<KubeObject>;
  let changes: string[];
  let errors: Error[];

  beforeEach(async () => {
    server = await newApiServer({ historySize: 4 });
    const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
    client = new KubeClient(await resolveConfig({ server: url }));
    changes = [];
    errors = [];
    informer = new Informer({
      client,
      resource: services,
      namespace,
      labelSelector: 'spec=yes',
      pageSize: 2,
      backoff: { baseMs: 5, maxMs: 50 },
    });
    const note = (text: string) => (object: KubeObject) => changes.push(`${text} ${object.metadata?.name}`);
    informer.on('add', note('add'));
    informer.on('update', note('update'));
    informer.on('delete', note('delete'));
    informer.on('error', (error) => errors.push(error));
  });

  afterEach(async () => {
    await informer.stop();
    await client.close();
    await server.close();
  });

  async function create(name: string): Promise<void> {
    const metadata = { namespace, name, labels: { spec: 'yes' } };
    await client.create(services, { metadata, spec: { ports: [{ port: 80 }] } } as KubeObject);
  }

  async function touch(name: string, text: string): Promise<void> {
    const body = { metadata: { annotations: { text } } };
    await client.patch(services, { namespace, name }, body, { type: 'merge' });
  }

  const remove = (name: string) => client.delete(services, { namespace, name });

  /** Not everything that is waited for here is an event: a watch counts as soon as the server has registered it. */
  async function until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 8_000;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`not within 8 s: ${condition}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** The copy has what the server has. */
  function isTrue(): boolean {
    const copy = informer.list().map((object) => `${keyOf(object)}@${object.metadata?.resourceVersion}`);
    return copy.sort().join() === truth.join();
  }
  let truth: string[] = [];
  async function converged(): Promise<void> {
    const { items } = await client.list(services, { namespace, labelSelector: 'spec=yes' });
    truth = items.map((object) => `${keyOf(object)}@${object.metadata?.resourceVersion}`).sort();
    await until(isTrue);
  }

  const lab = () => server as ApiServer;
  const watched = () => server.watchCount > 0;

  it('follows what happens, from pages and from the watch', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(name);
    informer.start();
    await informer.synced;
    expect(changes).to.deep.equal(['add a', 'add b', 'add c', 'add d', 'add e']);
    await create('f');
    await touch('a', 'x');
    await remove('b');
    await until(() => changes.length >= 8);
    expect(changes.slice(5)).to.deep.equal(['add f', 'update a', 'delete b']);
    expect(informer.get(`${namespace}/a`)).to.include({ apiVersion: 'v1', kind: 'Service' });
    expect(informer.get(`${namespace}/a`)?.metadata).not.to.have.property('managedFields');
    await converged();
  });

  it('goes on after watches that end, or break, without a new list', async () => {
    await create('a');
    informer.start();
    await informer.synced;
    for (const [i, abrupt] of [false, true, false, true].entries()) {
      await until(watched);
      server.endWatches({ abrupt });
      await touch('a', `after ${i}`);
      await converged();
    }
    expect(informer.counters.lists).to.equal(1);
    expect(changes).to.deep.equal(['add a', 'update a', 'update a', 'update a', 'update a']);
  });

  labOnly('forgets the history')(
    'lists anew when the history that it missed is gone, and reports the difference',
    async () => {
      for (const name of ['gone', 'again', 'same', 'changed']) await create(name);
      informer.start();
      await informer.synced;
      await until(watched);
      changes.length = 0;
      // Whoever watches from now on is turned away, until everything has happened and the history is gone.
      server.faults.next(500, { match: { verb: 'watch' }, count: 1_000_000 });
      server.endWatches({ abrupt: true });
      await remove('gone');
      await remove('again');
      await create('again');
      await create('new');
      await touch('changed', 'x');
      lab().compact();
      server.faults.clear();
      await converged();
      expect(changes).to.have.members(['delete gone', 'delete again', 'add again', 'add new', 'update changed']);
      expect(informer.counters.lists).to.equal(2);
    },
  );

  labOnly('puts an ERROR into a watch')('lists anew after an ERROR event', async () => {
    await create('a');
    informer.start();
    await informer.synced;
    await until(watched);
    const { ApiError } = await errorsOf();
    lab().failWatches(new ApiError(410, 'Expired', 'too old resource version'));
    await touch('a', 'x');
    await converged();
    expect(informer.counters.lists).to.equal(2);
    expect(errors).to.deep.equal([]);
  });

  labOnly('forgets the history, creates Nodes')('bookmarks spare it a new list when the history is gone', async () => {
    await create('a');
    informer.start();
    await informer.synced;
    await until(watched);
    // Changes elsewhere, none of them its own.
    for (let i = 0; i < 10; i++) await client.create(nodes, { metadata: { name: `n${i}` } });
    lab().sendBookmarks();
    lab().compact();
    server.endWatches();
    await until(() => informer.counters.watches === 2 && watched());
    await touch('a', 'x');
    await converged();
    expect(informer.counters.lists).to.equal(1);
  });

  it('survives a server that refuses, hangs up and tires, at every step', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const faults = server.faults;
    faults.next(500, { match: { verb: 'list' } });
    faults.reset({ match: { verb: 'list' } });
    faults.next(429, { match: { verb: 'list' }, retryAfterSeconds: 0 });
    faults.next(403, { match: { verb: 'watch' } });
    faults.reset({ match: { verb: 'watch' } });
    faults.next(503, { match: { verb: 'watch' } });
    informer.start();
    await informer.synced;
    await until(watched);
    await touch('b', 'x');
    await converged();
    expect(changes).to.deep.equal(['add a', 'add b', 'add c', 'update b']);
    expect(errors.every((error) => isKubeError(error))).to.equal(true);
    expect(errors.length).to.be.within(5, 6);
  });

  it('a request that the server never answers ends at its deadline, and the client goes on', async () => {
    await create('a');
    server.faults.hold();
    const failed = await client.get(services, { namespace, name: 'a' }, { timeoutMs: 100 }).catch((e) => e);
    expect(failed).to.have.property('code', 'FL_KUBE_TIMEOUT');
    server.faults.release();
    expect((await client.get(services, { namespace, name: 'a' })).metadata?.name).to.equal('a');
  });

  it('tells a write whose answer was lost from one that was refused', async () => {
    server.faults.loseAnswer({ match: { verb: 'create' } });
    const lost = await create('a').catch((error) => error);
    expect(lost).to.include({ code: 'FL_KUBE_NETWORK', status: 0 });
    const refused = await create('a').catch((error) => error);
    expect(refused).to.include({ code: 'FL_KUBE_ALREADY_EXISTS', status: 409 });
  });

  /** The class that the server takes for its errors. */
  async function errorsOf(): Promise<typeof import('../../packages/lab/src/apiserver/errors.js')> {
    const module = '../../../packages/lab/dist/apiserver/errors.js';
    return import(module);
  }
});
