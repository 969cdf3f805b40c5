import { expect } from 'chai';
import { CONFIG_MAPS, configMap, SERVICES, service, TestApi } from './api.spec.helpers.js';
import type { JsonObject, KubeObject } from './types.js';

describe('lists', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await TestApi.start();
  });
  afterEach(() => api.stop());

  const names = (list: JsonObject): string[] => list.items.map((item: KubeObject) => item.metadata.name);

  it('are in order of namespace and name, with the resourceVersion of the whole store', async () => {
    for (const name of ['c', 'a', 'b']) await api.create(CONFIG_MAPS, configMap(name));
    await api.create('/api/v1/namespaces', { metadata: { name: 'apps' } });
    const { body } = await api.get(CONFIG_MAPS);
    expect(body).to.deep.include({ kind: 'ConfigMapList', apiVersion: 'v1' });
    expect(body.metadata).to.deep.equal({ resourceVersion: String(api.server.store.revision) });
    expect(names(body)).to.deep.equal(['a', 'b', 'c']);
  });

  it('come in pages that all show the state of the first', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await api.create(CONFIG_MAPS, configMap(name));
    const first = (await api.get(`${CONFIG_MAPS}?limit=2`)).body;
    expect(first.metadata).to.deep.include({ remainingItemCount: 3 });
    await api.create(CONFIG_MAPS, configMap('cc'));
    await api.call('DELETE', `${CONFIG_MAPS}/d`);
    const second = (await api.get(`${CONFIG_MAPS}?limit=2&continue=${first.metadata.continue}`)).body;
    const third = (await api.get(`${CONFIG_MAPS}?limit=2&continue=${second.metadata.continue}`)).body;
    expect([first, second, third].map(names)).to.deep.equal([['a', 'b'], ['c', 'd'], ['e']]);
    expect(third.metadata).to.deep.equal({ resourceVersion: first.metadata.resourceVersion });
  });

  it('give 410 for a page that is no longer kept, and 400 for one that never was', async () => {
    for (const name of ['a', 'b', 'c']) await api.create(CONFIG_MAPS, configMap(name));
    const token = (await api.get(`${CONFIG_MAPS}?limit=1`)).body.metadata.continue;
    api.server.compact();
    const gone = await api.get(`${CONFIG_MAPS}?limit=1&continue=${token}`);
    expect([gone.status, gone.body.reason]).to.deep.equal([410, 'Expired']);
    expect((await api.get(`${CONFIG_MAPS}?limit=1&continue=%21`)).status).to.equal(400);
  });

  it('refuse a resourceVersion that is not reached, and numbers that are none', async () => {
    const { status, body } = await api.get(`${CONFIG_MAPS}?resourceVersion=999999`);
    expect([status, body.reason, body.details.causes[0].reason]).to.deep.equal([
      504,
      'Timeout',
      'ResourceVersionTooLarge',
    ]);
    expect((await api.get(`${CONFIG_MAPS}?resourceVersion=x`)).status).to.equal(400);
    expect((await api.get(`${CONFIG_MAPS}?limit=-1`)).status).to.equal(400);
  });

  it('of 10,000 Services are complete', async function () {
    this.timeout(60_000);
    const services = Array.from({ length: 10_000 }, (_, i) =>
      service(`s${i}`, {}, { labels: { shard: String(i % 10) } }),
    );
    api.server.seed(...(services as KubeObject[]));
    expect(names((await api.get('/api/v1/services')).body)).to.have.length(10_001);
    expect(names((await api.get(`${SERVICES}?labelSelector=shard%3D3`)).body)).to.have.length(1000);
  });

  it('can be tables, or metadata alone', async () => {
    await api.create(CONFIG_MAPS, configMap('a', { x: '1', y: '2' }));
    const table = (
      await api.get(CONFIG_MAPS, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io, application/json' })
    ).body;
    expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).to.deep.equal(['Name', 'Data', 'Age']);
    expect(table.rows[0].cells.slice(0, 2)).to.deep.equal(['a', 2]);
    expect(table.rows[0].object).to.deep.include({ kind: 'PartialObjectMetadata' });
    const metadata = (
      await api.get(CONFIG_MAPS, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' })
    ).body;
    expect(metadata.kind).to.equal('PartialObjectMetadataList');
    expect(metadata.items[0]).not.to.have.property('data');
  });
});
