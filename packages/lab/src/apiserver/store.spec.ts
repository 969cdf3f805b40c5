import { expect } from 'chai';
import { ApiError } from './errors.js';
import { Store } from './store.js';
import type { KubeObject } from './types.js';

const object = (name: string, namespace?: string, data = ''): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(namespace ? { namespace } : {}) },
  data,
});

const everything = { labels: [], fields: [] };

describe('the store', () => {
  it('numbers every write of every collection with one counter', () => {
    const store = new Store(10, 100);
    const a = store.collection('/a').put('x', object('x'));
    const b = store.collection('/b').put('x', object('x'));
    const removed = store.collection('/a').remove('x');
    expect([a.revision, b.revision, removed?.revision]).to.deep.equal([101, 102, 103]);
    expect(a.object.metadata.resourceVersion).to.equal('101');
    expect(removed?.object.metadata.resourceVersion).to.equal('103');
    expect(store.revision).to.equal(103);
  });

  it('keeps keys in order, and finds a namespace beside others with similar names', () => {
    const collection = new Store().collection('/a');
    for (const key of ['b/1', 'a/2', 'a-b/1', 'a/1', 'a0/1', 'a.b/1']) {
      const [namespace, name] = key.split('/') as [string, string];
      collection.put(key, object(name, namespace));
    }
    const keys = (namespace?: string): string[] => collection.entries(namespace).map(({ key }) => key);
    expect(keys('a')).to.deep.equal(['a/1', 'a/2']);
    expect(keys('a0')).to.deep.equal(['a0/1']);
    expect(keys('nothing')).to.deep.equal([]);
    expect(keys()).to.deep.equal([...keys()].sort());
    expect(keys()).to.have.length(6);
  });

  it('serialises an object once', () => {
    const collection = new Store().collection('/a');
    const entry = collection.put('x', object('x'));
    expect(entry.json).to.equal(collection.get('x')!.json);
    expect(JSON.parse(entry.json.toString())).to.deep.equal(entry.object);
  });

  it('does not change what it was given', () => {
    const given = object('x');
    new Store().collection('/a').put('x', given);
    expect(given.metadata).to.deep.equal({ name: 'x' });
  });

  it('tells what happened since a revision', () => {
    const store = new Store();
    const collection = store.collection('/a');
    const first = collection.put('x', object('x'));
    collection.put('x', object('x', undefined, 'changed'));
    store.collection('/b').put('y', object('y'));
    collection.remove('x');
    const told = collection.since(first.revision).map(({ type, revision }) => [type, revision - first.revision]);
    expect(told).to.deep.equal([
      ['MODIFIED', 1],
      ['DELETED', 3],
    ]);
    expect(collection.since(store.revision)).to.deep.equal([]);
  });

  it('keeps at least the history it was asked for, and refuses what lies before', () => {
    const store = new Store(5, 0);
    const collection = store.collection('/a');
    for (let i = 1; i <= 100; i++) collection.put('x', object('x', undefined, String(i)));
    expect(collection.since(95)).to.have.length(5);
    expect(() => collection.since(80))
      .to.throw(ApiError, /^too old resource version: 80 \(\d+\)$/)
      .with.property('code', 410);
  });

  it('refuses history after a compaction, but not to who is up to date', () => {
    const store = new Store();
    const collection = store.collection('/a');
    collection.put('x', object('x'));
    const before = store.revision;
    collection.put('x', object('x', undefined, 'changed'));
    store.compact();
    expect(() => collection.since(before))
      .to.throw(ApiError)
      .with.property('code', 410);
    expect(collection.since(store.revision)).to.deep.equal([]);
  });

  it('refuses a revision that it has not reached', () => {
    const store = new Store();
    expect(() => store.collection('/a').since(store.revision + 1))
      .to.throw(ApiError)
      .with.property('code', 410);
  });

  it('selects one object by name without looking at others', () => {
    const collection = new Store().collection('/a');
    collection.put('a/x', object('x', 'a'));
    collection.put('b/x', object('x', 'b'));
    const byName = { ...everything, namespace: 'a', fields: [{ path: 'metadata.name', equal: true, value: 'x' }] };
    expect(collection.select(byName).map(({ key }) => key)).to.deep.equal(['a/x']);
    expect(collection.select({ ...byName, labels: [{ key: 'app', operator: 'exists' }] })).to.deep.equal([]);
  });
});
