/**
 * Which virtual routers this node may stand for: those that it can announce whole, or an owner would leave some of its VIPs dark.
 * Whole is meant for each IP family: where a pool has IPv6 addresses and this LAN has none, IPv4 goes on without them (an Event on
 * the Service says so). Pure.
 */

import { familyOf } from '@fairlead/ipvs';
import type { WireVip, WireVirtualRouter } from '../wire/messages.js';
import type { AssignedRouter } from './assignment.js';
import type { HostInterface } from './uplinks.js';

/** Each with the VIPs that this node would announce; the carrier counts, too. */
export function contestable(
  routers: readonly AssignedRouter[],
  interfaces: readonly HostInterface[],
): Omit<WireVirtualRouter, 'table'>[] {
  const running = new Set(interfaces.filter((candidate) => candidate.running).map(({ name }) => name));
  return routers.flatMap((router) => {
    const vips: WireVip[] = [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      const ofFamily = router.vips.filter(({ address }) => familyOf(address) === family);
      if (ofFamily.every(({ uplink }) => uplink === undefined)) continue;
      for (const { address, uplink } of ofFamily) {
        if (uplink === undefined || !running.has(uplink)) return [];
        vips.push({ address, uplink });
      }
    }
    return vips.length > 0 ? [{ ...router, vips }] : [];
  });
}
