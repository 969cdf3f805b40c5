/**
 * What to do with a packet from the LAN that is about neighbours (ARP, NDP): answer it, heed it as a rival's announcement, or let
 * it be. Pure: whether this node may answer for an address is asked anew for every packet, so that an owner whose time has run out
 * (or a process that was frozen and thawed) stays silent without anyone having told it to.
 */

import { ARP_REPLY, ARP_REQUEST, type ArpFrame, arpReplyTo } from './arp.js';
import { advertisementTo, type NdpPacket } from './ndp.js';
import type { VipKey } from './vip-key.js';

export interface Claims {
  /** Whether this node answers for the address at this very moment. */
  mayAnswer(ip: VipKey): boolean;
  /** Whether the address is one of our VIPs, whoever owns it now. */
  isVip(ip: VipKey): boolean;
}

export type Reaction =
  | { kind: 'ignore' }
  | { kind: 'reply'; frame: Buffer }
  /** Someone else says that it has one of our VIPs (RFC 5227 §2.4; RFC 4861 §7.2.5). */
  | { kind: 'rival'; ip: VipKey; mac: Buffer };

const IGNORE: Reaction = { kind: 'ignore' };

/** Decides on one received packet. `mac` is the hardware address of the interface that it came in by. */
export function reactToArp(packet: ArpFrame, mac: Buffer, claims: Claims): Reaction {
  const ours = packet.senderMac.equals(mac);
  if (packet.operation !== ARP_REQUEST && packet.operation !== ARP_REPLY) return IGNORE;
  if (!ours && claims.isVip(packet.senderIp)) return { kind: 'rival', ip: packet.senderIp, mac: packet.senderMac };
  if (packet.operation !== ARP_REQUEST || ours) return IGNORE;
  if (!claims.mayAnswer(packet.targetIp)) return IGNORE;
  return { kind: 'reply', frame: arpReplyTo(packet, mac) };
}

/** As reactToArp. A station that looks whether the address is free (duplicate address detection) is no rival: it is answered. */
export function reactToNdp(packet: NdpPacket, mac: Buffer, claims: Claims): Reaction {
  const sender = packet.linkLayer ?? packet.sourceMac;
  if (sender.equals(mac)) return IGNORE;
  const claimed = packet.kind === 'advertisement' ? packet.target : packet.sourceIp;
  if (claims.isVip(claimed)) return { kind: 'rival', ip: claimed, mac: sender };
  if (packet.kind !== 'solicitation' || !claims.mayAnswer(packet.target)) return IGNORE;
  return { kind: 'reply', frame: advertisementTo(packet, mac) };
}
