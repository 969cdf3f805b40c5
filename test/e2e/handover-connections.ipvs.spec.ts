import { describeWithIpvs } from '@fairlead/netlink/testing';
import { describeOpenConnections } from './handover-connections.js';

describeWithIpvs('with IPVS', () => {
  describeOpenConnections('ipvs', 'lease', { nodes: 2, connections: 4, askEveryMs: 400, leaseSeconds: 15 });
});
