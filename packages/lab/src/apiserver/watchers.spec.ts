import { expect } from 'chai';
import fc from 'fast-check';
import { parseFieldSelector, parseLabelSelector, type Selection } from './selectors.js';
import { type EventType, Store, type StoreEvent } from './store.js';
import type { KubeObject } from './types.js';
import { view, type Watcher } from './watchers.js';

class Recorder implements Watcher {
  readonly seen: string[] = [];
  visits = 0;
  constructor(readonly selection: Selection) {}
  deliver(type: EventType, { entry }: StoreEvent, left: boolean): void {
    this.seen.push(`${type}${left ? '(left)' : ''} ${entry.key}@${entry.revision}`);
  }
  end(): void {}
}

const selection = (labels: string, fields: string, namespace?: string): Selection => ({
  ...(namespace === undefined ? {} : { namespace }),
  labels: parseLabelSelector(labels),
  fields: parseFieldSelector(fields, ['spec.nodeName']),
});

const pod = (namespace: string, name: string, labels: Record<string, string>, nodeName: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { nodeName },
});

describe('watchers', () => {
  it('see an object that begins to match as ADDED, and one that ends to match as DELETED', () => {
    const collection = new Store(10, 0).collection('/pods');
    const web = new Recorder(selection('app=web', ''));
    collection.watchers.add(web);
    collection.put('a/p', pod('a', 'p', { app: 'web' }, 'n1'));
    collection.put('a/p', pod('a', 'p', { app: 'web', v: '2' }, 'n1'));
    collection.put('a/p', pod('a', 'p', { app: 'api' }, 'n1'));
    collection.put('a/p', pod('a', 'p', { app: 'api' }, 'n2'));
    collection.put('a/p', pod('a', 'p', { app: 'web' }, 'n2'));
    collection.remove('a/p');
    expect(web.seen).to.deep.equal([
      'ADDED a/p@1',
      'MODIFIED a/p@2',
      'DELETED(left) a/p@3',
      'ADDED a/p@5',
      'DELETED a/p@6',
    ]);
  });

  it('are not told any more when they are removed', () => {
    const collection = new Store().collection('/pods');
    const watcher = new Recorder(selection('', 'spec.nodeName=n1'));
    collection.watchers.add(watcher);
    collection.watchers.remove(watcher);
    collection.put('a/p', pod('a', 'p', {}, 'n1'));
    expect(watcher.seen).to.deep.equal([]);
    expect(collection.watchers.all()).to.deep.equal([]);
  });

  it('see, whatever bucket they stand in, what looking at every watcher for every event would show', () => {
    const namespaces = fc.constantFrom('a', 'b');
    const names = fc.constantFrom('x', 'y');
    const values = fc.constantFrom('1', '2');
    const nodes = fc.constantFrom('n1', 'n2', '');
    const selections = fc
      .record({
        namespace: fc.option(namespaces, { nil: undefined }),
        labels: fc.constantFrom('', 'app=1', 'app!=1', 'app in (1,2)', 'app', '!app', 'app=2,tier=1'),
        fields: fc.constantFrom(
          '',
          'spec.nodeName=n1',
          'spec.nodeName=',
          'metadata.name=x',
          'metadata.name!=x',
          'metadata.namespace=b',
        ),
      })
      .map(({ namespace, labels, fields }) => selection(labels, fields, namespace));
    const changes = fc.record({
      remove: fc.boolean(),
      namespace: namespaces,
      name: names,
      labels: fc.record({ app: values, tier: values }, { requiredKeys: [] }),
      node: nodes,
    });
    fc.assert(
      fc.property(fc.array(selections, { maxLength: 8 }), fc.array(changes, { maxLength: 30 }), (wanted, steps) => {
        const collection = new Store(1000, 0).collection('/pods');
        const watchers = wanted.map((one) => new Recorder(one));
        for (const watcher of watchers) collection.watchers.add(watcher);
        for (const { remove, namespace, name, labels, node } of steps) {
          if (remove) collection.remove(`${namespace}/${name}`);
          else collection.put(`${namespace}/${name}`, pod(namespace, name, labels as Record<string, string>, node));
        }
        for (const watcher of watchers) {
          const brute = new Recorder(watcher.selection);
          for (const event of collection.since(0)) {
            const seen = view(watcher.selection, event);
            if (seen) brute.deliver(seen.type, event, seen.left);
          }
          expect(watcher.seen).to.deep.equal(brute.seen);
        }
      }),
    );
  });

  it('cost a change only the visits of those who may want it', () => {
    const collection = new Store().collection('/pods');
    let asked = 0;
    for (let i = 0; i < 1000; i++) {
      const watcher = new Recorder(selection('', `spec.nodeName=n${i}`));
      Object.defineProperty(watcher, 'selection', {
        get: () => {
          asked++;
          return selection('', `spec.nodeName=n${i}`);
        },
      });
      collection.watchers.add(watcher);
    }
    asked = 0;
    collection.put('a/p', pod('a', 'p', {}, 'n7'));
    expect(asked).to.equal(1);
  });
});
