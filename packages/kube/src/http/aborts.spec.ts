import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { Aborts } from './aborts.js';

describe('Aborts', () => {
  it('tells all that run under a signal, with one listener, and nobody twice', () => {
    const aborts = new Aborts();
    const control = new AbortController();
    const other = new AbortController();
    const told: string[] = [];
    const member = (name: string) => ({ onAbort: () => void told.push(name) });
    const gone = member('gone');
    for (const each of [member('a'), gone, member('b')]) aborts.add(control.signal, each);
    aborts.add(other.signal, member('c'));
    aborts.delete(control.signal, gone);
    expect(getEventListeners(control.signal, 'abort').length).to.equal(1);
    control.abort();
    control.abort();
    expect(told).to.deep.equal(['a', 'b']);
  });

  it('leaves nothing on a signal under which nothing runs', () => {
    const aborts = new Aborts();
    const { signal } = new AbortController();
    for (let n = 0; n < 3; n++) {
      const each = { onAbort: () => {} };
      aborts.add(signal, each);
      aborts.delete(signal, each);
      expect(getEventListeners(signal, 'abort').length).to.equal(0);
    }
  });

  it('does not tell one that ends because of another one', () => {
    const aborts = new Aborts();
    const control = new AbortController();
    const told: string[] = [];
    const second = { onAbort: () => void told.push('second') };
    aborts.add(control.signal, {
      onAbort: () => {
        told.push('first');
        aborts.delete(control.signal, second);
      },
    });
    aborts.add(control.signal, second);
    control.abort();
    expect(told).to.deep.equal(['first']);
  });
});
