import { describeLongPath } from './path.js';
import { whyNoIpvs } from './why-no-ipvs.js';

const reason = whyNoIpvs();
(reason ? describe.skip : describe)(
  `a long way through the IPVS forwarder${reason ? ` [skipped: ${reason}]` : ''}`,
  function () {
    this.timeout(120_000);
    describeLongPath('ipvs');
  },
);
