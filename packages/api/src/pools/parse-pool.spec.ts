import { expect } from 'chai';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '../addresses/address.js';
import { capacityOf } from '../addresses/range.js';
import { spaceCapacity, spaceHas } from './address-space.js';
import { findPool } from './find-pool.js';
import type { ParsedPool } from './parse-pool.js';
import { parseAddressPool } from './parse-pool.js';

function object(spec: unknown, metadata: object = {}, status?: unknown): object {
  return { metadata: { name: 'public', generation: 3, ...metadata }, spec, ...(status ? { status } : {}) };
}

function parsed(name: string, addresses: string[], createdAt = ''): ParsedPool {
  const result = parseAddressPool(object({ addresses }, { name, creationTimestamp: createdAt }));
  if (!result.ok) throw new Error(result.message);
  return result.pool;
}

describe('parseAddressPool', () => {
  it('fills in the defaults and sorts the ranges', () => {
    const result = parseAddressPool(object({ addresses: ['2001:db8::/64', '192.0.2.20-192.0.2.21', '192.0.2.0/30'] }));
    expect(result).to.deep.include({ ok: true });
    const { pool } = result as { pool: ParsedPool };
    expect(pool.addresses).to.deep.equal(['192.0.2.0/30', '192.0.2.20/31', '2001:db8::/64']);
    expect(pool).to.deep.include({ name: 'public', autoAssign: true, virtualRouters: 8, generation: 3 });
    expect(capacityOf(pool.ranges)).to.equal(6n + (1n << 64n));
  });

  const left: [string, object, string[], bigint][] = [
    ['nothing excluded', { addresses: ['192.0.2.0/30', '192.0.2.4/30'] }, ['192.0.2.0/30', '192.0.2.4/30'], 8n],
    ['a single address', { excludeAddresses: ['192.0.2.1'] }, ['192.0.2.0/32', '192.0.2.2-192.0.2.7'], 7n],
    [
      'a block and a range',
      { excludeAddresses: ['192.0.2.0/31', '192.0.2.6 - 192.0.2.9'] },
      ['192.0.2.2-192.0.2.5'],
      4n,
    ],
    ['what the pool does not have', { excludeAddresses: ['198.51.100.1', '2001:db8::/64'] }, ['192.0.2.0/29'], 8n],
    ['the ends of its subnet', { subnets: ['192.0.2.0/29'] }, ['192.0.2.1-192.0.2.6'], 6n],
    ['the ends of a larger subnet', { subnets: ['192.0.2.0/24'] }, ['192.0.2.1-192.0.2.7'], 7n],
    ['a subnet of two, which has no ends', { subnets: ['192.0.2.0/31'] }, ['192.0.2.0/29'], 8n],
    [
      "the routers' address of an IPv6 subnet",
      { addresses: ['2001:db8::/126'], subnets: ['2001:db8::/64'] },
      ['2001:db8::1-2001:db8::3'],
      3n,
    ],
    ['.0', { avoidBuggyAddresses: true }, ['192.0.2.0/29'], 7n],
    ['.0 and .255 of a /23', { addresses: ['192.0.2.0/23'], avoidBuggyAddresses: true }, ['192.0.2.0/23'], 508n],
    [
      '.0 and .255 of a part, IPv6 untouched',
      { addresses: ['192.0.2.254-192.0.3.1', '2001:db8::ff/128'], avoidBuggyAddresses: true },
      ['192.0.2.254-192.0.3.1', '2001:db8::ff/128'],
      3n,
    ],
  ];
  for (const [what, spec, addresses, capacity] of left) {
    it(`takes off ${what}`, () => {
      const result = parseAddressPool(object({ addresses: ['192.0.2.0/29'], ...spec }));
      const { pool } = result as { pool: ParsedPool };
      expect(pool.addresses).to.deep.equal(addresses);
      expect(spaceCapacity(pool, 'ipv4') + spaceCapacity(pool, 'ipv6')).to.equal(capacity);
    });
  }

  it('counts and finds the same addresses, whatever is taken off', () => {
    const start = fc.nat(600);
    const exclude = fc.array(fc.tuple(fc.nat(900), fc.nat(40)), { maxLength: 4 });
    fc.assert(
      fc.property(start, fc.nat(600), exclude, fc.boolean(), (from, length, holes, avoidBuggyAddresses) => {
        const text = (n: number) => formatAddress({ family: 'ipv4', value: 0x0a000000 + n });
        const excludeAddresses = holes.map(([first, more]) => `${text(first)}-${text(first + more)}`);
        const spec = { addresses: [`${text(from)}-${text(from + length)}`], excludeAddresses, avoidBuggyAddresses };
        const result = parseAddressPool(object(spec));
        const all = [...Array(length + 1).keys()].map((n) => from + n);
        const expected = all.filter(
          (n) =>
            !holes.some(([first, more]) => n >= first && n <= first + more) &&
            !(avoidBuggyAddresses && [0, 255].includes(n % 256)),
        );
        if (!result.ok) {
          expect([result.reason, expected.length]).to.deep.equal(['Empty', 0]);
          return;
        }
        const has = all.filter((n) => spaceHas(result.pool, { family: 'ipv4', value: 0x0a000000 + n }));
        expect(has).to.deep.equal(expected);
        expect(spaceCapacity(result.pool, 'ipv4')).to.equal(BigInt(expected.length));
      }),
    );
  });

  it('gives a cool-down to the least recently used, unless another one is asked for', () => {
    const coolDown = (spec: object) =>
      (parseAddressPool(object({ addresses: ['192.0.2.0/29'], ...spec })) as { pool: ParsedPool }).pool.coolDownSeconds;
    expect(coolDown({})).to.equal(0);
    expect(coolDown({ reusePolicy: 'LeastRecentlyUsed' })).to.equal(300);
    expect(coolDown({ reusePolicy: 'LeastRecentlyUsed', coolDownSeconds: 0 })).to.equal(0);
  });

  const good = { addresses: ['192.0.2.0/30'] };
  const bad: [string, unknown, string, RegExp][] = [
    [
      'nothing left',
      { ...good, excludeAddresses: ['192.0.2.0/24'] },
      'Empty',
      /192\.0\.2\.0\/30\) without spec\.excludeAddresses; list/,
    ],
    [
      'nothing left but what is avoided',
      { addresses: ['192.0.2.0/32'], avoidBuggyAddresses: true },
      'Empty',
      /without spec\.avoidBuggyAddresses/,
    ],
    [
      'a bad exclusion',
      { ...good, excludeAddresses: ['192.0.2.1', 'x'] },
      'InvalidAddresses',
      /excludeAddresses\[1\]: "x"/,
    ],
    [
      'a range for a subnet',
      { ...good, subnets: ['192.0.2.0-192.0.2.9'] },
      'InvalidAddresses',
      /subnets\[0\].*as a CIDR/,
    ],
    ['half a priority', { ...good, priority: 0.5 }, 'InvalidSpec', /priority is 0\.5; write a whole number/],
    ['an unknown policy', { ...good, reusePolicy: 'Random' }, 'InvalidSpec', /one of LowestFirst, LeastRecentlyUsed/],
    ['an unknown scope', { ...good, sharing: true }, 'InvalidSpec', /sharing is true; write one of SameNamespace/],
    ['an unknown engine', { ...good, election: 'bgp' }, 'InvalidSpec', /election is "bgp"; write one of lease, vrrp/],
    ['too long a cool-down', { ...good, coolDownSeconds: 86_401 }, 'InvalidSpec', /from 0 to 86400/],
    ['a namespace twice', { ...good, namespaces: ['a', 'a'] }, 'InvalidSpec', /namespaces lists "a" twice/],
    [
      'text for namespaces',
      { ...good, namespaces: 'a' },
      'InvalidSpec',
      /namespaces is "a"; write a list, such as \[shop/,
    ],
    [
      'a bad selector',
      { ...good, nodeSelector: { role: 'x' } },
      'InvalidSpec',
      /nodeSelector\.role means nothing; labels go/,
    ],
    [
      'a weight of 0',
      { ...good, preferredNodes: [{ weight: 0, selector: {} }] },
      'InvalidSpec',
      /\[0\]\.weight is 0; .*1 to 100/,
    ],
    [
      'a preference for nobody',
      { ...good, preferredNodes: [{ weight: 1 }] },
      'InvalidSpec',
      /\[0\]\.selector is missing/,
    ],
    ['a misspelt preference', { ...good, preferredNodes: [{ wait: 1 }] }, 'InvalidSpec', /\[0\]\.wait means nothing/],
    [
      'an interface with a slash',
      { ...good, interfaces: ['a/b'] },
      'InvalidSpec',
      /interfaces\[0\] is "a\/b"; write the name/,
    ],
    ['an interface of 16 characters', { ...good, interfaces: ['x'.repeat(16)] }, 'InvalidSpec', /at most 15/],
    ['a * in the middle', { ...good, interfaces: ['e*0'] }, 'InvalidSpec', /its beginning and a \*/],
    ['text for preempt', { ...good, preempt: 'yes' }, 'InvalidSpec', /preempt is "yes"; write true or false/],
    ['no spec', undefined, 'InvalidSpec', /spec is missing; add spec\.addresses/],
    ['no addresses', {}, 'InvalidSpec', /spec\.addresses is empty; list at least one/],
    ['an empty list', { addresses: [] }, 'InvalidSpec', /spec\.addresses is empty/],
    ['a number among the addresses', { addresses: [10] }, 'InvalidSpec', /spec\.addresses\[0\] is 10; write/],
    ['too many entries', { addresses: Array(257).fill('192.0.2.0/32') }, 'InvalidSpec', /257 entries, at most 256/],
    [
      'a bad address, with its place',
      { addresses: ['192.0.2.0/30', '192.0.2.300/32'] },
      'InvalidAddresses',
      /spec\.addresses\[1\]: "192\.0\.2\.300" is not an IP address: 300 is greater than 255/,
    ],
    [
      'an overlap within the pool, with both entries and what they share',
      { addresses: ['192.0.2.8-192.0.2.20', '192.0.2.0/28'] },
      'InvalidAddresses',
      /spec\.addresses\[1\] "192\.0\.2\.0\/28" and spec\.addresses\[0\] "192\.0\.2\.8-192\.0\.2\.20" both have 192\.0\.2\.8\/29/,
    ],
    ['loopback', { addresses: ['127.0.0.0/30'] }, 'InvalidAddresses', /loopback \(127\.0\.0\.0\/8\)/],
    ['everything', { addresses: ['0.0.0.0/0'] }, 'InvalidAddresses', /unspecified network/],
    ['multicast', { addresses: ['ff02::/112'] }, 'InvalidAddresses', /multicast/],
    ['link-local IPv6', { addresses: ['fe80::/64'] }, 'InvalidAddresses', /link-local/],
    ['mapped IPv4', { addresses: ['::ffff:192.0.2.0/124'] }, 'InvalidAddresses', /mapped into IPv6/],
    ['text for autoAssign', { addresses: ['192.0.2.0/30'], autoAssign: 'no' }, 'InvalidSpec', /autoAssign is "no"/],
    ['no virtual routers', { addresses: ['192.0.2.0/30'], virtualRouters: 0 }, 'InvalidSpec', /from 1 to 64/],
    ['half virtual routers', { addresses: ['192.0.2.0/30'], virtualRouters: 1.5 }, 'InvalidSpec', /is 1\.5; write/],
  ];
  for (const [what, spec, reason, message] of bad) {
    it(`refuses ${what}`, () => {
      const result = parseAddressPool(object(spec));
      expect(result).to.include({ ok: false, reason });
      expect((result as { message: string }).message).to.match(message);
    });
  }

  it('refuses a name that would not fit a label', () => {
    expect(parseAddressPool(object({ addresses: ['192.0.2.0/30'] }, { name: 'a'.repeat(61) }))).to.include({
      ok: false,
      reason: 'InvalidSpec',
    });
    expect(parseAddressPool(object({ addresses: ['192.0.2.0/30'] }, { name: 'a'.repeat(60) })).ok).to.equal(true);
  });

  it('refuses what is no object at all without throwing', () => {
    for (const junk of [undefined, null, 7, 'pool', []]) expect(parseAddressPool(junk).ok).to.equal(false);
  });
});

describe('findPool', () => {
  const pools = [parsed('b', ['192.0.2.0/30', '2001:db8::/64'], '2026-01-02T00:00:00Z'), parsed('a', ['10.0.0.0/24'])];

  it('names the pool and the virtual router of a VIP', () => {
    expect(findPool(pools, parseAddress('2001:db8::9'))).to.deep.include({ n: 1, virtualRouter: 'b.1' });
    expect(findPool(pools, parseAddress('10.0.0.255'))?.pool.name).to.equal('a');
    expect(findPool(pools, parseAddress('192.0.2.4'))).to.equal(undefined);
  });

  it('prefers the older of two pools that both have the VIP, then the first by name, in any order', () => {
    const older = parsed('z', ['192.0.2.0/24'], '2026-01-01T00:00:00Z');
    const twin = parsed('y', ['192.0.2.0/24'], '2026-01-01T00:00:00Z');
    const vip = parseAddress('192.0.2.1');
    expect(findPool([...pools, older], vip)?.pool.name).to.equal('z');
    expect(findPool([older, ...pools], vip)?.pool.name).to.equal('z');
    expect(findPool([older, twin], vip)?.pool.name).to.equal('y');
  });
});
