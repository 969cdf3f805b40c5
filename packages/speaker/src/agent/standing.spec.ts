import type { NodeInput } from '@fairlead/ipvs';
import { expect } from 'chai';
import { pino } from 'pino';
import { SETTLE_MS } from './fitness.js';
import { Standing } from './standing.js';

const LONG_AGO = Number.NEGATIVE_INFINITY;

describe('a node whose kernel cannot be brought in line', () => {
  const node = (name: string, change: object = {}) =>
    ({ name, internalIPs: [], ready: true, excluded: false, ...change }) as unknown as NodeInput;
  const setUp = () => {
    const state = {
      nodes: [node('n1'), node('n2')],
      current: true,
      told: [] as boolean[],
      onStand: (_: boolean) => {},
    };
    const standing = new Standing({
      node: 'n1',
      nodes: () => state.nodes,
      areNodesCurrent: () => state.current,
      healthy: () => true,
      onChange: (stand) => {
        state.told.push(stand);
        state.onStand(stand);
      },
      log: pino({ level: 'silent' }),
    });
    return { state, standing };
  };

  it('goes on standing, but not when it is drained', () => {
    const { state, standing } = setUp();
    standing.decide(undefined, LONG_AGO);
    standing.decide(undefined, undefined);
    expect(state.told).to.deep.equal([true]);
    state.nodes = [node('n1', { drained: true }), node('n2')];
    standing.decide(undefined, undefined);
    expect(state.told).to.deep.equal([true, false]);
  });

  it('stands though its Node was not Ready when that was written to disk, until the cluster says so itself', () => {
    const { state, standing } = setUp();
    state.nodes = [node('n1', { ready: false }), node('n2')];
    state.current = false;
    standing.decide(undefined, LONG_AGO);
    expect(standing.standing).to.equal(true);
    state.nodes = [node('n1', { drained: true, ready: false }), node('n2')];
    standing.decide(undefined, LONG_AGO);
    expect(standing.standing).to.equal(false);
    state.nodes = [node('n1', { ready: false }), node('n2')];
    state.current = true;
    standing.decide(undefined, LONG_AGO);
    expect(standing.standing).to.equal(false);
  });

  it('does not begin to stand before it is', () => {
    const { state, standing } = setUp();
    standing.decide(undefined, undefined);
    expect(standing.standing).to.equal(false);
    standing.decide(undefined, LONG_AGO);
    expect(state.told).to.deep.equal([true]);
  });

  it('begins by itself when that has been mended for a while', async () => {
    const { state, standing } = setUp();
    const stands = new Promise((resolve) => {
      state.onStand = resolve;
    });
    standing.decide(undefined, performance.now() - SETTLE_MS + 20);
    expect(state.told).to.deep.equal([]);
    await stands;
    expect(state.told).to.deep.equal([true]);
  });

  it('does not begin when it fails again meanwhile', async () => {
    const { state, standing } = setUp();
    const soon = performance.now() + 20;
    standing.decide(undefined, soon - SETTLE_MS);
    standing.decide(undefined, undefined);
    while (performance.now() <= soon) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(state.told).to.deep.equal([]);
  });
});
