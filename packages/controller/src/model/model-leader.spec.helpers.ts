/**
 * Leaders of a model cluster, one after the other, around a real Bookkeeping, whose every step is taken by hand: requests
 * and answers travel through a network that delays and loses them, also beyond the end of the leader that sent them.
 */

import { type AddressPool, parseAddress } from '@fairlead/api';
import type { V1Service } from '@kubernetes/client-node';
import { Bookkeeping } from '../bookkeeping.js';
import type { Occupant } from '../pools/pool-occupants.js';
import { byAge } from '../pools/pool-view.js';
import type { PlannedPatch } from '../services/service-plan.js';
import { FreshCache } from '../writing/fresh-cache.js';
import { ipsOf, ModelCollection, ModelInformer } from './model-cluster.spec.helpers.js';

type Kind = 'services' | 'pools';

/** What becomes of a request. lost: it is carried out, but its sender does not hear of it. */
export type Fate = 'answered' | 'lost' | 'failed';

/** Somewhat less than Bookkeeping's. */
const PATIENCE_MS = 2_900;

interface Flight {
  kind: Kind;
  key: string;
  body: object;
  subresource: 'status' | undefined;
  sender: ModelLeader;
  plannedMs: number;
  /** The sender has given up waiting for the answer. */
  givenUp: boolean;
  /** Pools that had to have what it frees on record when it was sent, by address. */
  records: Map<string, { pool: string; coolDownMs: number }>;
}

interface Answer {
  kind: Kind;
  key: string;
  object: V1Service | AddressPool | 'conflict' | 'not found' | 'failed';
}

export interface Arrival {
  key: string;
  before: V1Service | undefined;
  after: V1Service | undefined;
  plannedMs: number;
  /** Its sender leads no more. */
  late: boolean;
  records: Flight['records'];
}

export class ModelWorld {
  readonly services = new ModelCollection<V1Service>();
  readonly pools = new ModelCollection<AddressPool>({ generations: true });
  /** Requests that have been sent, and not arrived. */
  readonly network: Flight[] = [];
  occupants: readonly Occupant[] = [];
  nowMs = Date.UTC(2026, 0, 3);
  leader = new ModelLeader(this);

  /** Lets the pick-th request arrive. What it did to a Service; undefined: nothing. */
  arrive(pick: number, fate: Fate): Arrival | undefined {
    const [flight] = this.network.splice(pick % Math.max(1, this.network.length), 1);
    if (!flight) return undefined;
    const { kind, key, body, subresource, sender, plannedMs, givenUp, records } = flight;
    const reply = (object: Answer['object']) => givenUp || sender.answers.push({ kind, key, object });
    if (fate === 'failed') {
      reply('failed');
      return undefined;
    }
    const before = kind === 'services' ? this.services.objects.get(key) : undefined;
    const object = this[kind].patch(key, body, subresource);
    reply(fate === 'lost' ? 'failed' : object);
    if (kind === 'pools' || typeof object === 'string') return undefined;
    return { key, before, after: this.services.objects.get(key), plannedMs, late: sender !== this.leader, records };
  }

  /** The sender of the pick-th request does not wait for it any longer; it may arrive nevertheless. */
  giveUp(pick: number): void {
    const flight = this.network[pick % Math.max(1, this.network.length)];
    if (!flight || flight.givenUp) return;
    flight.givenUp = true;
    flight.sender.answers.push({ kind: flight.kind, key: flight.key, object: 'failed' });
  }

  /** The leader is no more; the next one begins with what there is. */
  takeOver(): void {
    this.leader.stop();
    this.leader = new ModelLeader(this);
  }

  setOccupants(occupants: readonly Occupant[]): void {
    this.occupants = occupants;
    this.leader.books.poolsChanged();
  }

  pass(ms: number): void {
    this.nowMs += ms;
    if ((this.leader.books.ledger.wakeAtMs ?? Number.POSITIVE_INFINITY) <= this.nowMs) this.leader.books.wake();
  }
}

export class ModelLeader {
  readonly books: Bookkeeping;
  /** Patches, for messages. */
  readonly sent: string[] = [];
  readonly answers: Answer[] = [];
  readonly #world: ModelWorld;
  readonly #informers: { services: ModelInformer<V1Service>; pools: ModelInformer<AddressPool> };
  readonly #caches: { services: FreshCache<V1Service>; pools: FreshCache<AddressPool> };
  readonly #dirty = new Set<string>();
  #poolsDirty = true;
  readonly #waitsSinceMs = new Map<string, number>();
  /** Keys of which a request is on its way. */
  readonly #busy = new Set<string>();

  constructor(world: ModelWorld) {
    this.#world = world;
    this.#informers = { services: new ModelInformer(world.services), pools: new ModelInformer(world.pools) };
    this.#caches = {
      services: new FreshCache<V1Service>(this.#informers.services.asInformer),
      pools: new FreshCache<AddressPool>(this.#informers.pools.asInformer as never),
    };
    this.books = new Bookkeeping({
      ...this.#caches,
      facts: {
        get occupants() {
          return world.occupants;
        },
        namespaceLabels: () => undefined,
      },
      defaultClass: false,
      now: () => world.nowMs++,
      onServices: (keys) => {
        for (const key of keys) this.#dirty.add(key);
      },
      onPools: () => {
        this.#poolsDirty = true;
      },
    });
    this.books.load();
    for (const key of world.services.objects.keys()) this.#dirty.add(key);
  }

  stop(): void {
    this.#informers.services.stop();
    this.#informers.pools.stop();
  }

  deliver(kind: Kind): boolean {
    return this.#informers[kind].deliver();
  }

  redeliver(kind: Kind, back: number): void {
    this.#informers[kind].redeliver(back);
  }

  /** Looks at one of the Services to be looked at, and sends what is to be written; `pick` chooses. Whether that was a step on. */
  sendService(pick = 0): boolean {
    const keys = [...this.#dirty].filter((key) => !this.#busy.has(key));
    const key = keys[pick % Math.max(1, keys.length)];
    if (key === undefined) return false;
    const object = this.#caches.services.get(key);
    const decision = object && this.books.servicePlan(key, object);
    if (decision?.waits) {
      if (!this.#waitsSinceMs.has(key)) this.#waitsSinceMs.set(key, this.#world.nowMs);
      return false;
    }
    this.#dirty.delete(key);
    if (!decision?.patch) return true;
    this.books.sending(key, object!, decision.patch);
    this.#send('services', key, decision.patch, this.#recordsFor(key, object!));
    return true;
  }

  /** How many Services are to be looked at. */
  get dirty(): number {
    return this.#dirty.size;
  }

  sendPool(): boolean {
    if (!this.#poolsDirty) return false;
    for (const object of this.#caches.pools.list().sort(byAge)) {
      const { name } = object.metadata;
      if (this.#busy.has(name)) return false; // one after the other
      const patch = this.books.poolPlan(object);
      if (!patch) continue;
      this.#send('pools', name, patch);
      return true;
    }
    this.#poolsDirty = false;
    return false;
  }

  /** Reads the next answer, if there is one. */
  hear(): boolean {
    const answer = this.answers.shift();
    if (!answer) return false;
    const { kind, key, object } = answer;
    this.#busy.delete(key);
    if (object === 'not found') return true;
    if (kind === 'services') this.#dirty.add(key);
    else this.#poolsDirty = true;
    if (object === 'failed') return true;
    const fresh = object === 'conflict' ? this.#world[kind].objects.get(key) : object;
    const gone = fresh?.metadata?.deletionTimestamp && !fresh.metadata.finalizers?.length;
    if (!fresh || gone) return true;
    if (kind === 'services') this.#caches.services.take(fresh as V1Service);
    else this.#caches.pools.take(fresh as AddressPool);
    return true;
  }

  /** Where the Service's addresses have to be on record before they are taken away. Not at all when that took too long. */
  #recordsFor(key: string, object: V1Service): Flight['records'] {
    const since = this.#waitsSinceMs.get(key) ?? this.#world.nowMs;
    this.#waitsSinceMs.delete(key);
    if (this.#world.nowMs - since > PATIENCE_MS) return new Map();
    const { allocator } = this.books.ledger;
    return new Map(
      ipsOf(object).flatMap((ip) => {
        const address = parseAddress(ip);
        const pool = allocator.poolOf(address);
        const coolDownMs = (pool !== undefined && allocator.pool(pool)?.coolDownMs) || 0;
        const isAlone = allocator.holdersOf(address).join() === key;
        return pool !== undefined && coolDownMs > 0 && isAlone ? [[ip, { pool, coolDownMs }]] : [];
      }),
    );
  }

  #send(kind: Kind, key: string, { body, subresource }: PlannedPatch, records: Flight['records'] = new Map()): void {
    this.sent.push(`${key} ${JSON.stringify(body)}`);
    this.#busy.add(key);
    const plannedMs = this.#world.nowMs;
    this.#world.network.push({ kind, key, body, subresource, sender: this, plannedMs, givenUp: false, records });
  }
}
