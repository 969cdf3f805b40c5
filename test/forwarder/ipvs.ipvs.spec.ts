import { createForwarder } from '@fairlead/ipvs';
import { describeWithIpvs } from '@fairlead/netlink/testing';
import { forwarderCompliance } from './compliance.js';

describeWithIpvs('ipvs forwarder', function () {
  this.timeout(120_000);
  forwarderCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
});
