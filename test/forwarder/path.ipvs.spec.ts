import { describeWithIpvs } from '@fairlead/netlink/testing';
import { describeLongPath } from './path.js';

describeWithIpvs('a long way through the IPVS forwarder', function () {
  this.timeout(120_000);
  describeLongPath('ipvs');
});
