import { expect } from 'chai';
import fc from 'fast-check';
import { TABLES, TableSlots } from './tables.js';

const names = fc.uniqueArray(
  fc.tuple(fc.constantFrom('public', 'internal', 'lab'), fc.nat(63)).map(([pool, n]) => `${pool}.${n}`),
);

describe('routing tables of virtual routers', () => {
  it('are the same after a restart', () => {
    fc.assert(
      fc.property(names, (list) => {
        const before = new Map(new TableSlots().assign(list));
        expect(new Map(new TableSlots().assign([...list].reverse()))).to.deep.equal(before);
      }),
    );
  });

  it('are never shared, and never change while a virtual router stays', () => {
    fc.assert(
      fc.property(fc.array(names, { minLength: 1, maxLength: 6 }), (rounds) => {
        const slots = new TableSlots();
        let previous = new Map<string, number>();
        for (const list of rounds) {
          const current = new Map(slots.assign(list));
          expect([...current.keys()].sort()).to.deep.equal([...list].sort());
          expect(new Set(current.values()).size).to.equal(list.length);
          for (const [name, slot] of current) if (previous.has(name)) expect(slot).to.equal(previous.get(name));
          previous = current;
        }
      }),
    );
  });

  it('are never shared even when there are as many virtual routers as tables', () => {
    const all = Array.from({ length: TABLES }, (_, n) => `pool-${n}.0`);
    expect(new Set(new TableSlots().assign(all).values()).size).to.equal(TABLES);
  });

  it('run out with a clear error', () => {
    const many = Array.from({ length: TABLES + 1 }, (_, n) => `pool.${n}`);
    expect(() => new TableSlots().assign(many)).to.throw(RangeError, `${TABLES}`);
    expect(new TableSlots().assign(many.slice(1)).size).to.equal(TABLES);
  });
});
