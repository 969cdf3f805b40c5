import { parseAddress } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Waiter, WaitingList } from './waiting-list.js';

function waiter(key: string, sinceMs: number, more: Partial<Waiter> = {}): Waiter {
  return { key, sinceMs, kind: 'any', pool: undefined, families: ['ipv4'], addresses: [], pending: true, ...more };
}

describe('WaitingList', () => {
  it('names the longest-waiting one of every kind, longest first', () => {
    const list = new WaitingList();
    list.add(waiter('late', 30));
    list.add(waiter('early', 10, { kind: 'ipv6' }));
    list.add(waiter('named', 20, { kind: 'named' }));
    list.add(waiter('behind', 25, { kind: 'named' }));
    expect(list.heads()).to.deep.equal(['early', 'named', 'late']);
    expect(list.keys()).to.deep.equal(['early', 'named', 'behind', 'late']);
  });

  it('keeps the time of one that changes its wish, and ignores a repeated one', () => {
    const list = new WaitingList();
    list.add(waiter('s', 10));
    list.add(waiter('other', 20, { kind: 'named' }));
    list.add(waiter('s', 99));
    list.add(waiter('s', 99, { kind: 'named' }));
    expect(list.size).to.equal(2);
    expect(list.heads()).to.deep.equal(['s']);
  });

  it('puts one that has got something, and would like more, behind those that came while it waited', () => {
    const list = new WaitingList();
    list.add(waiter('s', 10));
    list.add(waiter('other', 20));
    list.add(waiter('s', 30, { pending: false }));
    expect(list.heads()).to.deep.equal(['other']);
  });

  it('counts those that have nothing, by family and by the pool that they asked for', () => {
    const list = new WaitingList();
    const counts = () => (['p', 'q', undefined] as const).map((pool) => list.pendingFor('ipv4', pool));
    list.add(waiter('a', 1, { kind: 'p', pool: 'p', families: ['ipv4', 'ipv6'] }));
    list.add(waiter('b', 2));
    list.add(waiter('c', 3, { kind: 'p', pool: 'p', pending: false }));
    expect(counts()).to.deep.equal([1, 0, 1]);
    expect(list.pendingFor('ipv6', 'p')).to.equal(1);
    list.add(waiter('c', 3, { kind: 'p', pool: 'p' }));
    list.delete('b');
    expect(counts()).to.deep.equal([2, 0, 0]);
  });

  it('knows who waits for a certain address', () => {
    const list = new WaitingList();
    const address = parseAddress('2001:db8::1');
    list.add(waiter('a', 1, { kind: 'one', addresses: [address] }));
    list.add(waiter('b', 2));
    expect([...list.askersOf(parseAddress('2001:db8:0::1'))]).to.deep.equal(['a']);
    list.delete('a');
    expect([...list.askersOf(address)]).to.deep.equal([]);
  });

  it('serves all in the order of their waiting time, whatever the order of arrival', () => {
    const anyone = fc.record({ key: fc.string({ minLength: 1 }), sinceMs: fc.nat(5) });
    fc.assert(
      fc.property(fc.uniqueArray(anyone, { selector: (each) => each.key }), fc.nat(), (waiters, seed) => {
        const list = new WaitingList();
        for (const { key, sinceMs } of waiters) list.add(waiter(key, sinceMs));
        const gone = waiters[seed % Math.max(1, waiters.length)];
        if (gone) list.delete(gone.key);
        const served: string[] = [];
        for (let [key] = list.heads(); key !== undefined; [key] = list.heads()) {
          served.push(key);
          list.delete(key);
        }
        const expected = waiters
          .filter((each) => each !== gone)
          .sort((a, b) => a.sinceMs - b.sinceMs || (a.key < b.key ? -1 : 1))
          .map((each) => each.key);
        expect(served).to.deep.equal(expected);
        expect([list.size, list.pendingFor('ipv4', undefined)]).to.deep.equal([0, 0]);
      }),
    );
  });
});
