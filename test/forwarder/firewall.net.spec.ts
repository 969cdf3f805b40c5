import { createForwarder } from '@fairlead/ipvs';
import { firewallCompliance } from './firewall.js';

describe('firewall of a director, with nftables', function () {
  this.timeout(60_000);
  firewallCompliance('nftables', (director) => createForwarder({ kind: 'nftables', director }));
});
