import { expect } from 'chai';
import { parseAddress } from './address.js';
import { findPool } from './find-pool.js';
import type { ParsedPool } from './parse-pool.js';
import { parseAddressPool } from './parse-pool.js';
import { capacityOf } from './range.js';

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

  const bad: [string, unknown, string, RegExp][] = [
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
