import { NftablesForwarder, NftCommand } from '@fairlead/ipvs';
import { forwarderCompliance } from './compliance.js';

describe('nftables forwarder', function () {
  this.timeout(60_000);
  forwarderCompliance('nftables', (director) => new NftablesForwarder(new NftCommand(director)));
});
