import { expect } from 'chai';
import { poolInEffect } from './pool-in-effect.js';

function object(spec: unknown, status?: unknown): object {
  return { metadata: { name: 'public', generation: 3 }, spec, ...(status ? { status } : {}) };
}

describe('poolInEffect', () => {
  const spec = { addresses: ['192.0.2.0/30'], virtualRouters: 4 };

  it('is the spec while no controller has looked at the pool', () => {
    expect(poolInEffect(object(spec))).to.deep.include({ addresses: ['192.0.2.0/30'], virtualRouters: 4 });
  });

  it('is what the controller last accepted once it has, whatever the spec became since', () => {
    const status = { inEffect: { addresses: ['198.51.100.7/32'], virtualRouters: 2 } };
    for (const present of [spec, { addresses: ['nonsense'] }, undefined]) {
      const pool = poolInEffect(object(present, status));
      expect(pool).to.deep.include({ addresses: ['198.51.100.7/32'], virtualRouters: 2 });
    }
  });

  it('has the addresses that drain as well, and survives a status edited by hand', () => {
    const inEffect = {
      addresses: ['192.0.2.0/30', 'nonsense'],
      draining: ['192.0.2.9/32', '192.0.2.2/32'],
      virtualRouters: 'x',
    };
    const pool = poolInEffect(object(spec, { inEffect }));
    expect(pool).to.deep.include({ addresses: ['192.0.2.0/30', '192.0.2.9/32'], virtualRouters: 8 });
  });

  it('is nothing for a pool that has never been accepted', () => {
    expect(poolInEffect(object(spec, { inEffect: { addresses: [], virtualRouters: 8 } }))).to.equal(undefined);
    expect(poolInEffect(object({ addresses: ['nonsense'] }))).to.equal(undefined);
  });

  it('announces as was last accepted, not as the spec says now', () => {
    const inEffect = {
      addresses: ['192.0.2.0/30'],
      virtualRouters: 2,
      interfaces: ['eth1'],
      nodeSelector: { matchLabels: { role: 'edge' } },
      preferredNodes: [{ weight: 7, selector: {} }],
    };
    const pool = poolInEffect(object({ ...spec, interfaces: ['a/b'], nodeSelector: 7 }, { inEffect }));
    expect(pool).to.deep.include(inEffect);
  });
});
