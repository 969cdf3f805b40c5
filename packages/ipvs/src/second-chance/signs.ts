/**
 * How the kernel knows that a process lives which owns virtual routers: it says so over and over, and each sign counts for a while.
 *
 * A sign is a frame out of the director into the host, for up to sixteen virtual routers: their number hardly matters then, but that of frames does.
 * The host's rules put what it names into a set, as elements with a lifetime, or prolong these; and drop the frame. To write elements would be a
 * transaction of nf_tables: that goes over all chains of all tables, tens of thousands where kube-proxy has them, and waits for transactions of
 * others, such as kube-proxy's. Ten times a second, neither will do.
 *
 *   destination (6) | 02 | life (1) | 00 00 00 00 | 88 b5 | 16 times the index of a virtual router (4, as numbers are here)
 *
 * The dead man's switch of IPv6 is held in the same way (../routes/dead-mans-switch.ts): by packets from the director that are nothing but an IPv6
 * header, one of each protocol.
 *
 * Pure.
 */
import { encodeAddress, encodeHardwareAddress } from '@fairlead/netlink';
import type { DirectorLink } from '../director/link.js';

/** Of owners of a kind. */
export interface SignLife {
  /** For how long a sign that the process lives counts, ms. */
  aliveMs: number;
  /** How often it is given, ms. */
  everyMs: number;
}

export interface SignLives {
  /** What there may be: what `FormerOwners` is given. */
  lives: readonly SignLife[];
  /** For how long a sign holds the way into the director: what `DeadMansSwitch` is given. */
  heldSeconds: number;
}

/** For experiments within one's own network (IEEE Std 802, 9.2.3). */
export const SIGN_ETHERTYPE = 0x88b5;
/** The first octet of a source that no manufacturer has given. */
const LOCALLY_ADMINISTERED = 0x02;
const HEADER_LENGTH = 14;
const INDEX_LENGTH = 4;
/** Of virtual routers in a frame. */
const SLOTS = 16;

/** Of packets that hold the switch: what else two ends of a veth pair say to each other has none. */
const HOLD_FLOW_LABEL = 0xfa1e;
const ETHERTYPE_IPV6 = 0x86dd;
const IPV6_HEADER_LENGTH = 40;
const HOP_LIMIT = 255;

export const signSet = 'set alive { type mark; flags timeout, dynamic; }';

/** For what has the destination of a sign. */
export function signRules(lives: readonly SignLife[]): string[] {
  return lives.map(({ aliveMs }, life) => {
    const updates = Array.from({ length: SLOTS }, (_, slot) => {
      const bit = 8 * (HEADER_LENGTH + slot * INDEX_LENGTH);
      return `meta mark set @ll,${bit},32 update @alive { meta mark timeout ${aliveMs}ms }`;
    });
    return `ether type ${SIGN_ETHERTYPE} @ll,56,8 ${life} ${updates.join(' ')} drop`;
  });
}

/** Of virtual routers by their indices; `life`: the place of theirs in what `signRules` was given. */
export function signFrames(destination: string, life: number, indices: readonly number[]): Buffer[] {
  const frames = Array.from({ length: Math.ceil(indices.length / SLOTS) }, (_, n) => n * SLOTS);
  return frames.map((first) => signFrame(destination, life, indices.slice(first, first + SLOTS)));
}

/** What is left of the frame says the last one again. */
function signFrame(destination: string, life: number, indices: readonly number[]): Buffer {
  const frame = Buffer.alloc(HEADER_LENGTH + SLOTS * INDEX_LENGTH);
  encodeHardwareAddress(destination).copy(frame);
  frame.writeUInt8(LOCALLY_ADMINISTERED, 6);
  frame.writeUInt8(life, 7);
  frame.writeUInt16BE(SIGN_ETHERTYPE, 12);
  for (let slot = 0; slot < SLOTS; slot++) {
    frame.writeUInt32LE(indices[Math.min(slot, indices.length - 1)]!, HEADER_LENGTH + slot * INDEX_LENGTH);
  }
  return frame;
}

/** In the family ip6. */
export function holdRule({ host, director }: DirectorLink, set: string, seconds: number): string {
  const sign = `ip6 saddr ${director.ipv6} ip6 daddr ${host.ipv6} ip6 flowlabel ${HOLD_FLOW_LABEL} ip6 hoplimit ${HOP_LIMIT}`;
  return `iifname "${host.name}" ${sign} update @${set} { meta l4proto timeout ${seconds}s } drop`;
}

/** `protocols`: their numbers. */
export function holdFrames({ host, director }: DirectorLink, protocols: readonly number[]): Buffer[] {
  return protocols.map((protocol) => {
    const frame = Buffer.alloc(HEADER_LENGTH + IPV6_HEADER_LENGTH);
    encodeHardwareAddress(host.mac).copy(frame);
    encodeHardwareAddress(director.mac).copy(frame, 6);
    frame.writeUInt16BE(ETHERTYPE_IPV6, 12);
    frame.writeUInt32BE((6 << 28) | HOLD_FLOW_LABEL, HEADER_LENGTH);
    frame.writeUInt8(protocol, HEADER_LENGTH + 6);
    frame.writeUInt8(HOP_LIMIT, HEADER_LENGTH + 7);
    encodeAddress(director.ipv6).copy(frame, HEADER_LENGTH + 8);
    encodeAddress(host.ipv6).copy(frame, HEADER_LENGTH + 24);
    return frame;
  });
}
