/** What becomes of announcements when links go, come back and change, with the kernel's own links of every kind. */

import { expect } from 'chai';
import { arpProbe } from './arp.js';
import { Cable, toldMac } from './cable.spec.helpers.js';
import { formatMac } from './mac.js';

const VIPS = ['10.77.0.200', 'fd00:77::c8'];
const IPV4 = 0x0a4d00c8;
const IPV6 = 'fd0000770000000000000000000000c8';
const OTHER_MAC = '02:00:00:00:00:0b';
const hex = (mac: string) => mac.replaceAll(':', '');

interface Kind {
  title: string;
  /** Makes it over eth0, which is up. */
  make: readonly string[];
  uplink: string;
  /** What the other end has to make of its eth0, and its name. */
  there?: { make: string; name: string };
}

export const kinds = {
  card: { title: 'a network card', make: [], uplink: 'eth0' },
  bridge: {
    title: 'a bridge',
    make: ['link add br0 address 02:00:00:00:00:0c type bridge', 'link set eth0 master br0', 'link set br0 up'],
    uplink: 'br0',
  },
  macvlan: {
    title: 'a macvlan',
    make: ['link add link eth0 name mac0 type macvlan mode private', 'link set mac0 up'],
    uplink: 'mac0',
  },
  bond: {
    title: 'a bond',
    make: [
      'link add bond0 type bond mode active-backup',
      'link set eth0 down',
      'link set eth0 master bond0',
      'link set bond0 up',
    ],
    uplink: 'bond0',
  },
  vlan: {
    title: 'a VLAN',
    make: ['link add link eth0 name eth0.77 type vlan id 77', 'link set eth0.77 up'],
    uplink: 'eth0.77',
    there: { make: 'link add link eth0 name eth0.77 up type vlan id 77', name: 'eth0.77' },
  },
} satisfies Record<string, Kind>;

export function describeLinks(chosen: readonly Kind[]): void {
  for (const { title, make, uplink, there } of chosen) {
    describe(`what is announced on ${title}`, function () {
      this.timeout(30_000);
      let cable: Cable;
      beforeEach(async () => {
        cable = new Cable((it) => {
          for (const command of make) it.ip('here', command);
          if (there) it.ip('there', there.make);
        }, there?.name);
        const announced = heard(formatMac(cable.mac('here', uplink)));
        cable.own(VIPS, uplink, { repeatAfterMilliseconds: [] });
        await announced;
        cable.frames.length = 0;
      });
      afterEach(() => cable.close());

      /** Both VIPs at this hardware address. */
      function heard(mac: string): Promise<unknown> {
        return Promise.all([IPV4, IPV6].map((ip) => cable.next((frame) => toldMac(frame, ip) === hex(mac))));
      }

      it('is announced again when it has been switched off and on', async () => {
        const again = heard(formatMac(cable.mac('here', uplink)));
        cable.ip('here', `link set ${uplink} down`);
        cable.ip('here', `link set ${uplink} up`);
        await again;
      });

      it('is announced again when the cable was out for a moment', async () => {
        const again = heard(formatMac(cable.mac('here', uplink)));
        cable.ip('there', 'link set eth0 down');
        cable.ip('there', 'link set eth0 up');
        await again;
      });

      it('is announced from another hardware address as soon as it has that, and no longer from the former', async () => {
        const mac = formatMac(cable.mac('here', uplink));
        const again = heard(OTHER_MAC);
        cable.ip('here', `link set ${uplink} address ${OTHER_MAC}`);
        await again;
        const from = cable.frames.findIndex((frame) => toldMac(frame, IPV4) === hex(OTHER_MAC));
        const answered = cable.next((frame) => toldMac(frame, IPV4) === hex(OTHER_MAC));
        cable.send(arpProbe(IPV4, cable.mac('there')));
        await answered;
        const since = cable.frames.slice(from).flatMap((frame) => toldMac(frame, IPV4) ?? []);
        expect(new Set(since), `${mac} before`).to.deep.equal(new Set([hex(OTHER_MAC)]));
      });
    });
  }
}
