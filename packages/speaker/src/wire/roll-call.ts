/** Asks witnesses for a sign of life, by the questions that neighbours ask anyway. */

import { arpProbe, arpRequest } from './arp.js';
import { ndpProbe } from './ndp.js';
import { vipKey } from './vip-key.js';
import type { Station } from './witnesses.js';

/**
 * The frames that ask, those of ARP and those of NDP.
 *
 * ARP is asked with an address of this node, where it has one: whoever could not reach this node, as it was switched off or unplugged, knows
 * it again, and an owner's advertisements get here. @param widely where the stations are now, instead of where they were
 */
export function rollCall(
  stations: readonly Station[],
  own: { mac: Buffer; addresses: readonly string[] },
  widely: boolean,
): Buffer[][] {
  const sender = own.addresses.map(vipKey).find((ip) => typeof ip === 'number');
  const arp = stations.flatMap(({ ip, mac }) => {
    if (typeof ip !== 'number') return [];
    return sender === undefined ? arpProbe(ip, own.mac) : arpRequest(ip, sender, own.mac, widely ? undefined : mac);
  });
  const ndp = stations.flatMap(({ ip }) => (typeof ip === 'string' ? ndpProbe(ip, own.mac) : []));
  return [arp, ndp].filter((frames) => frames.length > 0);
}
