import type { Informer, KubeObject } from '@fairlead/kube';
import { expect } from 'chai';
import { FreshCache } from './fresh-cache.js';

function version(resourceVersion: string, uid = 'u1'): KubeObject {
  return { kind: 'Thing', metadata: { name: 'a', uid, resourceVersion } };
}

/** Tells what a real one does: what it was given to take is no news when the watch comes to it. */
class FakeInformer {
  readonly objects = new Map<string, KubeObject>();
  readonly #taken = new Set<string>();
  readonly #listeners: Record<string, ((object: KubeObject, old: KubeObject) => unknown)[]> = {};

  get(key: string) {
    return this.objects.get(key);
  }
  list() {
    return [...this.objects.values()];
  }
  on(event: string, listener: (object: KubeObject, old: KubeObject) => unknown) {
    this.#listeners[event] = [...(this.#listeners[event] ?? []), listener];
    return this;
  }
  take(object: KubeObject) {
    this.objects.set('a', object);
    this.#taken.add(object.metadata!.resourceVersion!);
  }
  arrive(object: KubeObject) {
    if (this.#taken.delete(object.metadata!.resourceVersion!)) return;
    const old = this.objects.get('a');
    this.objects.set('a', object);
    for (const listener of this.#listeners[old ? 'update' : 'add']!) listener(object, old!);
  }
  vanish() {
    const object = this.objects.get('a')!;
    this.objects.delete('a');
    for (const listener of this.#listeners.delete!) listener(object, object);
  }
}

describe('FreshCache', () => {
  let informer: FakeInformer;
  let cache: FreshCache<KubeObject>;
  let heard: string[];
  beforeEach(() => {
    informer = new FakeInformer();
    cache = new FreshCache(informer as unknown as Informer<KubeObject>);
    heard = [];
    cache.listen({
      onChange: (object) => heard.push(object.metadata!.resourceVersion!),
      onDelete: (key) => heard.push(`deleted ${key}`),
    });
    informer.arrive(version('9'));
  });
  const seen = () => [cache.get('a')?.metadata?.resourceVersion, cache.list()[0]?.metadata?.resourceVersion];

  it('shows our write at once, and neither older versions that arrive late nor its echo are news', () => {
    cache.take(version('12'));
    expect(seen()).to.deep.equal(['12', '12']);
    informer.arrive(version('10'));
    expect(seen()).to.deep.equal(['12', '12']);
    informer.arrive(version('12'));
    informer.arrive(version('13'));
    expect(seen()).to.deep.equal(['13', '13']);
    expect(heard).to.deep.equal(['9', '12', '13']);
  });

  it('does not go back to an answer that came later than the watch', () => {
    informer.arrive(version('100'));
    expect(cache.take(version('12'))?.metadata?.resourceVersion).to.equal('100');
    expect(seen()).to.deep.equal(['100', '100']);
    expect(heard).to.deep.equal(['9', '100']);
  });

  it('follows the watch when a version jumps over our write', () => {
    cache.take(version('12'));
    informer.arrive(version('14'));
    expect(seen()).to.deep.equal(['14', '14']);
  });

  it('does not bring a deleted object back, nor mistake a new one of the same name for it', () => {
    informer.vanish();
    expect(cache.take(version('12'))).to.equal(undefined);
    informer.arrive(version('20', 'u2'));
    expect(cache.take(version('21', 'u1'))?.metadata?.uid).to.equal('u2');
    cache.take(version('30', 'u2'));
    informer.arrive(version('25', 'u3'));
    expect(cache.get('a')?.metadata?.uid).to.equal('u3');
    expect(heard).to.deep.equal(['9', 'deleted a', '20', '30', '25']);
  });

  it('stays at our write when the watch goes back behind it for good, until there is something newer', () => {
    cache.take(version('12'));
    informer.arrive(version('12'));
    informer.arrive(version('10'));
    informer.arrive(version('11'));
    expect(seen()).to.deep.equal(['12', '12']);
    informer.arrive(version('12'));
    expect(heard).to.deep.equal(['9', '12']);
    informer.arrive(version('13'));
    expect(seen()).to.deep.equal(['13', '13']);
    expect(heard).to.deep.equal(['9', '12', '13']);
  });

  it('takes versions that are no numbers as they come', () => {
    cache.take(version('b'));
    informer.arrive(version('a'));
    expect(seen()).to.deep.equal(['a', 'a']);
  });
});
