import { expect } from 'chai';
import fc from 'fast-check';
import { Fifo } from './fifo.js';

describe('Fifo', () => {
  it('gives what came first, whatever comes meanwhile', () => {
    const steps = fc.array(fc.record({ pushes: fc.nat(1_500), shifts: fc.nat(1_500) }), { maxLength: 8 });
    fc.assert(
      fc.property(steps, (all) => {
        const fifo = new Fifo<number>();
        let [pushed, shifted] = [0, 0];
        for (const { pushes, shifts } of all) {
          for (let n = 0; n < pushes; n++) fifo.push(pushed++);
          for (let n = 0; n < shifts; n++) {
            if (fifo.shift() !== (shifted < pushed ? shifted : undefined)) return false;
            if (shifted < pushed) shifted++;
          }
        }
        return true;
      }),
    );
  });

  it('gives nothing when it is empty', () => {
    expect(new Fifo().shift()).to.equal(undefined);
  });
});
