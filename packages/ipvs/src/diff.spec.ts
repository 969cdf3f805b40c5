import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from './arbitraries.spec.helpers.js';
import { apply, diff } from './diff.js';
import type { VirtualServer } from './forwarder.js';
import { sortVirtualServers } from './order.js';

function web(...realServers: { address: string; weight?: number }[]): VirtualServer {
  return {
    address: '10.77.0.200',
    port: 80,
    protocol: 'tcp',
    scheduler: 'rr',
    realServers: realServers.map(({ address, weight }) => ({ address, port: 30080, weight: weight ?? 1 })),
  };
}

describe('diff of virtual servers', () => {
  it('leads from any state to any other', () => {
    fc.assert(
      fc.property(virtualServers, virtualServers, (desired, actual) => {
        expect(sortVirtualServers(apply(diff(desired, actual), actual))).to.deep.equal(desired);
      }),
    );
  });

  it('is empty between equal states, however they are listed', () => {
    fc.assert(
      fc.property(virtualServers, (state) => {
        const reversed = [...state].reverse().map((s) => ({ ...s, realServers: [...s.realServers].reverse() }));
        expect(diff(state, reversed)).to.deep.equal([]);
      }),
    );
  });

  it('never leaves a virtual server without real servers while it goes from one set to another', () => {
    fc.assert(
      fc.property(virtualServers, virtualServers, (desired, actual) => {
        const served = (state: VirtualServer[], of: VirtualServer) =>
          state.find((s) => s.address === of.address && s.port === of.port && s.protocol === of.protocol)?.realServers
            .length ?? 0;
        let state = actual;
        for (const operation of diff(desired, actual)) {
          state = apply([operation], state);
          for (const server of desired) {
            if (server.realServers.length > 0 && served(actual, server) > 0) {
              expect(served(state, server)).to.be.greaterThan(0);
            }
          }
        }
      }),
    );
  });

  it('of one changed real server is that one operation', () => {
    const before = [web({ address: '10.77.0.11' }, { address: '10.77.0.12' })];
    const service = { address: '10.77.0.200', port: 80, protocol: 'tcp' } as const;
    const destination = { address: '10.77.0.12', port: 30080, weight: 1 };
    expect(diff([web({ address: '10.77.0.11' })], before)).to.deep.equal([
      { kind: 'delete-destination', service, destination },
    ]);
    expect(diff([web({ address: '10.77.0.11' }, { address: '10.77.0.12', weight: 3 })], before)).to.deep.equal([
      { kind: 'set-destination', service, destination: { ...destination, weight: 3 } },
    ]);
    expect(diff(before, [web({ address: '10.77.0.11' })])).to.deep.equal([
      { kind: 'add-destination', service, destination },
    ]);
  });

  it('changes the scheduler in place', () => {
    const before = [web({ address: '10.77.0.11' })];
    expect(diff([{ ...before[0]!, scheduler: 'mh' }], before)).to.deep.equal([
      {
        kind: 'set-service',
        service: { address: '10.77.0.200', port: 80, protocol: 'tcp', scheduler: 'mh' },
      },
    ]);
  });
});
