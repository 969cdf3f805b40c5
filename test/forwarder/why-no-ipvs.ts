import { hasCode, Ipvs } from '@fairlead/netlink';

/** Without ip_vs in this kernel a suite is skipped, or fails where FAIRLEAD_REQUIRE_IPVS says that it must be there. */
export function whyNoIpvs(): string | undefined {
  try {
    new Ipvs().close();
    return undefined;
  } catch (error) {
    if (hasCode(error, 'FL_NO_IPVS') && !process.env.FAIRLEAD_REQUIRE_IPVS) return error.message;
    throw error;
  }
}
