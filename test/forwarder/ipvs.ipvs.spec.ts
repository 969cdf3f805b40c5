import { createForwarder } from '@fairlead/ipvs';
import { hasCode, Ipvs } from '@fairlead/netlink';
import { forwarderCompliance } from './compliance.js';

/** Without ip_vs in this kernel the suite is skipped, or fails where FAIRLEAD_REQUIRE_IPVS says that it must be there. */
function whyNoIpvs(): string | undefined {
  try {
    new Ipvs().close();
    return undefined;
  } catch (error) {
    if (hasCode(error, 'FL_NO_IPVS') && !process.env.FAIRLEAD_REQUIRE_IPVS) return error.message;
    throw error;
  }
}

const reason = whyNoIpvs();
(reason ? describe.skip : describe)(`ipvs forwarder${reason ? ` [skipped: ${reason}]` : ''}`, function () {
  this.timeout(120_000);
  forwarderCompliance('ipvs', (director) => createForwarder({ kind: 'ipvs', director }));
});
