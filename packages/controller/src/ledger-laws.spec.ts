/**
 * The laws of the ledger, whatever happens in whatever order: Services of both families that ask for pools and addresses and
 * share, pools that change, writes refused for being stale, watch events late and repeated, crashes between any two steps.
 */

import {
  formatAddress,
  type IpAddress,
  parseAddress,
  parseRequest,
  rangesHave,
  refusedBy,
  type ServiceRequest,
} from '@fairlead/api';
import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import fc from 'fast-check';
import type { AllocatorPool } from './allocator.js';
import { sharingFault } from './allocator-sharing.js';
import { allocatorPool, ipsOf, ModelCluster, ModelController, service } from './model-cluster.spec.helpers.js';
import { observeService } from './service-observation.js';

const a = (addresses: string[], more: Partial<AllocatorPool> = {}) => allocatorPool('a', addresses, more);
const b = (addresses: string[], more: Partial<AllocatorPool> = {}) => allocatorPool('b', addresses, more);
const POOLS: AllocatorPool[][] = [
  [a(['192.0.2.0/31', '2001:db8::/127']), b(['198.51.100.0/31'], { sharing: 'AnyNamespace' })],
  [a(['192.0.2.1-192.0.2.2', '2001:db8::1/128']), b(['198.51.100.0/32'], { autoAssign: false })],
  [b(['198.51.100.0/31', '2001:db8:1::/127'], { namespaces: ['other'] }), a(['192.0.2.0/30'])],
  [a(['192.0.2.0/31'], { mode: 'closed', why: 'broken' }), b(['198.51.100.0/32'], { sharing: 'Never' })],
  [a(['192.0.2.2/31', '2001:db8::/128'], { reclaim: true })],
  [],
];
const NAMESPACES = ['default', 'other'];
const KEYS = NAMESPACES.flatMap((namespace) => ['s0', 's1', 's2', 's3'].map((name) => `${namespace}/${name}`));

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
  pool: fc.constantFrom('', '', 'a', 'b', 'c'),
  addresses: fc.constantFrom(
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

const key = fc.constantFrom(...KEYS);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const), key, shape }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('edit' as const), key, shape }) },
  fc.record({ do: fc.constant('delete' as const), key }),
  fc.record({ do: fc.constant('retype' as const), key, type: fc.constantFrom('LoadBalancer', 'ClusterIP') }),
  fc.record({ do: fc.constant('clear' as const), key }),
  fc.record({ do: fc.constant('pools' as const), which: fc.nat(POOLS.length - 1) }),
  fc.record({ do: fc.constant('restart' as const) }),
  fc.record({ do: fc.constant('repeat' as const), back: fc.nat(6) }),
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), count: fc.nat(4) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), pick: fc.nat(5), count: fc.nat(4) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe('the ledger, whatever happens in whatever order', () => {
  it('gives no address twice, renumbers nobody, loses nothing, and rests without a write', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const run = new Run();
        for (const each of steps) run.take(each);
        run.rest();
      }),
      { numRuns: 600 },
    );
  });
});

class Run {
  readonly #cluster = new ModelCluster();
  #pools = POOLS[0]!;
  #controller = new ModelController(this.#cluster, this.#pools);
  /** Services of which somebody has asked something new: another address is no surprise, nor a quarrel about sharing. */
  readonly #edited = new Set<string>();
  readonly #last = new Map<string, string[]>();

  take(each: Step): void {
    const cluster = this.#cluster;
    if (each.do === 'create') {
      const [namespace, name] = each.key.split('/') as [string, string];
      if (!cluster.services.has(each.key)) this.#edited.delete(each.key);
      cluster.create(mergeShape(service(name, { metadata: { namespace } }), each.shape));
    } else if (each.do === 'edit') {
      this.#edited.add(each.key);
      cluster.edit(each.key, patchOf(each.shape));
    } else if (each.do === 'delete') {
      cluster.delete(each.key);
    } else if (each.do === 'retype') {
      this.#edited.add(each.key);
      const loadBalancerClass = each.type === 'LoadBalancer' ? 'fairlead.dev/lb' : null;
      cluster.edit(each.key, { spec: { type: each.type, loadBalancerClass } });
    } else if (each.do === 'clear') {
      this.#edited.add(each.key);
      cluster.edit(each.key, { status: { loadBalancer: null } });
    } else if (each.do === 'pools') {
      // A pool asked for by name that has the address no longer, and one that reclaims it, are reasons to move.
      for (const every of KEYS) this.#edited.add(every);
      this.#pools = POOLS[each.which]!;
      this.#controller.setPools(this.#pools);
    } else if (each.do === 'restart') {
      this.#restart();
    } else if (each.do === 'repeat') {
      this.#controller.redeliver(each.back);
    } else {
      for (let n = 0; n < each.count; n++) {
        if (each.do === 'deliver') this.#controller.deliver();
        else this.#controller.write(each.pick);
        this.#check();
      }
    }
  }

  rest(): void {
    this.#controller.settle();
    this.#check();
    this.#edited.clear();
    this.#expectNoAddressTwice();
    this.#expectPendingOnlyWhenImpossible();
    const shown = new Set([...this.#cluster.services.values()].flatMap(ipsOf));
    expect(this.#controller.ledger.allocator.size, 'no address is lost').to.equal(shown.size);
    this.#restart();
    this.#controller.settle();
    expect(this.#controller.writes, 'a restart changes nothing').to.equal(0);
  }

  /** The pools' statuses have been written before: they know what drains. */
  #restart(): void {
    this.#controller.crash();
    const { allocator } = this.#controller.ledger;
    const known = this.#pools.map((pool) => ({ ...pool, draining: allocator.outside(pool.name, pool) }));
    this.#controller = new ModelController(this.#cluster, known);
  }

  #check(): void {
    this.#expectNoAddressTwice();
    for (const [each, object] of this.#cluster.services) {
      const ips = ipsOf(object);
      const id = `${each} ${object.metadata?.uid}`;
      const before = this.#last.get(id) ?? [];
      // A second family may be added; what was there stays.
      if (!this.#edited.has(each)) expect(ips, each).to.include.members(before);
      this.#last.set(id, ips);
    }
  }

  #expectNoAddressTwice(): void {
    const users = new Map<string, string[]>();
    for (const [each, object] of this.#cluster.services) {
      for (const ip of ipsOf(object)) users.set(ip, [...(users.get(ip) ?? []), each]);
    }
    for (const [ip, keys] of users) {
      for (const one of keys) {
        for (const other of keys) {
          if (one === other || this.#edited.has(one) || this.#edited.has(other)) continue;
          expect(this.#fault(one, other), `${ip} of ${one} and ${other}`).to.equal(undefined);
        }
      }
    }
  }

  #fault(one: string, other: string) {
    const holder = (each: string) => observeService(this.#cluster.services.get(each)!, { defaultClass: false }).holder;
    return sharingFault(holder(one), [holder(other)], 'AnyNamespace');
  }

  #expectPendingOnlyWhenImpossible(): void {
    for (const [each, object] of this.#cluster.services) {
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
        const possible = this.#pools.find((pool) =>
          some.every((family) => this.#has(pool, object, parsed.request, family)),
        );
        expect(possible?.name, `${each} has ${ips} and waits for ${some}`).to.equal(undefined);
      }
    }
  }

  #suits(address: IpAddress, { pool, addresses }: ServiceRequest): boolean {
    const { allocator } = this.#controller.ledger;
    const asked = addresses.find(({ family }) => family === address.family);
    if (asked && formatAddress(asked) !== formatAddress(address)) return false;
    return (pool === undefined || allocator.poolOf(address) === pool) && !allocator.isReclaimed(address);
  }

  /** Looked for the long way: address by address. */
  #has(pool: AllocatorPool, object: V1Service, request: ServiceRequest, family: 'ipv4' | 'ipv6'): boolean {
    const { holder } = observeService(object, { defaultClass: false });
    if (pool.mode !== 'open' || refusedBy(pool, holder)) return false;
    if (request.pool === undefined ? !pool.autoAssign && request.addresses.length === 0 : request.pool !== pool.name) {
      return false;
    }
    if (request.need === 'any' && request.addresses.some((address) => address.family !== family)) return false;
    const asked = request.addresses.find((address) => address.family === family);
    const candidates = asked ? (rangesHave(pool.ranges, asked) ? [formatAddress(asked)] : []) : all(pool, family);
    return candidates.some((ip) => {
      const users = [...this.#cluster.services.values()].filter((other) => ipsOf(other).includes(ip));
      const holders = users.map((other) => observeService(other, { defaultClass: false }).holder);
      return !sharingFault(holder, holders, pool.sharing);
    });
  }
}

function mergeShape(object: V1Service, each: Shape): V1Service {
  const { metadata, spec } = patchOf(each) as V1Service;
  return {
    ...object,
    metadata: { ...object.metadata, ...metadata },
    spec: { ...object.spec, ...spec },
  } as V1Service;
}

function all(pool: AllocatorPool, family: 'ipv4' | 'ipv6'): string[] {
  return pool.ranges.flatMap(({ first, last }) => {
    const texts: string[] = [];
    if (first.family !== family) return texts;
    for (let value = BigInt(first.value); value <= BigInt(last.value); value++) {
      texts.push(formatAddress(family === 'ipv4' ? { family, value: Number(value) } : { family: 'ipv6', value }));
    }
    return texts;
  });
}
