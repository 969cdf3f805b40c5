/**
 * Two ledgers live through the same history: one confirms answers to writes where it can, the other one always observes them. There
 * is no difference between the two, ever.
 */

import { type Family, formatAddress } from '@fairlead/api';
import { versionOf } from '@fairlead/kube';
import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  allocatorPool,
  ModelCluster,
  ModelInformer,
  mergePatch,
  service,
} from '../model/model-cluster.spec.helpers.js';
import { observeService, sinceOf } from '../services/service-observation.js';
import { type PlannedPatch, planService } from '../services/service-plan.js';
import { FreshCache } from '../writing/fresh-cache.js';
import { SentPatches } from '../writing/sent-patches.js';
import { Ledger } from './ledger.js';

const KEYS = ['s0', 's1', 's2', 's3'].map((name) => `default/${name}`);
const FAMILIES: Family[] = ['ipv4', 'ipv6'];
const POOLS = [
  [allocatorPool('a', ['192.0.2.0/31', '2001:db8::/127'])],
  [allocatorPool('a', ['192.0.2.0/31', '2001:db8::/127'], { coolDownMs: 5_000 })],
  [allocatorPool('a', ['192.0.2.0/32'], { reclaim: true }), allocatorPool('b', ['192.0.2.1/32', '198.51.100.0/30'])],
  [allocatorPool('b', ['192.0.2.0/30', '2001:db8::/128']), allocatorPool('c', ['198.51.100.0/30'])],
];
const annotations = (more: object) => ({ metadata: { annotations: more } });
/** What users and other controllers do to a Service. */
const EDITS: object[] = [
  { metadata: { labels: { app: 'x' } } },
  { metadata: { finalizers: null } },
  annotations({ 'fairlead.dev/sharing-key': 'k' }),
  annotations({ 'fairlead.dev/sharing-key': null }),
  annotations({ 'fairlead.dev/address-pool': 'b' }),
  annotations({ 'fairlead.dev/addresses': '192.0.2.1' }),
  annotations({ 'fairlead.dev/addresses': 'nonsense' }),
  annotations({ 'fairlead.dev/addresses': null, 'fairlead.dev/address-pool': null }),
  { spec: { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' } },
  { spec: { ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' } },
  { spec: { ipFamilies: ['IPv4'] } },
  { spec: { type: 'ClusterIP', loadBalancerClass: null } },
  { spec: { type: 'LoadBalancer', loadBalancerClass: 'fairlead.dev/lb' } },
  { spec: { loadBalancerClass: null } },
  { status: { loadBalancer: null } },
  { status: { conditions: null } },
  { status: { loadBalancer: { ingress: [{ ip: '192.0.2.0', ipMode: 'Proxy' }] } } },
];

const as = <T extends string>(what: T) => fc.constant(what);
const key = fc.constantFrom(...KEYS);
const edit = fc.nat(EDITS.length - 1);
const pick = fc.nat(3);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: as('create'), key }) },
  { weight: 3, arbitrary: fc.record({ do: as('edit'), key, edit }) },
  { weight: 2, arbitrary: fc.record({ do: as('delete'), key }) },
  { weight: 1, arbitrary: fc.record({ do: as('pools'), which: fc.nat(POOLS.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ do: as('pass'), ms: fc.constantFrom(1_000, 6_000) }) },
  { weight: 4, arbitrary: fc.record({ do: as('deliver') }) },
  { weight: 8, arbitrary: fc.record({ do: as('send'), key }) },
  // `webhook`: what somebody else changes in the same write.
  { weight: 1, arbitrary: fc.record({ do: as('apply'), pick, webhook: edit }) },
  { weight: 7, arbitrary: fc.record({ do: as('apply'), pick, webhook: fc.constant(undefined) }) },
  { weight: 8, arbitrary: fc.record({ do: as('hear'), pick }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Twins {
  readonly #short = new Ledger(() => this.#nowMs);
  readonly #long = new Ledger(() => this.#nowMs);
  readonly #cluster = new ModelCluster();
  readonly #informer = new ModelInformer(this.#cluster);
  readonly #cache = new FreshCache<V1Service>(this.#informer.asInformer);
  readonly #sent = new SentPatches();
  readonly #requests: { key: string; plan: PlannedPatch }[] = [];
  readonly #answers: V1Service[] = [];
  #nowMs = Date.UTC(2026, 0, 3);
  confirmed = 0;

  constructor() {
    for (const ledger of [this.#short, this.#long]) ledger.load(POOLS[0]!, []);
    this.#cache.listen({
      onChange: (object, taken) => this.#observe(object, taken),
      onDelete: (each) => {
        this.#sent.delete(each);
        expect(this.#short.remove(each)).to.deep.equal(this.#long.remove(each));
      },
    });
  }

  get inUse(): number {
    return this.#short.allocator.size;
  }

  take(each: Step): void {
    this.#nowMs += 1;
    switch (each.do) {
      case 'create':
        this.#cluster.create(service(each.key.slice('default/'.length)));
        break;
      case 'edit':
        this.#cluster.edit(each.key, EDITS[each.edit]!);
        break;
      case 'delete':
        this.#cluster.delete(each.key);
        break;
      case 'pools':
        expect(this.#short.setPools(POOLS[each.which]!)).to.deep.equal(this.#long.setPools(POOLS[each.which]!));
        break;
      case 'pass':
        this.#nowMs += each.ms;
        expect(this.#short.wake()).to.deep.equal(this.#long.wake());
        break;
      case 'deliver':
        this.#informer.deliver();
        break;
      case 'send':
        this.#send(each.key);
        break;
      case 'apply':
        this.#apply(each.pick, each.webhook);
        break;
      case 'hear': {
        const [answer] = this.#answers.splice(each.pick % Math.max(1, this.#answers.length), 1);
        if (answer) this.#cache.take(answer);
      }
    }
    expect(this.#stateOf(this.#short)).to.deep.equal(this.#stateOf(this.#long));
    for (const object of this.#cache.list()) {
      const each = `default/${object.metadata!.name}`;
      if (!this.#short.isConfirmed(each)) continue;
      expect(planService(object, this.#long.verdict(each), this.#nowMs), each).to.equal(undefined);
    }
  }

  #observe(object: V1Service, taken: boolean): void {
    const seen = observeService(object, { defaultClass: false });
    const changed = this.#long.observe(seen);
    const answer = { version: versionOf(object), since: sinceOf(object) };
    if (taken && this.#sent.answered(seen.key, object) && this.#short.confirm(seen.key, answer)) {
      this.confirmed++;
      expect([...changed]).to.deep.equal([seen.key]);
    } else {
      expect(this.#short.observe(seen)).to.deep.equal(changed);
    }
  }

  #send(each: string): void {
    const object = this.#cache.get(each);
    const plan = object && planService(object, this.#long.verdict(each), this.#nowMs);
    if (!plan) return;
    for (const ledger of [this.#short, this.#long]) ledger.sending(each);
    this.#sent.add(each, object, plan.body);
    this.#requests.push({ key: each, plan });
  }

  #apply(pick: number, webhook: number | undefined): void {
    const [request] = this.#requests.splice(pick % Math.max(1, this.#requests.length), 1);
    if (!request) return;
    const { body, subresource } = request.plan;
    const more = webhook === undefined ? {} : EDITS[webhook]!;
    const answer = this.#cluster.patch(request.key, mergePatch(body, more) as object, subresource);
    if (typeof answer !== 'string' && this.#cluster.services.has(request.key)) this.#answers.push(answer);
  }

  #stateOf(ledger: Ledger) {
    const { allocator } = ledger;
    const addresses = new Map(
      KEYS.flatMap((each) => {
        const verdict = ledger.verdict(each);
        if (verdict.kind === 'decided') return verdict.allocations.map(({ address }) => address);
        return verdict.kind === 'release' ? verdict.addresses : [];
      }).map((address) => [formatAddress(address), allocator.holdersOf(address)]),
    );
    return {
      services: KEYS.map((each) => ({ verdict: ledger.verdict(each), leaving: ledger.leaving(each) })),
      waiting: ledger.waiting,
      wakeAtMs: ledger.wakeAtMs,
      cooled: ledger.takeCooled(),
      inUse: allocator.size,
      addresses,
      pools: ['a', 'b', 'c'].map((name) => FAMILIES.map((family) => ledger.usage.usage(name, family))),
      cooling: ['a', 'b', 'c'].map((name) => ledger.usage.coolingIn(name)),
    };
  }
}

describe('Ledger.confirm', () => {
  it('is what observing the answer to a write would be, whatever has happened before and meanwhile', function () {
    this.timeout(60_000);
    let confirmed = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const twins = new Twins();
        for (const each of steps) twins.take(each);
        confirmed += twins.confirmed;
      }),
      { numRuns: Number(process.env.FAIRLEAD_LAW_RUNS ?? 600) },
    );
    // Some 240 of them, by chance.
    expect(confirmed, 'answers that were confirmed').to.be.at.least(100);
  });

  const only = { key: 'default/s0' };
  const written = [
    { do: 'deliver' },
    { do: 'send', ...only },
    { do: 'apply', pick: 0, webhook: undefined },
    { do: 'hear', pick: 0 },
  ] as Step[];
  const created: Step[] = [{ do: 'create', ...only }, ...written];
  const edited = (patch: object): Step => ({ do: 'edit', ...only, edit: EDITS.indexOf(patch) });
  const [label] = EDITS;
  const [shares, asks] = [2, 5].map((index) => EDITS[index]!);
  const cases: [string, Step[], number][] = [
    ['a Service that gets its address', created, 1],
    [
      'nothing of one that is changed while its write is under way',
      [...created.slice(0, -1), edited(label!), { do: 'deliver' }, { do: 'deliver' }, ...created.slice(-1)],
      0,
    ],
    [
      'nothing of one that moves: what it leaves is free then',
      [...created, edited(asks!), { do: 'deliver' }, ...written],
      1,
    ],
    ['nothing of one that shares', [{ do: 'create', ...only }, edited(shares!), { do: 'deliver' }, ...written], 0],
  ];
  for (const [what, steps, times] of cases) {
    it(`confirms ${what}`, () => {
      const twins = new Twins();
      for (const each of steps) twins.take(each);
      expect(twins.confirmed).to.equal(times);
      expect(twins.inUse).to.equal(1);
    });
  }
});
