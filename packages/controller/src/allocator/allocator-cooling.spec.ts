import { parseRange } from '@fairlead/api';
import { expect } from 'chai';
import { allocatorPool } from '../model/model-cluster.spec.helpers.js';
import { addresses, TestAllocator } from './allocator.spec.helpers.js';

const pool = (more = {}) => allocatorPool('p', ['192.0.2.0/30'], { coolDownMs: 1000, ...more });

describe('a freed address', () => {
  it('is given to nobody else before it has cooled down, then to the next', () => {
    const allocator = new TestAllocator([pool()]);
    allocator.give('s1');
    allocator.free('s1', '192.0.2.0');
    expect(allocator.usage('p', 'ipv4')).to.include({ inUse: 0, coolingDown: 1, free: 3n });
    expect(allocator.give('s2')).to.equal('192.0.2.1 p');
    expect(allocator.wakeAtMs).to.equal(1000);
    allocator.clock.nowMs = 999;
    expect(allocator.wake()).to.equal(false);
    allocator.clock.nowMs = 1000;
    expect(allocator.wake()).to.equal(true);
    expect(allocator.wakeAtMs).to.equal(undefined);
    expect(allocator.give('s3')).to.equal('192.0.2.0 p');
  });

  it('goes back at once to the Service that had it, and to one that asks for it', () => {
    const allocator = new TestAllocator([pool()]);
    for (const key of ['s1', 's2']) allocator.give(key);
    for (const [key, address] of [
      ['s1', '192.0.2.0'],
      ['s2', '192.0.2.1'],
    ] as const)
      allocator.free(key, address);
    expect(allocator.give('s2')).to.equal('192.0.2.1 p');
    expect(allocator.give('s9', { addresses: addresses('192.0.2.0') })).to.equal('192.0.2.0 p');
    expect(allocator.usage('p', 'ipv4')).to.include({ inUse: 2, coolingDown: 0, free: 2n });
  });

  it('begins its time anew when it is taken and freed again', () => {
    const allocator = new TestAllocator([pool()]);
    allocator.give('s1');
    allocator.free('s1', '192.0.2.0');
    allocator.clock.nowMs = 600;
    allocator.give('s1');
    allocator.free('s1', '192.0.2.0');
    allocator.clock.nowMs = 1000;
    expect(allocator.wake()).to.equal(false);
    allocator.clock.nowMs = 1600;
    expect(allocator.wake()).to.equal(true);
  });

  it('is remembered when pools change, and across restarts', () => {
    const allocator = new TestAllocator([pool()]);
    allocator.give('s1');
    allocator.free('s1', '192.0.2.0');
    allocator.setPools([pool({ priority: 3 })]);
    expect(allocator.give('s2')).to.equal('192.0.2.1 p');
    const [entry] = allocator.coolingIn('p');
    const next = new TestAllocator([pool()]);
    next.takeOver('s2', '192.0.2.1');
    next.restoreCooling([{ range: parseRange('192.0.2.0/31'), untilMs: entry!.untilMs }]);
    expect(next.usage('p', 'ipv4'), 'what is in use does not cool down').to.include({ inUse: 1, coolingDown: 1 });
    expect(next.give('s3')).to.equal('192.0.2.2 p');
  });

  it('is not remembered by the million, should somebody write that into a status', () => {
    const allocator = new TestAllocator([allocatorPool('big', ['10.0.0.0/8'], { coolDownMs: 1000 })]);
    allocator.restoreCooling([{ range: parseRange('10.0.0.0/8'), untilMs: 5000 }]);
    expect(allocator.give('s')).to.equal('10.0.0.0 big');
  });

  it('comes last where the least recently used is given first, in the order of return', () => {
    const allocator = new TestAllocator([pool({ coolDownMs: 0, reusePolicy: 'LeastRecentlyUsed' })]);
    for (const key of ['s1', 's2', 's3']) allocator.give(key);
    for (const [key, address] of [
      ['s2', '192.0.2.1'],
      ['s1', '192.0.2.0'],
    ] as const)
      allocator.free(key, address);
    const given = ['a', 'b', 'c', 'd'].map((key) => allocator.give(key));
    expect(given).to.deep.equal(['192.0.2.3 p', '192.0.2.1 p', '192.0.2.0 p', 'none']);
  });
});
