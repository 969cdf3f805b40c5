import { createForwarder } from '@fairlead/ipvs';
import { hasCode, Ipvs } from '@fairlead/netlink';
import { forwarderCompliance } from './compliance.js';

describe('ipvs forwarder', function () {
  this.timeout(120_000);

  before(function () {
    try {
      new Ipvs().close();
    } catch (error) {
      if (!hasCode(error, 'FL_NO_IPVS') || process.env.FAIRLEAD_REQUIRE_IPVS === '1') throw error;
      console.log('    skipped: this kernel has no ip_vs; in a guest that has it: npm run guest');
      this.skip();
    }
  });

  forwarderCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
});
