/** What of a director there is only with IPVS: its settings, which the forwarder sets and the director looks after. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describeWithIpvs } from '@fairlead/netlink/testing';
import { createNetns, deleteNetns, inNetns, listNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { createForwarder } from '../create-forwarder.js';
import { Director } from './director.js';
import { ipvsSysctls } from './sysctls.js';

const hostNetns = `fl-iset-h-${process.pid}`;
const name = `fl-iset-d-${process.pid}`;

describeWithIpvs('settings of IPVS in a director', function () {
  this.timeout(120_000);
  const read = (sysctl: string) => inNetns(name, () => readFileSync(`/proc/sys/${sysctl}`, 'utf8').trim());

  beforeEach(() => {
    createNetns(hostNetns);
    inNetns(hostNetns, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
  });
  afterEach(() => {
    for (const netns of [hostNetns, name]) if (listNetns().includes(netns)) deleteNetns(netns);
  });

  it('are as they have to be, and put right when somebody changes them', () => {
    const director = Director.ensure({ name, hostNetns });
    const forwarder = createForwarder({ kind: 'ipvs', director: name });
    try {
      director.sync({ vips: [], virtualServers: [] });
      forwarder.sync({ vips: [], virtualServers: [] });
      for (const { name: sysctl, value } of ipvsSysctls) expect(read(sysctl), sysctl).to.equal(value);
      expect(director.audit()).to.deep.equal({ repaired: 0 });
      for (const { name: sysctl } of ipvsSysctls) inNetns(name, () => writeFileSync(`/proc/sys/${sysctl}`, '0'));
      expect(director.audit()).to.deep.equal({ repaired: ipvsSysctls.length });
      for (const { name: sysctl, value } of ipvsSysctls) expect(read(sysctl), sysctl).to.equal(value);
    } finally {
      forwarder.close();
      director.close();
    }
  });
});
