import { parseAddress, parseRange } from '@fairlead/api';
import { expect } from 'chai';
import { allocatorPool, holder } from '../model/model-cluster.spec.helpers.js';
import { addresses, TestAllocator } from './allocator.spec.helpers.js';

const v4 = allocatorPool('v4', ['192.0.2.0/31']);
const v6 = allocatorPool('v6', ['2001:db8:6::/127']);
const both = allocatorPool('both', ['198.51.100.0/31', '2001:db8::/127']);

describe('what is asked of the allocator', () => {
  it('is given of one pool for both families, or not at all', () => {
    const allocator = new TestAllocator([v4, v6, both]);
    const wish = { families: ['ipv6', 'ipv4'] as ('ipv4' | 'ipv6')[] };
    expect(allocator.give('s1', wish)).to.equal('2001:db8:: 198.51.100.0 both');
    expect(allocator.give('s2', wish)).to.equal('2001:db8::1 198.51.100.1 both');
    expect(allocator.give('s3', wish)).to.equal('none');
    expect(allocator.size, 'nothing is left behind').to.equal(4);
  });

  it('is given for one family, the first if possible, where that is enough', () => {
    const wish = { families: ['ipv6', 'ipv4'] as ('ipv4' | 'ipv6')[], need: 'any' as const };
    expect(new TestAllocator([v4, v6, both]).give('s', wish)).to.equal('2001:db8:: 198.51.100.0 both');
    expect(new TestAllocator([v4, v6]).give('s', wish)).to.equal('2001:db8:6:: v6');
    expect(new TestAllocator([v4]).give('s', wish)).to.equal('192.0.2.0 v4');
  });

  it('is given the very address, and another of its pool for the family that was not named', () => {
    const allocator = new TestAllocator([v4, v6, both]);
    const wish = { families: ['ipv4', 'ipv6'] as ('ipv4' | 'ipv6')[], addresses: addresses('2001:db8::1') };
    expect(allocator.give('s', wish)).to.equal('198.51.100.0 2001:db8::1 both');
    const alone = { ...wish, need: 'any' as const, addresses: addresses('2001:db8:6::1') };
    expect(allocator.give('s2', alone), 'never the other family without the address asked for').to.equal(
      '2001:db8:6::1 v6',
    );
  });

  it('is not given when the two addresses are of two pools', () => {
    const allocator = new TestAllocator([v4, v6]);
    const wish = {
      families: ['ipv4', 'ipv6'] as ('ipv4' | 'ipv6')[],
      addresses: addresses('192.0.2.0', '2001:db8:6::'),
    };
    expect(allocator.give('s', wish)).to.equal('none');
  });

  it('is given by name of the pool, or of the address, without autoAssign', () => {
    const allocator = new TestAllocator([{ ...v4, autoAssign: false }]);
    expect(allocator.give('s')).to.equal('none');
    expect(allocator.give('s1', { pool: 'v4' })).to.equal('192.0.2.0 v4');
    expect(allocator.give('s2', { addresses: addresses('192.0.2.1') })).to.equal('192.0.2.1 v4');
  });

  it('is tried at pools by priority, then at those that are kept for some, then by age', () => {
    const pools = [
      allocatorPool('old', ['10.0.0.0/32']),
      allocatorPool('kept', ['10.0.1.0/32'], { namespaces: ['default'] }),
      allocatorPool('last', ['10.0.2.0/32'], { priority: -1 }),
      allocatorPool('first', ['10.0.3.0/32'], { priority: 1 }),
    ];
    const allocator = new TestAllocator(pools);
    const given = ['a', 'b', 'c', 'd', 'e'].map((key) => allocator.give(key).split(' ')[1]);
    expect(given).to.deep.equal(['first', 'kept', 'old', 'last', undefined]);
  });

  it('is refused to those that the pool is not for, by every way of asking', () => {
    const kept = allocatorPool('kept', ['192.0.2.0/30'], {
      namespaces: ['mail'],
      namespaceSelector: { matchLabels: { team: 'edge' } },
      serviceSelector: { matchLabels: { tier: 'front' } },
    });
    const allocator = new TestAllocator([kept]);
    const front = { labels: { tier: 'front' } };
    const strangers = [
      holder('s', front),
      holder('s', { ...front, namespaceLabels: { team: 'other' } }),
      holder('s', { namespace: 'mail' }),
    ];
    for (const who of strangers) {
      expect(allocator.give(who)).to.equal('none');
      expect(allocator.give(who, { pool: 'kept' })).to.equal('none');
      expect(allocator.give(who, { addresses: addresses('192.0.2.1') })).to.equal('none');
    }
    expect(allocator.poolObstacle(kept, strangers[0]!, {})).to.equal('namespace');
    expect(allocator.poolObstacle(kept, strangers[2]!, {})).to.equal('service');
    expect(allocator.give(holder('s1', { ...front, namespace: 'mail' }))).to.equal('192.0.2.0 kept');
    expect(allocator.give(holder('s2', { ...front, namespaceLabels: { team: 'edge' } }))).to.equal('192.0.2.1 kept');
  });

  it('leaves out .0 and .255 where the pool avoids them, and what something else has', () => {
    const pool = allocatorPool('p', ['192.0.2.254-192.0.3.2'], { avoidBuggyAddresses: true });
    const withheld = [{ range: parseRange('192.0.3.1/32'), why: 'node "n1" has 192.0.3.1' }];
    const allocator = new TestAllocator([pool], withheld);
    expect(allocator.usage('p', 'ipv4')).to.include({ capacity: 3n, withheld: 1n, free: 2n });
    expect(['a', 'b', 'c'].map((key) => allocator.give(key))).to.deep.equal(['192.0.2.254 p', '192.0.3.2 p', 'none']);
    expect(allocator.addressObstacle(holder('c'), parseAddress('192.0.3.1'))).to.include({ kind: 'withheld' });
    expect(allocator.addressObstacle(holder('c'), parseAddress('192.0.3.0'))).to.include({ kind: 'notPooled' });
    allocator.setPools([pool], []);
    expect(allocator.give('c'), 'free as soon as the other has let go').to.equal('192.0.3.1 p');
  });

  it('says which other pool has the address that the named one does not have', () => {
    const allocator = new TestAllocator([v4, both]);
    const obstacle = allocator.addressObstacle(holder('s'), parseAddress('198.51.100.0'), 'v4');
    expect(obstacle).to.deep.equal({ kind: 'notPooled', pool: 'v4', elsewhere: 'both' });
  });
});
