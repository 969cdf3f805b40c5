import { constants } from 'node:os';
import { expect } from 'chai';
import { NetlinkError } from '../errors.js';
import { FakeTransport, refusal } from '../fake-transport.js';
import { Rtnetlink } from './rtnetlink.js';

describe('a neighbour that the kernel has no room for', () => {
  for (const [address, family] of [
    ['10.0.0.1', 'ipv4'],
    ['fd00::1', 'ipv6'],
  ] as const) {
    it(`is refused by an error that says what to do (${family})`, () => {
      const transport = new FakeTransport((request) => [refusal(request, constants.errno.ENOBUFS)]);
      expect(() => new Rtnetlink({ transport }).replaceNeighbour({ index: 2, address, state: 'none' }))
        .to.throw(
          NetlinkError,
          `replace neighbour ${address} on link 2: ENOBUFS: the kernel's table of neighbours is full, which all network namespaces ` +
            `of this host share: make room for more by sysctl net.${family}.neigh.default.gc_thresh3`,
        )
        .that.includes({ code: 'ENOBUFS' });
    });
  }
});
