import { DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import type { WireVip } from './messages.js';
import { type Vip, VirtualRouters } from './virtual-routers.js';
import { WholeConfiguration, type WholeVirtualRouter } from './whole-configuration.spec.helpers.js';

function router(name: string, vips: WireVip[]): WholeVirtualRouter {
  const settings = { engine: 'lease', preempt: false, announcement: DEFAULT_ANNOUNCEMENT } as const;
  return { ...{ name, pool: 'public', leaseName: `vr-${name}`, table: 1, ranking: ['n1'], vips }, ...settings };
}

const vip = (address: string, uplink = 'eth0') => ({ address, uplink });
const known = (vips: Iterable<Vip>) => [...vips].map(({ address, uplink }) => vip(address, uplink));

describe('what the wire thread knows of virtual routers', () => {
  it('has their VIPs in order, and is another object only for those that have changed', () => {
    const routers = new VirtualRouters();
    const configuration = new WholeConfiguration();
    const become = (...whole: WholeVirtualRouter[]) => routers.apply(configuration.becomes(whole, []).changed, []);
    const a = [vip('10.77.0.9'), vip('fd00:77::1'), vip('10.77.0.10')];
    const b = router('b', [vip('10.77.0.1')]);
    become(router('a', a), b);
    expect(known(routers.vipsOf('a'))).to.deep.equal([a[0], a[2], a[1]]);
    const before = routers.contested;
    // A change says nothing of those that stay as they are.
    const { changed } = configuration.becomes([router('a', [...a, vip('10.77.0.11')]), b], []);
    routers.apply([changed[0]!], []);
    expect(known(routers.vipsOf('a'))).to.deep.equal([a[0], a[2], vip('10.77.0.11'), a[1]]);
    expect(routers.contested[0]).to.not.equal(before[0]);
    expect(routers.contested[1]).to.equal(before[1]);
  });

  const addresses = ['10.77.0.1', '10.77.0.2', '10.77.0.3', '10.77.0.40', 'fd00:77::1', 'fd00:77::20'];
  /** Which of two virtual routers each address is in, and on which interface. */
  const place = fc.constantFrom(undefined, ['a', 'eth0'], ['a', 'eth1'], ['b', 'eth0']);
  const whole = fc.tuple(...addresses.map(() => place)).map((places) =>
    ['a', 'b'].flatMap((name) => {
      const vips = addresses.flatMap((address, index) =>
        places[index]?.[0] === name ? [vip(address, places[index]![1])] : [],
      );
      return vips.length > 0 ? [router(name, vips)] : [];
    }),
  );

  it('comes to what it would be at once, and says what was added and removed', () => {
    fc.assert(
      fc.property(fc.array(whole, { maxLength: 8 }), (wholes) => {
        const routers = new VirtualRouters();
        const configuration = new WholeConfiguration();
        const held = new Map<string, Vip>();
        for (const routersNow of wholes) {
          const { changed, removed } = configuration.becomes(routersNow, []);
          const change = routers.apply(changed, removed);
          for (const gone of change.removed) {
            expect(held.get(gone.address), 'what is removed was there').to.equal(gone);
            held.delete(gone.address);
          }
          for (const added of change.added) held.set(added.address, added);
          routers.forget(removed);
          for (const { name, vips } of routersNow) {
            expect(known(routers.vipsOf(name)), 'ascending').to.deep.equal(vips);
            expect(routers.get(name)).to.include({ name });
          }
          expect(routers.contested.map(({ name }) => name)).to.have.members(routersNow.map(({ name }) => name));
          expect([...held.values()]).to.have.members([...routers.all()]);
          for (const each of held.values()) expect(routers.vip(each.ip)).to.equal(each);
        }
      }),
    );
  });
});
