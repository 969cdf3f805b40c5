/** With kinds of links that the kernel with ip_vs has, and others may not have. */

import { Cable, toldMac } from './cable.spec.helpers.js';
import { describeLinks, kinds } from './links.spec.helpers.js';

describeLinks([kinds.bond, kinds.vlan]);

describe('what is announced on a bond of two cables', function () {
  this.timeout(180_000);
  let cable: Cable;
  afterEach(() => cable?.close());

  for (const uplink of ['bond0', 'bond0.77']) {
    it(`is announced by the other one as soon as that is in use (${uplink})`, async () => {
      cable = new Cable((it) => {
        it.ip('here', `link add eth1 type veth peer name eth1 netns ${it.there}`);
        it.ip('here', 'link add bond0 type bond mode active-backup');
        for (const card of ['eth0', 'eth1']) {
          it.ip('here', `link set ${card} down`);
          it.ip('here', `link set ${card} master bond0`);
        }
        it.ip('here', 'link set bond0 type bond active_slave eth0');
        it.ip('here', 'link set bond0 up');
        it.ip('here', 'link add link bond0 name bond0.77 type vlan id 77');
        it.ip('here', 'link set bond0.77 up');
        it.ip('there', 'link set eth1 up');
      }, 'eth1');
      cable.own(['10.77.0.200'], uplink, { repeatAfterMilliseconds: [] });
      const mac = cable.mac('here', uplink).toString('hex');
      const announced = cable.next((frame) => toldMac(frame, 0x0a4d00c8) === mac);
      cable.ip('here', 'link set bond0 type bond active_slave eth1');
      await announced;
    });
  }
});
