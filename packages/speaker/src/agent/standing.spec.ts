import type { NodeInput } from '@fairlead/ipvs';
import { expect } from 'chai';
import { pino } from 'pino';
import { Standing } from './standing.js';

describe('a node whose kernel cannot be brought in line', () => {
  const node = (name: string, change: object = {}) =>
    ({ name, internalIPs: [], ready: true, excluded: false, ...change }) as unknown as NodeInput;
  const setUp = () => {
    const state = { nodes: [node('n1'), node('n2')], told: [] as boolean[] };
    const standing = new Standing({
      node: 'n1',
      nodes: () => state.nodes,
      healthy: () => true,
      onChange: (stand) => state.told.push(stand),
      log: pino({ level: 'silent' }),
    });
    return { state, standing };
  };

  it('goes on standing, but not when it is drained', () => {
    const { state, standing } = setUp();
    standing.decide(undefined);
    standing.decide(undefined, false);
    expect(state.told).to.deep.equal([true]);
    state.nodes = [node('n1', { drained: true }), node('n2')];
    standing.decide(undefined, false);
    expect(state.told).to.deep.equal([true, false]);
  });

  it('does not begin to stand before it is', () => {
    const { state, standing } = setUp();
    standing.decide(undefined, false);
    expect(standing.standing).to.equal(false);
    standing.decide(undefined);
    expect(state.told).to.deep.equal([true]);
  });
});
