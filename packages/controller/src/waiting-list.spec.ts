import { expect } from 'chai';
import fc from 'fast-check';
import { WaitingList, type Wish } from './waiting-list.js';

const any: Wish = { family: 'ipv4', pool: undefined };
const named: Wish = { family: 'ipv4', pool: 'a' };

describe('WaitingList', () => {
  it('names the longest-waiting one that the pool can serve', () => {
    const list = new WaitingList();
    list.add('late', any, 30);
    list.add('early', { family: 'ipv6', pool: undefined }, 10);
    list.add('named', named, 20);
    expect(list.next('ipv4', { name: 'a', autoAssign: true })).to.equal('named');
    expect(list.next('ipv4', { name: 'b', autoAssign: true })).to.equal('late');
    expect(list.next('ipv4', { name: 'b', autoAssign: false })).to.equal(undefined);
    expect(list.next('ipv6', { name: 'a', autoAssign: true })).to.equal('early');
    expect(list.keys()).to.deep.equal(['early', 'named', 'late']);
  });

  it('keeps the time of one that changes its wish, and ignores a repeated one', () => {
    const list = new WaitingList();
    list.add('s', any, 10);
    list.add('other', named, 20);
    list.add('s', any, 99);
    list.add('s', named, 99);
    expect(list.size).to.equal(2);
    expect(list.next('ipv4', { name: 'a', autoAssign: false })).to.equal('s');
  });

  it('serves all in the order of their waiting time, whatever the order of arrival', () => {
    const waiter = fc.record({ key: fc.string({ minLength: 1 }), sinceMs: fc.nat(5) });
    fc.assert(
      fc.property(fc.uniqueArray(waiter, { selector: (each) => each.key }), fc.nat(), (waiters, seed) => {
        const list = new WaitingList();
        for (const { key, sinceMs } of waiters) list.add(key, any, sinceMs);
        const gone = waiters[seed % Math.max(1, waiters.length)];
        if (gone) list.delete(gone.key);
        const served: string[] = [];
        for (let key = list.next('ipv4', { name: 'a', autoAssign: true }); key !== undefined; ) {
          served.push(key);
          list.delete(key);
          key = list.next('ipv4', { name: 'a', autoAssign: true });
        }
        const expected = waiters
          .filter((each) => each !== gone)
          .sort((a, b) => a.sinceMs - b.sinceMs || (a.key < b.key ? -1 : 1))
          .map((each) => each.key);
        expect(served).to.deep.equal(expected);
        expect(list.size).to.equal(0);
      }),
    );
  });
});
