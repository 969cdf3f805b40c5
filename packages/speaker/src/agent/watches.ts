/** What a speaker watches of the cluster. */
import { addressPools, endpointSlices, Informer, type KubeApi, type KubeObject, nodes, services } from '@fairlead/kube';
import { keepInput, type WatchedSlice } from './endpoint-slices.js';
import type { Feed, WatchedNode, WatchedPool, WatchedService } from './feed.js';
import { keepNode } from './nodes.js';
import { keepService } from './services.js';
import type { Contents } from './snapshot.js';

export interface Listeners {
  /** Something changed, and the feed knows it. */
  changed(): void;
  service(service: WatchedService): void;
  serviceGone(service: WatchedService): void;
  node(node: WatchedNode): void;
  error(error: Error, resource: string): void;
}

export class Watches {
  readonly services: Informer<WatchedService>;
  readonly nodes: Informer<WatchedNode>;
  readonly #pools: Informer<WatchedPool>;
  readonly #slices: Informer<WatchedSlice>;

  /** @param initial what was known before, from a snapshot */
  constructor(client: Pick<KubeApi, 'list' | 'watch'>, initial: Contents = {}) {
    const known = <T>(name: string) => (initial[name] ?? []) as unknown as T[];
    this.services = new Informer({
      client,
      resource: services,
      transform: keepService,
      initial: known<WatchedService>('services'),
    });
    this.nodes = new Informer({
      client,
      resource: nodes,
      transform: keepNode,
      initial: known<WatchedNode>('nodes'),
    });
    this.#pools = new Informer({ client, resource: addressPools, initial: known<WatchedPool>('addresspools') });
    this.#slices = new Informer<WatchedSlice>({
      client,
      resource: endpointSlices,
      transform: keepInput,
      initial: known<WatchedSlice>('endpointslices'),
    });
  }

  /** Resolves when there is a copy of everything. */
  async start(onError: Listeners['error']): Promise<void> {
    for (const [resource, informer] of this.#all()) {
      informer.on('error', (error) => onError(error, resource));
      informer.start();
    }
    await Promise.all(this.#all().map(([, { synced }]) => synced));
  }

  /** Tells the feed everything there is, and from then on what changes, one object at a time. */
  feed(feed: Feed, listeners: Omit<Listeners, 'error'>): void {
    const on = <T extends KubeObject>(informer: Informer<T>, set: (object: T) => void, gone: (object: T) => void) => {
      const then = (tell: (object: T) => void) => (object: T) => {
        tell(object);
        listeners.changed();
      };
      informer.on('add', then(set));
      informer.on('update', then(set));
      informer.on('delete', then(gone));
    };
    const poolsChanged = () => feed.pools(this.#pools.list(), () => this.services.list());
    poolsChanged();
    for (const service of this.services.list()) feed.service(service);
    for (const node of this.nodes.list()) feed.node(node);
    for (const slice of this.#slices.list()) feed.slice(slice);
    on(this.#pools, poolsChanged, poolsChanged);
    on(
      this.services,
      (service) => {
        feed.service(service);
        listeners.service(service);
      },
      (service) => {
        feed.serviceGone(service);
        listeners.serviceGone(service);
      },
    );
    on(
      this.nodes,
      (node) => {
        feed.node(node);
        listeners.node(node);
      },
      (node) => {
        feed.nodeGone(node);
        listeners.node(node);
      },
    );
    on(
      this.#slices,
      (slice) => feed.slice(slice),
      (slice) => feed.sliceGone(slice),
    );
  }

  /** For a snapshot. */
  contents(): Contents {
    return Object.fromEntries(this.#all().map(([resource, informer]) => [resource, informer.list()]));
  }

  stop(): void {
    for (const [, informer] of this.#all()) void informer.stop();
  }

  #all(): [resource: string, informer: Informer<KubeObject>][] {
    return Object.entries({
      services: this.services,
      nodes: this.nodes,
      addresspools: this.#pools,
      endpointslices: this.#slices,
    }) as unknown as [string, Informer<KubeObject>][];
  }
}
