import { once } from 'node:events';
import { expect } from 'chai';
import { CONFIG_MAPS, configMap, TestApi } from './api.spec.helpers.js';

describe('a watch', function () {
  this.timeout(30_000);
  let api: TestApi;
  const start = async (options: Parameters<typeof TestApi.start>[0] = {}): Promise<void> => {
    api = await TestApi.start(options);
  };
  afterEach(() => api.stop());

  const create = (name: string, data: object = {}, metadata: object = {}) =>
    api.create(CONFIG_MAPS, configMap(name, data, metadata));
  const change = async (name: string, data: object): Promise<string> => {
    const reply = await api.call(
      'PATCH',
      `${CONFIG_MAPS}/${name}`,
      { data },
      { 'content-type': 'application/merge-patch+json' },
    );
    return reply.body.metadata.resourceVersion;
  };
  const brief = ({ type, object }: Record<string, { metadata: { name: string } }>): string =>
    `${type} ${object!.metadata.name}`;

  it('continues after the resourceVersion of a list, without a gap', async () => {
    await start();
    await create('a');
    const list = await api.get(CONFIG_MAPS);
    await create('b');
    await change('a', { x: '1' });
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${list.body.metadata.resourceVersion}`);
    expect([brief(await watch.next()), brief(await watch.next())]).to.deep.equal(['ADDED b', 'MODIFIED a']);
    await api.call('DELETE', `${CONFIG_MAPS}/b`);
    const gone = await watch.next();
    expect(brief(gone)).to.equal('DELETED b');
    expect(Number(gone.object.metadata.resourceVersion)).to.equal(api.server.store.revision);
    watch.close();
  });

  it('begins with everything when it names no resourceVersion', async () => {
    await start();
    await create('a');
    await create('b');
    const watch = await api.watch(`${CONFIG_MAPS}?watch=true`);
    expect([brief(await watch.next()), brief(await watch.next())]).to.deep.equal(['ADDED a', 'ADDED b']);
    await create('c');
    expect(brief(await watch.next())).to.equal('ADDED c');
    watch.close();
  });

  it('marks the end of the initial events when asked to (watch list)', async () => {
    await start();
    await create('a');
    const watch = await api.watch(
      `${CONFIG_MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    );
    expect(brief(await watch.next())).to.equal('ADDED a');
    const mark = await watch.next();
    expect(mark.type).to.equal('BOOKMARK');
    expect(mark.object.metadata).to.deep.include({
      resourceVersion: String(api.server.store.revision),
      annotations: { 'k8s.io/initial-events-end': 'true' },
    });
    watch.close();
  });

  it('gets bookmarks with the newest resourceVersion, if it wants them', async () => {
    await start({ bookmarkIntervalMs: 20 });
    const { resourceVersion } = (await api.get(CONFIG_MAPS)).body.metadata;
    const with_ = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion}&allowWatchBookmarks=true`);
    const without = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion}`);
    await api.create('/api/v1/namespaces', { metadata: { name: 'elsewhere' } });
    const { revision } = api.server.store;
    for (;;) {
      const { type, object } = await with_.next();
      expect([type, object.kind]).to.deep.equal(['BOOKMARK', 'ConfigMap']);
      if (Number(object.metadata.resourceVersion) === revision) break;
    }
    await create('a');
    expect(brief(await without.next())).to.equal('ADDED a');
    with_.close();
    without.close();
  });

  it('from before the kept history is told 410 Gone by an ERROR event', async () => {
    await start();
    const { resourceVersion } = (await api.get(CONFIG_MAPS)).body.metadata;
    await create('a');
    api.server.compact();
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion}`);
    expect(watch.response.statusCode).to.equal(200);
    const [event, ...more] = await watch.rest();
    expect(more).to.deep.equal([]);
    expect(event).to.deep.include({ type: 'ERROR' });
    expect(event!.object).to.deep.include({ kind: 'Status', code: 410, reason: 'Expired', status: 'Failure' });
  });

  it('is refused with HTTP status 410 when that is ordered', async () => {
    await start();
    api.server.faults.next(410, { match: { verb: 'watch' } });
    const refused = await api.get(`${CONFIG_MAPS}?watch=1&resourceVersion=1`);
    expect([refused.status, refused.body.reason]).to.deep.equal([410, 'Expired']);
  });

  it('ends properly after timeoutSeconds', async () => {
    await start();
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1&timeoutSeconds=1`);
    await create('a');
    expect((await watch.rest()).map((event) => event.type)).to.deep.equal(['ADDED']);
    expect(watch.response.complete).to.equal(true);
    expect(api.server.watchCount).to.equal(0);
  });

  it('is forgotten when its client goes away', async () => {
    await start();
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1`);
    expect(api.server.watchCount).to.equal(1);
    watch.close();
    while (api.server.watchCount > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('shows an object that leaves its selector as it was, with the new resourceVersion', async () => {
    await start();
    await create('a', { x: '1' }, { labels: { app: 'web' } });
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1&labelSelector=app%3Dweb`);
    await watch.next();
    const patch = { metadata: { labels: { app: 'api' } }, data: { x: '2' } };
    await api.call('PATCH', `${CONFIG_MAPS}/a`, patch, { 'content-type': 'application/merge-patch+json' });
    const { type, object } = await watch.next();
    expect(type).to.equal('DELETED');
    expect(object).to.deep.include({ data: { x: '1' } });
    expect(object.metadata).to.deep.include({
      labels: { app: 'web' },
      resourceVersion: String(api.server.store.revision),
    });
    watch.close();
  });

  it('of one object by its path sees that object alone', async () => {
    await start();
    await create('a');
    await create('b');
    const watch = await api.watch(`${CONFIG_MAPS}/b?watch=1`);
    expect(brief(await watch.next())).to.equal('ADDED b');
    await change('a', { x: '1' });
    await change('b', { x: '1' });
    expect(brief(await watch.next())).to.equal('MODIFIED b');
    watch.close();
  });

  it('shows rows of a table, with column definitions in the first only', async () => {
    await start();
    await create('a', { x: '1' });
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    const first = await watch.next();
    expect(first.object.kind).to.equal('Table');
    expect(first.object.columnDefinitions.map(({ name }: { name: string }) => name)).to.deep.equal([
      'Name',
      'Data',
      'Age',
    ]);
    expect(first.object.rows[0].cells.slice(0, 2)).to.deep.equal(['a', 1]);
    await create('b');
    expect((await watch.next()).object.columnDefinitions).to.equal(null);
    watch.close();
  });

  it('that does not read is cut off when too much waits for it', async () => {
    await start({ watchBufferBytes: 64 * 1024 });
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1`);
    const broken = once(watch.response, 'error');
    watch.response.pause();
    const data = { blob: 'x'.repeat(256 * 1024) };
    for (let i = 0; i < 400 && api.server.watchCount > 0; i++) {
      api.server.seed({ ...configMap(`big-${i}`, data) } as never);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(api.server.watchCount).to.equal(0);
    watch.response.resume();
    await broken;
    expect(watch.response.complete).to.equal(false);
  });

  it('gets everything it asked for at first, however large', async () => {
    await start({ watchBufferBytes: 1024 });
    const data = { blob: 'x'.repeat(256 * 1024) };
    for (let i = 0; i < 40; i++) api.server.seed(configMap(`big-${i}`, data) as never);
    const watch = await api.watch(`${CONFIG_MAPS}?watch=1`);
    for (let i = 0; i < 40; i++) expect((await watch.next()).type).to.equal('ADDED');
    watch.close();
  });

  it('can be ended by a test: properly, abruptly, or with an error', async () => {
    await start();
    const proper = await api.watch(`${CONFIG_MAPS}?watch=1`);
    api.server.endWatches();
    expect(await proper.rest()).to.deep.equal([]);
    expect(proper.response.complete).to.equal(true);
    const abrupt = await api.watch(`${CONFIG_MAPS}?watch=1`);
    const broken = once(abrupt.response, 'error');
    api.server.endWatches({ abrupt: true });
    await broken;
    expect(abrupt.response.complete).to.equal(false);
  });
});
