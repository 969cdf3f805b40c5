import { createForwarder } from '@fairlead/ipvs';
import { describeWithIpvs } from '@fairlead/netlink/testing';
import { pathMtuCompliance } from './path-mtu.js';

describeWithIpvs('a path with a smaller MTU, with IPVS', function () {
  this.timeout(120_000);
  pathMtuCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
});
