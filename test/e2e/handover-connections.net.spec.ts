import { describeOpenConnections } from './handover-connections.js';

describeOpenConnections('nftables', 'lease');
describeOpenConnections('nftables', 'vrrp');
