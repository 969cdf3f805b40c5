import { describeOpenConnections } from './handover-connections.js';

describeOpenConnections('ipvs', 'lease');
