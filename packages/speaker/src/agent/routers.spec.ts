import { DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { expect } from 'chai';
import type { Reassignment, RouterChange } from './assignment.js';
import { eth0 } from './interfaces.spec.helpers.js';
import { Routers } from './routers.js';

const vip = (address: string, uplink: string | undefined = 'eth0') => ({ address, uplink });

function change(name: string, parts: Partial<RouterChange>): RouterChange {
  const [pool, n] = name.split('.');
  return {
    ...{ name, pool: pool!, leaseName: `vr-${pool}-${n}`, ranking: ['n1'], engine: 'lease', preempt: false },
    ...{ announcement: DEFAULT_ANNOUNCEMENT, added: [], removed: [] },
    ...parts,
  };
}

function router(name: string, ...addresses: string[]): RouterChange {
  return change(name, { added: addresses.map((address) => vip(address)) });
}

const reassigned = (changed: RouterChange[], removed: string[] = []): Reassignment => ({ changed, removed });

describe('virtual routers of this node', () => {
  it('have a table each, and routes for what is added to and removed from them', () => {
    const routers = new Routers();
    const first = routers.apply(
      reassigned([router('public.0', '10.77.0.200'), router('public.1', '10.77.0.201', 'fd00:77::1')]),
      [eth0],
    );
    expect(first.removed).to.deep.equal([]);
    expect(first.added).to.have.deep.members(routers.tables);
    const table = routers.tables[0]!.index;
    const second = routers.apply(reassigned([], ['public.0']), [eth0]);
    expect(second).to.deep.equal({ added: [], removed: [{ index: table, vips: ['10.77.0.200'] }] });
    expect(routers.tables.map(({ vips }) => vips)).to.deep.equal([['10.77.0.201', 'fd00:77::1']]);
    expect(routers.passage([])).to.deep.include({ uplinks: ['eth0'], families: ['ipv4', 'ipv6'] });
    expect(routers.sizes).to.deep.equal([{ name: 'public.1', vips: 2 }]);
  });

  it('keep the routes of a VIP that merely gets another interface', () => {
    const routers = new Routers();
    routers.apply(reassigned([router('public.0', '10.77.0.200')]), [eth0]);
    const moved = change('public.0', { added: [vip('10.77.0.200', 'eth1')] });
    const interfaces = [eth0, { ...eth0, name: 'eth1', index: 3 }];
    expect(routers.apply(reassigned([moved]), interfaces)).to.deep.equal({ added: [], removed: [] });
    expect(routers.vipsOf('public.0')).to.deep.equal(['10.77.0.200']);
  });

  describe('are told to the wire thread', () => {
    it('where this node can serve them, with their table and its interface', () => {
      const routers = new Routers();
      const dark = change('far.0', { added: [{ address: '10.99.0.1', uplink: undefined }] });
      routers.apply(reassigned([router('public.0', '10.77.0.200'), dark]), [eth0]);
      const { index: table } = routers.tables.find(({ vips }) => vips.includes('10.77.0.200'))!;
      expect(routers.takeWire()).to.deep.equal({
        changed: [{ ...router('public.0', '10.77.0.200'), table }],
        removed: [],
        uplinks: [{ name: 'eth0', index: 2, addresses: ['10.77.0.11'] }],
      });
      expect(routers.vipsOf('public.0')).to.deep.equal(['10.77.0.200']);
      expect(routers.vipsOf('far.0')).to.deep.equal([]);
    });

    it('as what has changed: one VIP among many is one, and nothing is nothing', () => {
      const routers = new Routers();
      const many = Array.from({ length: 250 }, (_, n) => `10.77.0.${n}`);
      routers.apply(reassigned([router('public.0', ...many), router('public.1', '10.77.1.1')]), [eth0]);
      routers.takeWire();
      routers.apply(reassigned([router('public.0', '10.77.0.251'), router('public.1')]), [eth0]);
      const { changed, ...rest } = routers.takeWire()!;
      expect(changed.map(({ name, added, removed }) => [name, added, removed])).to.deep.equal([
        ['public.0', [vip('10.77.0.251')], []],
      ]);
      expect(rest).to.deep.equal({ removed: [] });
      routers.apply(reassigned([change('public.0', { removed: ['10.77.0.251'] })]), [eth0]);
      routers.apply(reassigned([router('public.0', '10.77.0.251')]), [eth0]);
      expect(routers.takeWire()).to.equal(undefined);
      routers.apply(reassigned([change('public.1', { preempt: true })]), [eth0]);
      expect(routers.takeWire()!.changed).to.have.length(1);
    });

    it('whole when this node can serve them again, and as gone when it cannot', () => {
      const routers = new Routers();
      routers.apply(reassigned([router('public.0', '10.77.0.200', '10.77.0.208')]), [eth0]);
      routers.takeWire();
      routers.apply(reassigned([router('public.0', '10.77.0.209')]), [{ ...eth0, running: false }]);
      expect(routers.takeWire()).to.deep.equal({ changed: [], removed: ['public.0'], uplinks: [] });
      expect(routers.takeWire()).to.equal(undefined);
      routers.apply(reassigned([router('public.0')]), [eth0]);
      expect(routers.takeWire()!.changed[0]!.added).to.have.deep.members(
        ['10.77.0.200', '10.77.0.208', '10.77.0.209'].map((address) => vip(address)),
      );
    });

    it('without the family that this LAN does not have, until it has it', () => {
      const routers = new Routers();
      const dark = { address: 'fd00:77::1', uplink: undefined };
      routers.apply(reassigned([change('public.0', { added: [vip('10.77.0.200'), dark] })]), [eth0]);
      expect(routers.takeWire()!.changed[0]!.added).to.deep.equal([vip('10.77.0.200')]);
      routers.apply(reassigned([router('public.0', 'fd00:77::1')]), [eth0]);
      expect(routers.takeWire()!.changed[0]!.added).to.deep.equal([vip('fd00:77::1')]);
    });
  });
});
