import { type AddressRange, contains, type Family, formatAddress, parseAddress, parseRange } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { allocatorPool, holder } from '../model/model-cluster.spec.helpers.js';
import { type Allocation, Allocator, type AllocatorPool } from './allocator.js';

const pool = allocatorPool;

function withPools(...pools: AllocatorPool[]): Allocator {
  const allocator = new Allocator(() => 0);
  allocator.setPools(pools);
  return allocator;
}

function take(allocator: Allocator, key: string, family: Family = 'ipv4', from?: string): Allocation | undefined {
  return allocator.allocate(holder(key), { families: [family], pool: from })?.[0];
}

function give(allocator: Allocator, key: string, family: Family = 'ipv4', from?: string): string {
  const allocation = take(allocator, key, family, from);
  return allocation ? `${formatAddress(allocation.address)} ${allocation.pool}` : 'none';
}

function adopt(allocator: Allocator, key: string, address: string): boolean {
  return allocator.adopt(holder(key), parseAddress(address)) === undefined;
}

describe('Allocator', () => {
  it('gives the lowest free address, then that of the next range, then of the next pool', () => {
    const allocator = withPools(pool('a', ['192.0.2.4/31', '192.0.2.10/32']), pool('b', ['198.51.100.0/32']));
    const given = ['s1', 's2', 's3', 's4', 's5'].map((owner) => give(allocator, owner));
    expect(given).to.deep.equal(['192.0.2.4 a', '192.0.2.5 a', '192.0.2.10 a', '198.51.100.0 b', 'none']);
  });

  it('gives a returned address before a higher one that was never used', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/29']));
    for (const owner of ['s1', 's2', 's3']) take(allocator, owner, 'ipv4');
    allocator.release('s2', parseAddress('192.0.2.1'));
    allocator.release('s1', parseAddress('192.0.2.0'));
    expect([give(allocator, 's4'), give(allocator, 's5'), give(allocator, 's6')]).to.deep.equal([
      '192.0.2.0 a',
      '192.0.2.1 a',
      '192.0.2.3 a',
    ]);
  });

  it('keeps families apart', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/32', '2001:db8::/127']));
    expect(give(allocator, 's1', 'ipv6')).to.equal('2001:db8:: a');
    expect(give(allocator, 's2', 'ipv4')).to.equal('192.0.2.0 a');
    expect(give(allocator, 's3', 'ipv4')).to.equal('none');
    expect(allocator.usage('a', 'ipv6')).to.include({ capacity: 2n, inUse: 1, free: 1n });
  });

  it('gives from the named pool only, though others have room', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/32']), pool('b', ['198.51.100.0/24']));
    expect(give(allocator, 's1', 'ipv4', 'a')).to.equal('192.0.2.0 a');
    expect(give(allocator, 's2', 'ipv4', 'a')).to.equal('none');
    expect(give(allocator, 's2', 'ipv4', 'nonexistent')).to.equal('none');
  });

  it('gives nothing without being asked by name from a pool with autoAssign false, and nothing at all from a closed one', () => {
    const allocator = withPools(
      pool('manual', ['192.0.2.0/32'], { autoAssign: false }),
      pool('closed', ['198.51.100.0/32'], { mode: 'closed' }),
    );
    expect(give(allocator, 's1')).to.equal('none');
    expect(give(allocator, 's1', 'ipv4', 'manual')).to.equal('192.0.2.0 manual');
    expect(give(allocator, 's2', 'ipv4', 'closed')).to.equal('none');
  });

  it('refuses to adopt what somebody else has, and lets the owner adopt again', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/24']));
    const address = parseAddress('192.0.2.7');
    expect(allocator.adopt(holder('s1'), address)).to.equal(undefined);
    expect(allocator.adopt(holder('s1'), address)).to.equal(undefined);
    expect(allocator.adopt(holder('s2'), address)).to.deep.equal({ kind: 'inUse', by: 's1', why: 'unshared' });
    expect(allocator.holdersOf(address)).to.deep.equal(['s1']);
    expect(allocator.usage('a', 'ipv4')).to.include({ capacity: 256n, inUse: 1, free: 255n });
  });

  it('refuses to release what the owner does not have', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/24']));
    adopt(allocator, 's1', '192.0.2.7');
    expect(() => allocator.release('s2', parseAddress('192.0.2.7'))).to.throw('an address of s1 for s2');
    expect(() => allocator.release('s1', parseAddress('192.0.2.8'))).to.throw('of nobody');
  });

  describe('when pools change', () => {
    const steps: [string, AllocatorPool[], string | undefined][] = [
      ['the same', [pool('test', ['192.0.2.0/30'])], 'test'],
      ['expanded', [pool('test', ['192.0.2.0/24'])], 'test'],
      ['shrunk, with the address outside', [pool('test', ['192.0.2.2/31'])], 'test'],
      ['renamed', [pool('test2', ['192.0.2.0/30'])], 'test2'],
      ['moved to another pool', [pool('test', ['192.0.2.2/31']), pool('test2', ['192.0.2.0/31'])], 'test2'],
      ['gone', [pool('other', ['198.51.100.0/24'])], undefined],
      [
        'about to go, and replaced',
        [pool('test', ['192.0.2.0/30'], { deleting: true, mode: 'closed' }), pool('test2', ['192.0.2.0/30'])],
        'test2',
      ],
    ];
    for (const [what, pools, home] of steps) {
      it(`${what}: the address in use counts to ${home ?? 'no pool'} and is given to nobody else`, () => {
        const allocator = withPools(pool('test', ['192.0.2.0/30']));
        take(allocator, 's1', 'ipv4');
        allocator.setPools(pools);
        expect(allocator.poolOf(parseAddress('192.0.2.0'))).to.equal(home);
        if (home) expect(allocator.homedIn(home)).to.equal(1);
        for (let n = 0; n < 8; n++) expect(give(allocator, `other${n}`)).to.not.match(/^192\.0\.2\.0 /);
      });
    }

    it('counts an address that drains to the pool whose status says so, after a restart too', () => {
      const allocator = new Allocator(() => 0);
      const draining = [parseRange('192.0.2.0/32')];
      allocator.setPools([pool('other', ['198.51.100.0/24']), pool('test', ['192.0.2.2/31'], { draining })]);
      adopt(allocator, 's1', '192.0.2.0');
      expect(allocator.poolOf(parseAddress('192.0.2.0'))).to.equal('test');
      expect(allocator.usage('test', 'ipv4')).to.include({ capacity: 2n, inUse: 0, draining: 1, free: 2n });
      expect(allocator.homedIn('test')).to.equal(1);
      expect(
        allocator.outside('test', { ranges: [parseRange('192.0.2.2/31')], avoidBuggyAddresses: false }),
      ).to.deep.equal(draining);
    });
  });

  it('gives no address twice, loses none and always the lowest, whatever the order of operations', () => {
    const ranges = ['10.0.0.0/30', '10.0.0.8/31', '10.0.1.0-10.0.1.4'].map(parseRange);
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('allocate' as const), owner: fc.nat(20) }),
      fc.record({ kind: fc.constant('release' as const), owner: fc.nat(20) }),
      fc.record({ kind: fc.constant('adopt' as const), owner: fc.nat(20), at: fc.nat(12) }),
      fc.record({ kind: fc.constant('setPools' as const), take: fc.subarray([0, 1, 2]) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        // The model: a plain list of all addresses, searched from the start.
        const all = ranges.flatMap(expand);
        const users = new Map<string, number>();
        const held = new Map<number, string[]>();
        let open = ranges;
        const allocator = withPools(pool('a', ['10.0.0.0/30', '10.0.0.8/31', '10.0.1.0-10.0.1.4']));
        const record = (owner: number, address: string) => {
          users.set(address, owner);
          held.set(owner, [...(held.get(owner) ?? []), address]);
        };
        for (const step of operations) {
          if (step.kind === 'allocate') {
            const lowest = all.find(
              (text) => !users.has(text) && open.some((range) => contains(range, parseAddress(text))),
            );
            const allocation = take(allocator, `s${step.owner}`, 'ipv4');
            expect(allocation && formatAddress(allocation.address)).to.equal(lowest);
            if (lowest) record(step.owner, lowest);
          } else if (step.kind === 'adopt') {
            const text = all[step.at % all.length]!;
            const user = users.get(text);
            const adopted = adopt(allocator, `s${step.owner}`, text);
            expect(adopted).to.equal(user === undefined || user === step.owner);
            if (user === undefined) record(step.owner, text);
          } else if (step.kind === 'release') {
            const [address, ...rest] = held.get(step.owner) ?? [];
            if (address === undefined) continue;
            allocator.release(`s${step.owner}`, parseAddress(address));
            users.delete(address);
            held.set(step.owner, rest);
          } else {
            open = step.take.map((index) => ranges[index]!);
            allocator.setPools([{ ...pool('a', []), ranges: open }]);
          }
          expect(allocator.size).to.equal(users.size);
          const inside = [...users.keys()].filter((text) => open.some((range) => contains(range, parseAddress(text))));
          expect(allocator.usage('a', 'ipv4')!.inUse).to.equal(inside.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('does not walk a /12 or a /64: the work for an allocation does not grow with the pool or its use', () => {
    for (const text of ['10.0.0.0/12', '2001:db8::/64']) {
      const range = parseRange(text);
      const allocator = withPools(pool('big', [text]));
      for (let n = 0; n < 50_000; n++) take(allocator, `s${n}`, range.first.family);
      // A walk from the start would look at 50,000 addresses for each of these: 5 * 10^8 looks, minutes.
      for (let n = 0; n < 10_000; n++) {
        const allocation = take(allocator, 'again', range.first.family)!;
        allocator.release('again', allocation.address);
      }
      expect(allocator.size).to.equal(50_000);
    }
  });
});

function expand(range: AddressRange): string[] {
  const texts: string[] = [];
  for (let value = Number(range.first.value); value <= Number(range.last.value); value++) {
    texts.push(formatAddress({ family: 'ipv4', value }));
  }
  return texts;
}
