import { expect } from 'chai';
import type { AssignedRouter } from './assignment.js';
import { contestable } from './contestable.js';
import { eth0 } from './interfaces.spec.helpers.js';

function router(vips: AssignedRouter['vips']): AssignedRouter {
  const router = { name: 'public.0', pool: 'public', leaseName: 'vr-public-0', ranking: ['n1'] };
  return { ...router, engine: 'lease', preempt: false, vips };
}

describe('contestable virtual routers', () => {
  const v4 = { address: '10.77.0.200', uplink: 'eth0' };
  const v6 = { address: 'fd00:77::c8', uplink: 'eth0' };
  const cases: [string, AssignedRouter['vips'], string[] | undefined][] = [
    ['both families, announced', [v4, v6], [v4.address, v6.address]],
    ['IPv6 alone', [v6], [v6.address]],
    ['IPv4 where the LAN has no IPv6', [v4, { ...v6, uplink: undefined }], [v4.address]],
    ['IPv6 where the LAN has no IPv4', [{ ...v4, uplink: undefined }, v6], [v6.address]],
    ['one of two IPv4 subnets missing', [v4, { address: '10.99.0.1', uplink: undefined }], undefined],
    ['one of two IPv6 subnets missing', [v4, v6, { address: 'fd00:99::1', uplink: undefined }], undefined],
    ['nothing that could be announced', [{ ...v4, uplink: undefined }], undefined],
    ['an interface without carrier', [v4, { ...v6, uplink: 'eth9' }], undefined],
  ];
  for (const [what, vips, announced] of cases) {
    it(`${announced ? 'stands' : 'does not stand'} with ${what}`, () => {
      const found = contestable([router(vips)], [eth0]);
      expect(found.map((one) => one.vips.map(({ address }) => address))).to.deep.equal(announced ? [announced] : []);
    });
  }

  it('does not stand where the interface has no carrier', () => {
    expect(contestable([router([v4])], [{ ...eth0, running: false }])).to.deep.equal([]);
  });
});
