/**
 * Where in the kernel's numbers Fairlead's routes and rules lie on a host.
 *
 * Virtual router n has routing table 7700+n and, while this node owns it, the rule `7700+n: from all lookup 7700+n`:
 * one number to recognise. Rules come before the main table (32766), so that a VIP inside the node's own subnet is
 * not looked for on the LAN, and behind the kernel's local table (0), so that the node's own addresses stay its own.

 */
import { ForwardingError } from '../errors.js';

export const TABLE_BASE = 7700;
/** RT_TABLE_MAIN */
export const MAIN_TABLE = 254;
/** How many virtual routers one host can have. */
export const MAX_VIRTUAL_ROUTERS = 1024;
/** Origin of our routes and rules (RTPROT_*): `proto 77` in `ip route` and `ip rule`. Assigned to nobody. */
export const ROUTE_PROTOCOL = 77;

export function tableOf(index: number, base: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= MAX_VIRTUAL_ROUTERS) {
    throw new ForwardingError(
      'FL_BAD_INDEX',
      `virtual router ${index} has no routing table: indexes are 0 to ${MAX_VIRTUAL_ROUTERS - 1}`,
    );
  }
  return base + index;
}

/** undefined for a table that is not ours. */
export function indexOf(table: number, base: number): number | undefined {
  const index = table - base;
  return index >= 0 && index < MAX_VIRTUAL_ROUTERS ? index : undefined;
}
