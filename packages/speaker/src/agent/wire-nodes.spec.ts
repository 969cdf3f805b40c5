import type { NodeInput } from '@fairlead/ipvs';
import { expect } from 'chai';
import { WireNodes } from './wire-nodes.js';

const node = (name: string, ...internalIPs: string[]) =>
  ({ name, internalIPs, ready: true, excluded: false }) as unknown as NodeInput;

describe('what the wire thread is told of nodes', () => {
  it('is all of them when one is another, with addresses in canonical form, and nothing while only their state is', () => {
    const nodes = new WireNodes();
    const n1 = node('n1', '10.77.0.11', 'FD00:77::0b', 'not an address');
    const told = { name: 'n1', internalIPs: ['10.77.0.11', 'fd00:77::b'] };
    expect(nodes.take([n1])).to.deep.equal([told]);
    expect(nodes.take([n1])).to.equal(undefined);
    expect(nodes.take([{ ...n1, ready: false }])).to.equal(undefined);
    expect(nodes.take([n1, node('n2', '10.77.0.12')])).to.deep.equal([
      told,
      { name: 'n2', internalIPs: ['10.77.0.12'] },
    ]);
    expect(nodes.take([])).to.deep.equal([]);
  });
});
