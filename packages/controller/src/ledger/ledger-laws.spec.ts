/**
 * The laws of allocation, whatever happens in whatever order: Services of both families that ask for pools and addresses
 * and share; pools that are made, edited, shrunk and deleted; other stations; writes refused, failed, carried out without
 * an answer, or only long after their sender has given them up; watch events late and repeated; cool-downs; crashes and
 * changes of the leader between any two steps, with requests of the former one still on their way.
 */

import {
  type AddressPool,
  type Family,
  formatAddress,
  type IpAddress,
  isAddress,
  parseAddress,
  parseRange,
  parseRequest,
  rangesHave,
  refusedBy,
  type ServiceRequest,
} from '@fairlead/api';
import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import fc from 'fast-check';
import type { AllocatorPool } from '../allocator/allocator.js';
import { sharingFault } from '../allocator/allocator-sharing.js';
import { ipsOf, mergePatch, service } from '../model/model-cluster.spec.helpers.js';
import { type Arrival, type Fate, ModelWorld } from '../model/model-leader.spec.helpers.js';
import { coolingOf, GRAIN_MS } from '../pools/pool-cooling.js';
import type { Occupant } from '../pools/pool-occupants.js';
import { allocatorPoolOf, byAge } from '../pools/pool-view.js';
import { observeService } from '../services/service-observation.js';

const COOL_DOWN = 60;
const NAMESPACES = ['default', 'other'];
const KEYS = NAMESPACES.flatMap((namespace) => ['s0', 's1', 's2', 's3'].map((name) => `${namespace}/${name}`));

/** What pools may be told to be; some overlap each other, and some cannot be read. */
const SPECS: object[] = [
  { addresses: ['192.0.2.0/31', '2001:db8::/127'] },
  { addresses: ['192.0.2.0/31', '2001:db8::/127'], coolDownSeconds: COOL_DOWN },
  { addresses: ['192.0.2.1-192.0.2.2', '2001:db8::1/128'], coolDownSeconds: COOL_DOWN, sharing: 'AnyNamespace' },
  { addresses: ['192.0.2.0/30'], reusePolicy: 'LeastRecentlyUsed', coolDownSeconds: COOL_DOWN },
  { addresses: ['192.0.2.2/31', '2001:db8::/128'], reclaim: true },
  { addresses: ['192.0.2.2/31', '2001:db8::/128'], reclaim: true, coolDownSeconds: COOL_DOWN },
  { addresses: ['198.51.100.0/31', '2001:db8:1::/127'], namespaces: ['other'] },
  { addresses: ['198.51.100.0/32'], autoAssign: false },
  { addresses: ['198.51.100.0/30'], excludeAddresses: ['198.51.100.1'], sharing: 'Never', priority: 1 },
  { addresses: ['192.0.2.9-192.0.2.1'] },
];
const OCCUPANTS: Occupant[][] = [[], ['192.0.2.1'], ['192.0.2.0', '198.51.100.0']].map((texts) =>
  texts.map((text) => ({ kind: 'node', name: `node "${text}"`, range: parseRange(`${text}/32`) })),
);

interface Shape {
  families: 'IPv4' | 'IPv6' | 'Prefer' | 'Require';
  pool: string;
  addresses: string;
  sharing: string;
  port: number;
  policy: string;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  families: fc.constantFrom('IPv4', 'IPv4', 'IPv6', 'Prefer', 'Require'),
  pool: fc.constantFrom('', '', '', 'a', 'b', 'c'),
  addresses: fc.constantFrom(
    '',
    '',
    '',
    '',
    '192.0.2.1',
    '198.51.100.0',
    '2001:db8::',
    '192.0.2.0,2001:db8::1',
    'nonsense',
  ),
  sharing: fc.constantFrom('', '', 'k', 'l'),
  port: fc.constantFrom(80, 81),
  policy: fc.constantFrom('Cluster', 'Cluster', 'Local'),
});

function patchOf({ families, pool, addresses, sharing, port, policy }: Shape): object {
  const both = families === 'Prefer' || families === 'Require';
  return {
    metadata: {
      annotations: {
        'fairlead.dev/address-pool': pool,
        'fairlead.dev/addresses': addresses,
        'fairlead.dev/sharing-key': sharing,
      },
    },
    spec: {
      ipFamilies: both ? ['IPv4', 'IPv6'] : [families],
      ipFamilyPolicy: both ? `${families}DualStack` : 'SingleStack',
      ports: [{ port, protocol: 'TCP' }],
      externalTrafficPolicy: policy,
    },
  };
}

const as = <T extends string>(what: T) => fc.constant(what);
const key = fc.constantFrom(...KEYS);
const poolName = fc.constantFrom('a', 'b');
const spec = fc.nat(SPECS.length - 1);
const kind = fc.constantFrom('services' as const, 'services' as const, 'pools' as const);
const pick = fc.nat(5);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: as('create'), key, shape }) },
  { weight: 2, arbitrary: fc.record({ do: as('edit'), key, shape }) },
  { weight: 3, arbitrary: fc.record({ do: as('delete'), key }) },
  fc.record({ do: as('retype'), key, type: fc.constantFrom('LoadBalancer', 'ClusterIP') }),
  fc.record({ do: as('clear'), key }),
  { weight: 2, arbitrary: fc.record({ do: as('pool'), poolName, spec }) },
  fc.record({ do: as('delete pool'), poolName }),
  fc.record({ do: as('stations'), which: fc.nat(OCCUPANTS.length - 1) }),
  fc.record({ do: as('pass'), ms: fc.constantFrom(100, 1_000, 20_000, 70_000) }),
  fc.record({ do: as('take over') }),
  fc.record({ do: as('repeat'), kind, back: fc.nat(6) }),
  fc.record({ do: as('give up'), pick }),
  { weight: 5, arbitrary: fc.record({ do: as('deliver'), kind, count: fc.nat(4) }) },
  { weight: 6, arbitrary: fc.record({ do: as('send'), pick }) },
  { weight: 3, arbitrary: fc.record({ do: as('send pool') }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: as('arrive'),
      pick,
      fate: fc.constantFrom<Fate>('answered', 'answered', 'answered', 'lost', 'failed'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: as('hear') }) },
  { weight: 2, arbitrary: fc.record({ do: as('rest') }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const numRuns = Number(process.env.FAIRLEAD_LAW_RUNS ?? 300);

describe('allocation, whatever happens in whatever order', function () {
  this.timeout(600_000);

  it('gives no address twice, renumbers nobody, loses nothing, lets freed addresses cool, and rests without a write', () => {
    fc.assert(
      fc.property(spec, fc.array(step, { maxLength: 150, size: 'max' }), (first, steps) => {
        const run = new Run();
        run.take({ do: 'pool', poolName: 'a', spec: first });
        for (const each of steps) run.take(each);
        run.rest();
      }),
      { numRuns },
    );
  });
});

interface Freed {
  byKey: string;
  /** When the write that freed it was planned, ms since the epoch. */
  sinceMs: number;
  /** Of its pool. */
  coolDownMs: number;
  /** The keys by which it shared while it may have had it. */
  sharing: ReadonlySet<string>;
  /** The leader knows who had it: it was there. */
  remembered: boolean;
}

class Run {
  readonly #world = new ModelWorld();
  /** Services of which somebody has asked something new: another address is no surprise, nor a quarrel about sharing. */
  readonly #edited = new Set<string>();
  /** Services that were given something by a former leader, whose write was late. */
  readonly #haunted = new Set<string>();
  /** Such a write may even give an address of a pool that is gone. */
  #wasHaunted = false;
  readonly #last = new Map<string, string[]>();
  readonly #freed = new Map<string, Freed>();
  /** All sharing keys of a Service's life: a leader may go by an earlier one for as long as it has not heard of the next. */
  readonly #sharing = new Map<string, Set<string>>();
  #pools = 0;

  take(each: Step): void {
    const { services, leader } = this.#world;
    switch (each.do) {
      case 'create': {
        const [namespace, name] = each.key.split('/') as [string, string];
        if (!services.objects.has(each.key)) {
          this.#edited.delete(each.key);
          this.#sharing.delete(each.key);
          this.#asksToShare(each.key, each.shape);
        }
        services.create(mergePatch(service(name, { metadata: { namespace } }), patchOf(each.shape)) as V1Service);
        break;
      }
      case 'edit':
        this.#edited.add(each.key);
        this.#asksToShare(each.key, each.shape);
        services.edit(each.key, patchOf(each.shape));
        break;
      case 'delete':
        this.#lose(each.key);
        services.delete(each.key);
        break;
      case 'retype': {
        this.#edited.add(each.key);
        const loadBalancerClass = each.type === 'LoadBalancer' ? 'fairlead.dev/lb' : null;
        services.edit(each.key, { spec: { type: each.type, loadBalancerClass } });
        break;
      }
      case 'clear':
        this.#edited.add(each.key);
        this.#lose(each.key);
        services.edit(each.key, { status: { loadBalancer: null } });
        break;
      case 'pool':
        this.#editPool(each.poolName, SPECS[each.spec]!);
        break;
      case 'delete pool':
        this.#mayMove(each.poolName);
        this.#world.pools.delete(each.poolName);
        break;
      case 'stations':
        this.#world.setOccupants(OCCUPANTS[each.which]!);
        break;
      case 'pass':
        this.#world.pass(each.ms);
        break;
      case 'take over':
        this.#takeOver();
        break;
      case 'repeat':
        leader.redeliver(each.kind, each.back);
        break;
      case 'give up':
        this.#world.giveUp(each.pick);
        break;
      case 'deliver':
        for (let n = 0; n < each.count; n++) leader.deliver(each.kind);
        break;
      case 'send':
        leader.sendService(each.pick);
        break;
      case 'send pool':
        leader.sendPool();
        break;
      case 'arrive':
        this.#arrive(each.pick, each.fate);
        break;
      case 'hear':
        leader.hear();
        break;
      case 'rest':
        this.rest();
    }
    this.#check();
  }

  rest(): void {
    this.#settle();
    this.#edited.clear();
    if (!this.#wasHaunted) this.#expectPools();
    this.#haunted.clear();
    for (const [each, object] of this.#world.services.objects) if (this.#longsForOthers(object)) this.#edited.add(each);
    this.#expectNoAddressTwice();
    this.#expectPendingOnlyWhenImpossible();
    this.#world.pass(2 * COOL_DOWN * 1_000);
    this.#settle();
    this.#expectPendingOnlyWhenImpossible();
    const shown = new Set([...this.#world.services.objects.values()].flatMap(ipsOf));
    expect(this.#world.leader.books.ledger.allocator.size, 'no address is lost').to.equal(shown.size);
    this.#takeOver();
    this.#settle();
    expect(this.#world.leader.sent.join(), 'a restart changes nothing').to.equal('');
  }

  /** No pool goes while one of its addresses is in use. */
  #expectPools(): void {
    const { allocator } = this.#world.leader.books.ledger;
    for (const ip of [...this.#world.services.objects.values()].flatMap(ipsOf)) {
      expect(allocator.poolOf(parseAddress(ip)), `the pool of ${ip}`).to.not.equal(undefined);
    }
  }

  /** Until nothing is left to hear, to write or to arrive. */
  #settle(): void {
    const { network } = this.#world;
    for (let round = 0; ; round++) {
      if (round > 5_000) throw new Error('no rest');
      const { leader } = this.#world;
      if (leader.deliver('services') || leader.deliver('pools') || leader.hear()) continue;
      if (network.length > 0) this.#arrive(0, 'answered');
      else if (!leader.sendPool() && !this.#sendAny()) break;
      this.#check();
    }
    expect(this.#world.leader.dirty, 'nobody waits for a record for ever').to.equal(0);
  }

  #sendAny(): boolean {
    const { leader } = this.#world;
    for (let n = leader.dirty; n > 0; n--) if (leader.sendService(n - 1)) return true;
    return false;
  }

  #editPool(name: string, poolSpec: object): void {
    const { pools } = this.#world;
    this.#mayMove(name);
    if (pools.objects.has(name)) {
      const before = pools.objects.get(name)!.spec as object;
      const gone = Object.fromEntries(Object.keys(before).map((field) => [field, null]));
      pools.edit(name, { spec: { ...gone, ...poolSpec } });
    } else {
      const creationTimestamp = new Date(Date.UTC(2026, 0, 1, 0, 0, this.#pools++)).toISOString();
      pools.create({
        apiVersion: 'fairlead.dev/v1alpha1',
        kind: 'AddressPool',
        metadata: { name, creationTimestamp },
        spec: poolSpec,
      } as AddressPool);
    }
    this.#mayMove(name);
  }

  /**
   * A pool asked for by name that has the address no longer, and one that reclaims it, are reasons to move. What it gives
   * away is cooled by other rules then.
   */
  #mayMove(name: string): void {
    const { pools, services } = this.#world;
    const reclaims = pools.objects.get(name)?.spec.reclaim;
    for (const [each, object] of services.objects) {
      if (reclaims || object.metadata?.annotations?.['fairlead.dev/address-pool']) this.#edited.add(each);
    }
    for (const freed of this.#freed.values()) freed.coolDownMs = 0;
  }

  #takeOver(): void {
    // What users have taken off by hand is on record only if there was time for it.
    const pools = [...this.#world.pools.objects.values()];
    for (const [ip, freed] of this.#freed) {
      const entries = pools.flatMap(coolingOf).filter(({ range }) => rangesHave([range], parseAddress(ip)));
      const until = Math.max(0, ...entries.map(({ untilMs }) => untilMs));
      freed.remembered = false;
      freed.coolDownMs = Math.min(freed.coolDownMs, until - freed.sinceMs);
    }
    this.#mayQuarrel();
    this.#world.takeOver();
  }

  /** A leader who does not know what was cannot tell which of those that shared an address and fit no longer has changed, unless by its key. */
  #mayQuarrel(): void {
    const { objects } = this.#world.services;
    for (const each of [...this.#edited]) {
      const object = objects.get(each);
      if (object === undefined || !sharingKeyOf(object)) continue;
      const ips = new Set(ipsOf(object));
      for (const [other, { status }] of objects) {
        if ((status?.loadBalancer?.ingress ?? []).some(({ ip }) => ips.has(ip!))) this.#edited.add(other);
      }
    }
  }

  #arrive(which: number, fate: Fate): void {
    const arrival = this.#world.arrive(which, fate);
    if (!arrival) return;
    const { key: each, before, after, late } = arrival;
    const had = ipsOf(before);
    const has = ipsOf(after);
    if (late && has.some((ip) => !had.includes(ip))) {
      this.#haunted.add(each);
      this.#wasHaunted = true;
    }
    this.#expectRecord(arrival);
    for (const ip of has.filter((one) => !had.includes(one))) this.#expectCool(ip, each, after!, late);
    for (const ip of had.filter((one) => !has.includes(one))) this.#free(ip, each, arrival.plannedMs);
  }

  /** What a leader takes away, and what has to cool, is in the pool's status by then: so it survives a crash. */
  #expectRecord({ key: each, before, after, plannedMs, late, records }: Arrival): void {
    if (late) return;
    for (const ip of ipsOf(before).filter((one) => !ipsOf(after).includes(one))) {
      const { pool = '', coolDownMs = 0 } = records.get(ip) ?? {};
      const object = this.#world.pools.objects.get(pool);
      if (!object) continue;
      const entry = coolingOf(object).find(({ range }) => rangesHave([range], parseAddress(ip)));
      expect(entry?.untilMs ?? 0, `record of ${ip} of ${each}`).to.be.at.least(plannedMs + coolDownMs - GRAIN_MS);
    }
  }

  /** Somebody takes addresses off a Service by hand. */
  #lose(each: string): void {
    const object = this.#world.services.objects.get(each);
    if (object?.metadata?.finalizers?.length && !object.metadata.deletionTimestamp) return;
    for (const ip of ipsOf(object)) this.#free(ip, each, this.#world.nowMs);
  }

  #asksToShare(each: string, { sharing }: Shape): void {
    const keys = this.#sharing.get(each) ?? new Set();
    this.#sharing.set(each, sharing ? keys.add(sharing) : keys);
  }

  #free(ip: string, byKey: string, sinceMs: number): void {
    if (this.#haunted.has(byKey)) return;
    const others = [...this.#world.services.objects].some(
      ([other, object]) => other !== byKey && ipsOf(object).includes(ip),
    );
    if (others) return;
    const { allocator } = this.#world.leader.books.ledger;
    const home = allocator.poolOf(parseAddress(ip));
    const coolDownMs = (home !== undefined && allocator.pool(home)?.coolDownMs) || 0;
    const sharing = this.#sharing.get(byKey) ?? new Set();
    this.#freed.set(ip, { byKey, sinceMs, coolDownMs, sharing, remembered: true });
  }

  #expectCool(ip: string, each: string, object: V1Service, late: boolean): void {
    const freed = this.#freed.get(ip);
    this.#freed.delete(ip);
    const key = sharingKeyOf(object);
    // One that shares with somebody who asks for this very address gets it, too.
    const asked = [...this.#world.services.objects.values()].some(
      (other) =>
        (other === object || (key && sharingKeyOf(other) === key)) &&
        other.metadata?.annotations?.['fairlead.dev/addresses']?.includes(ip),
    );
    // Who shares may have had it before the other one let it go.
    const shared = [...(this.#sharing.get(each) ?? [])].some((one) => freed?.sharing.has(one));
    if (!freed || freed.byKey === each || asked || shared || late) return;
    const { nowMs } = this.#world;
    expect(nowMs, `${ip} of ${freed.byKey} for ${each}`).to.be.at.least(freed.sinceMs + freed.coolDownMs - GRAIN_MS);
  }

  #check(): void {
    this.#expectNoAddressTwice();
    const reclaims = [...this.#world.pools.objects.values()].some((pool) => pool.spec.reclaim);
    for (const [each, object] of this.#world.services.objects) {
      const ips = ipsOf(object);
      const id = `${each} ${object.metadata?.uid}`;
      const before = this.#last.get(id) ?? [];
      // A second family may be added; what was there stays.
      if (!reclaims && !this.#edited.has(each) && !this.#haunted.has(each))
        expect(ips, each).to.include.members(before);
      this.#last.set(id, ips);
    }
  }

  #expectNoAddressTwice(): void {
    const users = new Map<string, string[]>();
    for (const [each, object] of this.#world.services.objects) {
      for (const ip of ipsOf(object)) users.set(ip, [...(users.get(ip) ?? []), each]);
    }
    const exempt = (each: string) => this.#edited.has(each) || this.#haunted.has(each);
    for (const [ip, keys] of users) {
      for (const one of keys) {
        for (const other of keys) {
          if (one === other || exempt(one) || exempt(other)) continue;
          expect(this.#fault(one, other), `${ip} of ${one} and ${other}`).to.equal(undefined);
        }
      }
    }
  }

  #fault(one: string, other: string) {
    const holder = (each: string) =>
      observeService(this.#world.services.objects.get(each)!, { defaultClass: false }).holder;
    return sharingFault(holder(one), [holder(other)], 'AnyNamespace');
  }

  #expectPendingOnlyWhenImpossible(): void {
    const pools = [...this.#world.pools.objects.values()].sort(byAge).map(allocatorPoolOf);
    for (const [each, object] of this.#world.services.objects) {
      const ips = ipsOf(object);
      if (object.spec?.type !== 'LoadBalancer') expect(ips, each).to.deep.equal([]);
      const parsed = parseRequest(object);
      if (object.spec?.type !== 'LoadBalancer' || !parsed.ok) continue;
      const { families, need } = parsed.request;
      const suiting = ips.map(parseAddress).filter((address) => this.#suits(address, parsed.request));
      const missing = families.filter((family) => !suiting.some((address) => address.family === family));
      if (missing.length === 0) continue;
      const wanted = need === 'all' ? [missing] : missing.map((family) => [family]);
      for (const some of wanted) {
        const possible = pools.find((pool) =>
          some.every((family) => this.#has(pool, each, object, parsed.request, family)),
        );
        expect(possible?.name, `${each} has ${ips} and waits for ${some}`).to.equal(undefined);
      }
    }
  }

  /** It has an address, and moves as soon as there is the one that it should have. */
  #longsForOthers(object: V1Service): boolean {
    const parsed = parseRequest(object);
    if (!parsed.ok) return false;
    const addresses = ipsOf(object).map(parseAddress);
    return !addresses.every(
      (each) => parsed.request.families.includes(each.family) && this.#suits(each, parsed.request),
    );
  }

  #suits(address: IpAddress, { pool, addresses }: ServiceRequest): boolean {
    const { allocator } = this.#world.leader.books.ledger;
    const asked = addresses.find(({ family }) => family === address.family);
    if (asked && formatAddress(asked) !== formatAddress(address)) return false;
    return (pool === undefined || allocator.poolOf(address) === pool) && !allocator.isReclaimed(address);
  }

  /** Looked for the long way: address by address. */
  #has(pool: AllocatorPool, each: string, object: V1Service, request: ServiceRequest, family: Family): boolean {
    const { holder } = observeService(object, { defaultClass: false });
    if (pool.mode !== 'open' || refusedBy(pool, holder)) return false;
    if (request.pool === undefined ? !pool.autoAssign && request.addresses.length === 0 : request.pool !== pool.name) {
      return false;
    }
    if (request.need === 'any' && request.addresses.some((address) => address.family !== family)) return false;
    const asked = request.addresses.find((address) => address.family === family);
    const candidates = asked ? (rangesHave(pool.ranges, asked) ? [formatAddress(asked)] : []) : all(pool, family);
    const cooling = asked ? [] : this.#world.leader.books.ledger.allocator.coolingIn(pool.name);
    return candidates.some((ip) => {
      const freed = this.#freed.get(ip);
      const isOwn = freed?.remembered && freed.byKey === each;
      if (!isOwn && cooling.some(({ address }) => formatAddress(address) === ip)) return false;
      if (this.#world.occupants.some(({ range }) => isAddress(ip) && rangesHave([range], parseAddress(ip))))
        return false;
      const users = [...this.#world.services.objects.values()].filter((other) => ipsOf(other).includes(ip));
      const holders = users.map((other) => observeService(other, { defaultClass: false }).holder);
      return !sharingFault(holder, holders, pool.sharing);
    });
  }
}

function sharingKeyOf({ metadata }: V1Service): string | undefined {
  return metadata?.annotations?.['fairlead.dev/sharing-key'];
}

function all(pool: AllocatorPool, family: Family): string[] {
  return pool.ranges.flatMap(({ first, last }) => {
    const texts: string[] = [];
    if (first.family !== family) return texts;
    for (let value = BigInt(first.value); value <= BigInt(last.value); value++) {
      texts.push(formatAddress(family === 'ipv4' ? { family, value: Number(value) } : { family: 'ipv6', value }));
    }
    return texts;
  });
}
