import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from './arbitraries.spec.helpers.js';
import { apply, diff } from './diff.js';
import { type VirtualServer, virtualServerName } from './forwarder.js';
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

describe('diff of virtual servers', function () {
  this.timeout(60_000); // properties, on a machine that may be busy

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

  it('takes no weight away before what replaces it has its own, and drains rather than deletes where it is told to', () => {
    fc.assert(
      fc.property(virtualServers, virtualServers, (desired, actual) => {
        const takers = (list: readonly VirtualServer[], of: VirtualServer) =>
          list
            .find((server) => virtualServerName(server) === virtualServerName(of))
            ?.realServers.filter(({ weight }) => weight > 0).length ?? 0;
        const operations = diff(desired, actual, { drains: () => true });
        expect(operations.map(({ kind }) => kind)).to.not.include('delete-destination');
        let state = actual;
        for (const operation of operations) {
          state = apply([operation], state);
          for (const server of desired) {
            if (takers(desired, server) > 0 && takers(actual, server) > 0) {
              expect(takers(state, server)).to.be.greaterThan(0);
            }
          }
        }
      }),
    );
  });

  it('brings lists whose order counts into the desired one, with as few moves as there can be', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6]), fc.shuffledSubarray([1, 2, 3, 4, 5, 6]), (wanted, there) => {
        const hashed = (list: number[]) => ({
          ...web(...list.map((n) => ({ address: `10.77.0.${n}` }))),
          scheduler: 'mh',
        });
        const [desired, actual] = [[hashed(wanted)], [hashed(there)]];
        const operations = diff(desired, actual, { ordered: true });
        expect(apply(operations, actual)).to.deep.equal(desired);
        // What stays in place is a beginning of the desired list; the longest that stands in that order.
        const left = there.filter((n) => wanted.includes(n));
        const inPlace = wanted.findIndex((_, index) => !isInOrder(wanted.slice(0, index + 1), left));
        const moves = operations.filter(({ kind }) => kind === 'move-destination').length;
        expect(moves).to.equal(inPlace < 0 ? 0 : left.filter((n) => wanted.indexOf(n) >= inPlace).length);
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

/** Whether all of `part` is in `list`, in that order. */
function isInOrder(part: readonly number[], list: readonly number[]): boolean {
  return list.filter((n) => part.includes(n)).join() === part.join();
}
