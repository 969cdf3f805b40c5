import { createForwarder } from '@fairlead/ipvs';
import { forwarderCompliance } from './compliance.js';

describe('nftables forwarder', function () {
  this.timeout(60_000);
  forwarderCompliance('nftables', (director) => createForwarder({ kind: 'nftables', director }));
});
