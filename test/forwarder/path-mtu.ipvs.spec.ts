import { createForwarder } from '@fairlead/ipvs';
import { pathMtuCompliance } from './path-mtu.js';
import { whyNoIpvs } from './why-no-ipvs.js';

const reason = whyNoIpvs();
(reason ? describe.skip : describe)(
  `a path with a smaller MTU, with IPVS${reason ? ` [skipped: ${reason}]` : ''}`,
  function () {
    this.timeout(120_000);
    pathMtuCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
  },
);
