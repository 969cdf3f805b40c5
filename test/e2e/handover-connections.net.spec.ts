import { describeOpenConnections } from './handover-connections.js';

const size = { nodes: 3, connections: 9, askEveryMs: 20, leaseSeconds: 3 };
describeOpenConnections('nftables', 'lease', size);
describeOpenConnections('nftables', 'vrrp', size);
