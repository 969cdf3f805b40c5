/**
 * What holds for the allocator whatever happens in whatever order: pools that come, go and change, Services that share,
 * addresses that cool down or are withheld.
 */

import { addressOf, type Family, formatAddress, type IpAddress, parseRange, spaceHas } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { allocatorPool, holder } from '../model/model-cluster.spec.helpers.js';
import type { AllocatorPool, Holder } from './allocator.js';
import { sharer, TestAllocator } from './allocator.spec.helpers.js';
import { sharingFault } from './allocator-sharing.js';

const UNIVERSE: IpAddress[] = [
  ...[...Array(12).keys()].map((n) => addressOf('ipv4', 0x0a0000fan + BigInt(n))),
  ...[...Array(8).keys()].map((n) => addressOf('ipv6', (0x20010db8n << 96n) + BigInt(n))),
];

const variants: AllocatorPool[][] = [
  [allocatorPool('a', ['10.0.0.250-10.0.1.5', '2001:db8::/126']), allocatorPool('b', ['2001:db8::4/127'])],
  [allocatorPool('a', ['10.0.0.250-10.0.1.1', '2001:db8::/126'], { avoidBuggyAddresses: true, coolDownMs: 5 })],
  [
    allocatorPool('b', ['10.0.0.252/31', '2001:db8::/125'], { reusePolicy: 'LeastRecentlyUsed', coolDownMs: 3 }),
    allocatorPool('a', ['10.0.1.0/30'], { sharing: 'Never', priority: 1 }),
  ],
  [allocatorPool('a', ['10.0.0.250-10.0.1.5'], { mode: 'closed', why: 'broken' })],
  [
    allocatorPool('a', ['10.0.0.250-10.0.1.5'], { deleting: true, mode: 'closed' }),
    allocatorPool('c', ['10.0.0.250/31']),
  ],
];
const withheldVariants = [[], ['10.0.0.251/32', '2001:db8::2/127'], ['10.0.1.0/31']].map((texts) =>
  texts.map((text) => ({ range: parseRange(text), why: text })),
);

const families: Family[][] = [['ipv4'], ['ipv6'], ['ipv4', 'ipv6']];
const who = fc
  .tuple(fc.nat(6), fc.constantFrom(undefined, 'k', 'l'), fc.nat(2))
  .map(([n, key, port]) => (key === undefined ? holder(`s${n}`) : sharer(`s${n}`, key, [`tcp/${port}`])));
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('allocate' as const),
      who,
      families: fc.constantFrom(...families),
      any: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ask' as const), who, at: fc.nat(UNIVERSE.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('adopt' as const), who, at: fc.nat(UNIVERSE.length - 1) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(4) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pools' as const), to: fc.nat(variants.length - 1), withheld: fc.nat(2) }),
  },
);

describe('the allocator, whatever happens', () => {
  it('gives no address to two that may not share it, keeps what is withheld and cools, and counts every address once', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        let pools = variants[0]!;
        let withheld = withheldVariants[0]!;
        const allocator = new TestAllocator(pools, withheld);
        /** The model: address → its holders. */
        const users = new Map<string, Holder[]>();
        const freedBy = new Map<string, { untilMs: number; by: string }>();
        const record = (address: IpAddress, one: Holder) => {
          const text = formatAddress(address);
          users.set(text, [...(users.get(text) ?? []).filter(({ key }) => key !== one.key), one]);
          freedBy.delete(text);
        };
        for (const step of operations) {
          switch (step.kind) {
            case 'allocate':
            case 'ask': {
              const asked = step.kind === 'ask' ? [UNIVERSE[step.at]!] : [];
              const wish =
                step.kind === 'ask'
                  ? { families: [asked[0]!.family], addresses: asked }
                  : { families: step.families, need: step.any ? ('any' as const) : ('all' as const) };
              const given = allocator.allocate(step.who, wish) ?? [];
              expect(new Set(given.map(({ pool }) => pool)).size, 'one pool').to.be.lessThan(2);
              if (given.length > 0 && wish.need !== 'any') expect(given).to.have.length(wish.families.length);
              for (const { address, pool: name } of given) {
                const text = formatAddress(address);
                const pool = pools.find((each) => each.name === name)!;
                expect(pool.mode).to.equal('open');
                expect(spaceHas(pool, address), `${text} is one of ${name}`).to.equal(true);
                const others = (users.get(text) ?? []).filter(({ key }) => key !== step.who.key);
                expect(sharingFault(step.who, others, pool.sharing), text).to.equal(undefined);
                expect(
                  withheld.some(({ range }) => spaceHas({ ranges: [range], avoidBuggyAddresses: false }, address)),
                ).to.equal(false);
                const cooling = freedBy.get(text);
                const isStranger = cooling !== undefined && cooling.by !== step.who.key && step.kind === 'allocate';
                if (isStranger) expect(cooling.untilMs, text).to.be.at.most(allocator.clock.nowMs);
                record(address, step.who);
              }
              break;
            }
            case 'adopt': {
              const address = UNIVERSE[step.at]!;
              const others = (users.get(formatAddress(address)) ?? []).filter(({ key }) => key !== step.who.key);
              const fault = allocator.adopt(step.who, address);
              expect(fault === undefined).to.equal(sharingFault(step.who, others, 'AnyNamespace') === undefined);
              if (!fault) record(address, step.who);
              break;
            }
            case 'release': {
              const all = [...users].flatMap(([text, holders]) => holders.map((one) => [text, one] as const));
              const chosen = all[step.pick % Math.max(all.length, 1)];
              if (!chosen) break;
              const [text, one] = chosen;
              const home = allocator.poolOf(UNIVERSE.find((each) => formatAddress(each) === text)!);
              allocator.free(one.key, text);
              const rest = users.get(text)!.filter((each) => each !== one);
              if (rest.length > 0) {
                users.set(text, rest);
              } else {
                users.delete(text);
                const coolDownMs = pools.find((each) => each.name === home)?.coolDownMs ?? 0;
                if (coolDownMs > 0) freedBy.set(text, { untilMs: allocator.clock.nowMs + coolDownMs, by: one.key });
              }
              break;
            }
            case 'wait':
              allocator.clock.nowMs += step.ms;
              allocator.wake();
              break;
            case 'pools':
              pools = variants[step.to]!;
              withheld = withheldVariants[step.withheld]!;
              allocator.setPools(pools, withheld);
          }
          expect(allocator.size, 'nobody loses an address').to.equal(users.size);
          for (const pool of pools) {
            for (const family of ['ipv4', 'ipv6'] as const) {
              const own = UNIVERSE.filter((each) => each.family === family && spaceHas(pool, each));
              const { capacity, inUse, coolingDown, withheld: held, free } = allocator.usage(pool.name, family)!;
              expect(capacity).to.equal(BigInt(own.length));
              expect(BigInt(inUse + coolingDown) + held + free).to.equal(capacity);
              expect(free >= 0n && held >= 0n).to.equal(true);
            }
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});
