import { createForwarder } from '@fairlead/ipvs';
import { describeWithIpvs } from '@fairlead/netlink/testing';
import { firewallCompliance } from './firewall.js';

describeWithIpvs('firewall of a director, with IPVS', function () {
  this.timeout(120_000);
  firewallCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
});
