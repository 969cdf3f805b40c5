import { expect } from 'chai';
import type { AssignedVip } from './assignment.js';
import { contestable, type Family, VipUplinks } from './contestable.js';
import { eth0 } from './interfaces.spec.helpers.js';

function uplinksOf(vips: readonly AssignedVip[]): VipUplinks {
  const uplinks = new VipUplinks();
  for (const { address, uplink } of vips) uplinks.set(address, uplink);
  return uplinks;
}

describe('contestable virtual routers', () => {
  const v4 = { address: '10.77.0.200', uplink: 'eth0' };
  const v6 = { address: 'fd00:77::c8', uplink: 'eth0' };
  const cases: [string, AssignedVip[], Family[]][] = [
    ['both families, announced', [v4, v6], ['ipv4', 'ipv6']],
    ['IPv6 alone', [v6], ['ipv6']],
    ['IPv4 where the LAN has no IPv6', [v4, { ...v6, uplink: undefined }], ['ipv4']],
    ['IPv6 where the LAN has no IPv4', [{ ...v4, uplink: undefined }, v6], ['ipv6']],
    ['one of two IPv4 subnets missing', [v4, { address: '10.99.0.1', uplink: undefined }], []],
    ['one of two IPv6 subnets missing', [v4, v6, { address: 'fd00:99::1', uplink: undefined }], []],
    ['nothing that could be announced', [{ ...v4, uplink: undefined }], []],
    ['an interface without carrier', [v4, { ...v6, uplink: 'eth9' }], []],
  ];
  for (const [what, vips, families] of cases) {
    it(`${families.length > 0 ? 'stands' : 'does not stand'} with ${what}`, () => {
      expect(contestable(uplinksOf(vips), [eth0])).to.deep.equal(families);
    });
  }

  it('does not stand where the interface has no carrier', () => {
    expect(contestable(uplinksOf([v4]), [{ ...eth0, running: false }])).to.deep.equal([]);
  });

  it('stands again when the VIP in its way is gone, or has an interface', () => {
    const vips = uplinksOf([v4, { address: '10.99.0.1', uplink: undefined }]);
    vips.set('10.99.0.1', 'eth0');
    expect(contestable(vips, [eth0])).to.deep.equal(['ipv4']);
    vips.set('10.99.0.1', 'eth9');
    expect(contestable(vips, [eth0])).to.deep.equal([]);
    expect([vips.delete('10.99.0.1'), vips.delete('10.99.0.1')]).to.deep.equal([true, false]);
    expect(contestable(vips, [eth0])).to.deep.equal(['ipv4']);
  });
});
