import { parseAddress } from '@fairlead/api';
import { expect } from 'chai';
import { allocatorPool, holder } from '../model/model-cluster.spec.helpers.js';
import type { Holder } from './allocator.js';
import { addresses, sharer, TestAllocator } from './allocator.spec.helpers.js';

const web = sharer('web', 'k', ['tcp/80']);
const pool = (more = {}) => allocatorPool('p', ['192.0.2.0/30', '2001:db8::/126'], more);

describe('sharing an address', () => {
  it('happens between Services with the same key and other ports, before another address is begun', () => {
    const allocator = new TestAllocator([pool()]);
    expect(allocator.give('alone')).to.equal('192.0.2.0 p');
    expect(allocator.give(web)).to.equal('192.0.2.1 p');
    expect(allocator.give(sharer('tls', 'k', ['tcp/443']))).to.equal('192.0.2.1 p');
    expect(allocator.give(sharer('dns', 'k', ['udp/80']))).to.equal('192.0.2.1 p');
    expect(allocator.holdersOf(parseAddress('192.0.2.1'))).to.deep.equal(['web', 'tls', 'dns']);
    expect(allocator.usage('p', 'ipv4'), 'addresses are counted, not Services').to.include({ inUse: 2, free: 2n });
  });

  it('opens a second address when the ports collide on the first', () => {
    const allocator = new TestAllocator([pool()]);
    allocator.give(web);
    expect(allocator.give(sharer('web2', 'k', ['tcp/80']))).to.equal('192.0.2.1 p');
    expect(allocator.give(sharer('tls', 'k', ['tcp/443']))).to.equal('192.0.2.0 p');
  });

  const refused: [string, Holder, string, object?][] = [
    ['without a key', holder('s'), 'unshared'],
    ['with another key', sharer('s', 'other', ['tcp/443']), 'key'],
    ['with the same port', sharer('s', 'k', ['tcp/443', 'tcp/80']), 'port'],
    ['of another namespace', sharer('s', 'k', ['tcp/443'], { namespace: 'other' }), 'namespace'],
    ['that steers traffic differently', holder('s', { sharing: { key: 'k', ports: [], backend: 'Local' } }), 'backend'],
    ['where the pool forbids it', sharer('s', 'k', ['tcp/443']), 'never', { sharing: 'Never' }],
  ];
  for (const [what, who, why, more] of refused) {
    it(`is refused to one ${what}, who gets another address unless it asks for this one`, () => {
      const allocator = new TestAllocator([pool(more)]);
      allocator.give(web);
      const asked = addresses('192.0.2.0');
      expect(allocator.addressObstacle(who, asked[0]!)).to.deep.include({ kind: 'inUse', by: 'web', why });
      expect(allocator.give(who, { addresses: asked })).to.equal('none');
      expect(allocator.give(who)).to.equal('192.0.2.1 p');
    });
  }

  it('crosses namespaces where the pool allows it', () => {
    const allocator = new TestAllocator([pool({ sharing: 'AnyNamespace' })]);
    allocator.give(web);
    expect(allocator.give(sharer('s', 'k', ['tcp/443'], { namespace: 'other' }))).to.equal('192.0.2.0 p');
  });

  it('keeps what shares already when the pool stops allowing it, and lets both be adopted after a restart', () => {
    const allocator = new TestAllocator([pool({ sharing: 'Never' })]);
    expect(allocator.takeOver(web, '192.0.2.0')).to.equal(undefined);
    expect(allocator.takeOver(sharer('s', 'k', ['tcp/443'], { namespace: 'other' }), '192.0.2.0')).to.equal(undefined);
    expect(allocator.takeOver('stranger', '192.0.2.0')).to.equal('unshared');
  });

  it('ends with the last Service that has the address', () => {
    const allocator = new TestAllocator([pool()]);
    allocator.give(web);
    allocator.give(sharer('tls', 'k', ['tcp/443']));
    allocator.free('web', '192.0.2.0');
    expect(allocator.usage('p', 'ipv4')).to.include({ inUse: 1 });
    expect(allocator.give('alone')).to.equal('192.0.2.1 p');
    allocator.free('tls', '192.0.2.0');
    expect(allocator.give('alone2')).to.equal('192.0.2.0 p');
  });

  it('lets a sole user change its key and anybody its ports, but not into what others say', () => {
    const allocator = new TestAllocator([pool()]);
    allocator.give(web);
    expect(allocator.takeOver(sharer('web', 'new', ['tcp/80']), '192.0.2.0')).to.equal(undefined);
    expect(allocator.give(sharer('tls', 'k', ['tcp/443'])), 'nobody has that key now').to.equal('192.0.2.1 p');
    expect(allocator.give(sharer('dns', 'new', ['udp/53']))).to.equal('192.0.2.0 p');
    expect(allocator.takeOver(sharer('dns', 'new', ['tcp/80']), '192.0.2.0')).to.equal('port');
    expect(allocator.takeOver(sharer('dns', 'newer', ['udp/53']), '192.0.2.0')).to.equal('key');
    expect(allocator.takeOver(sharer('dns', 'new', ['udp/5353']), '192.0.2.0')).to.equal(undefined);
  });

  it('works for both families at once', () => {
    const allocator = new TestAllocator([pool()]);
    const both = { families: ['ipv4', 'ipv6'] as const };
    allocator.give(web, { families: [...both.families] });
    expect(allocator.give(sharer('tls', 'k', ['tcp/443']), { families: [...both.families] })).to.equal(
      '192.0.2.0 2001:db8:: p',
    );
  });
});
