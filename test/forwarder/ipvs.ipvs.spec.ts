import { createForwarder } from '@fairlead/ipvs';
import { forwarderCompliance } from './compliance.js';
import { whyNoIpvs } from './why-no-ipvs.js';

const reason = whyNoIpvs();
(reason ? describe.skip : describe)(`ipvs forwarder${reason ? ` [skipped: ${reason}]` : ''}`, function () {
  this.timeout(120_000);
  forwarderCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
});
