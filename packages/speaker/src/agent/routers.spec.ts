import { expect } from 'chai';
import type { AssignedRouter, Reassignment } from './assignment.js';
import { eth0 } from './interfaces.spec.helpers.js';
import { Routers } from './routers.js';

function router(name: string, ...addresses: string[]): AssignedRouter {
  const [pool, n] = name.split('.');
  const vips = addresses.map((address) => ({ address, uplink: 'eth0' }));
  return { name, pool: pool!, leaseName: `vr-${pool}-${n}`, ranking: ['n1'], engine: 'lease', preempt: false, vips };
}

function change(parts: Partial<Reassignment>): Reassignment {
  return { changed: [], removed: [], addedVips: [], removedVips: [], ...parts };
}

describe('virtual routers of this node', () => {
  it('have a table each, and routes for what is added to and removed from them', () => {
    const routers = new Routers();
    const first = routers.apply(
      change({
        changed: [router('public.0', '10.77.0.200'), router('public.1', '10.77.0.201', 'fd00:77::1')],
        addedVips: [
          { virtualRouter: 'public.0', address: '10.77.0.200' },
          { virtualRouter: 'public.1', address: '10.77.0.201' },
          { virtualRouter: 'public.1', address: 'fd00:77::1' },
        ],
      }),
      [eth0],
    );
    expect(first.removed).to.deep.equal([]);
    expect(first.added).to.have.deep.members(routers.tables);
    const table = routers.tables[0]!.index;
    const second = routers.apply(
      change({ removed: ['public.0'], removedVips: [{ virtualRouter: 'public.0', address: '10.77.0.200' }] }),
      [eth0],
    );
    expect(second).to.deep.equal({ added: [], removed: [{ index: table, vips: ['10.77.0.200'] }] });
    expect(routers.tables.map(({ vips }) => vips)).to.deep.equal([['10.77.0.201', 'fd00:77::1']]);
    expect(routers.passage([])).to.deep.include({ uplinks: ['eth0'], families: ['ipv4', 'ipv6'] });
    expect(routers.sizes).to.deep.equal([{ name: 'public.1', vips: 2 }]);
  });

  it('are told to the wire thread where this node can serve them, with their table and its interface', () => {
    const routers = new Routers();
    const dark = { ...router('far.0', '10.99.0.1'), vips: [{ address: '10.99.0.1', uplink: undefined }] };
    routers.apply(change({ changed: [router('public.0', '10.77.0.200'), dark] }), [eth0]);
    const { virtualRouters, uplinks } = routers.wire;
    expect(virtualRouters.map(({ name, table }) => [name, table])).to.deep.equal([
      ['public.0', routers.tables.find(({ vips }) => vips.includes('10.77.0.200'))!.index],
    ]);
    expect(uplinks).to.deep.equal([{ name: 'eth0', index: 2, mac: '02:00:00:00:00:01', addresses: ['10.77.0.11'] }]);
    expect(routers.vipsOf('public.0')).to.deep.equal(['10.77.0.200']);
    expect(routers.vipsOf('far.0')).to.deep.equal([]);
  });
});
