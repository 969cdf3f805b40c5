/** The gateways of this host's interfaces: stations that answer as long as anybody does. */

import { Rtnetlink } from '@fairlead/netlink';

/** Of the default routes over these interfaces, as text; the main table is looked at alone. Throws a NetlinkError. */
export function gatewaysOf(indexes: ReadonlySet<number>): string[] {
  const rtnetlink = new Rtnetlink();
  try {
    const routes = (['ipv4', 'ipv6'] as const).flatMap((family) => rtnetlink.routes({ family, table: MAIN_TABLE }));
    const hops = routes
      .filter(({ prefixLength }) => prefixLength === 0)
      .flatMap((route): readonly { gateway?: string; index?: number }[] => route.nextHops ?? [route]);
    const known = hops.flatMap(({ gateway, index }) =>
      gateway !== undefined && index !== undefined && indexes.has(index) ? [gateway] : [],
    );
    return [...new Set(known)];
  } finally {
    rtnetlink.close();
  }
}

const MAIN_TABLE = 254; // RT_TABLE_MAIN
