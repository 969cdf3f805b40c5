import { createForwarder } from '@fairlead/ipvs';
import { firewallCompliance } from './firewall.js';
import { whyNoIpvs } from './why-no-ipvs.js';

const reason = whyNoIpvs();
(reason ? describe.skip : describe)(
  `firewall of a director, with IPVS${reason ? ` [skipped: ${reason}]` : ''}`,
  function () {
    this.timeout(120_000);
    firewallCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
  },
);
