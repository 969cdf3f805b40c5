/**
 * The classic BPF programs (linux/filter.h) on the wire thread's sockets: only packets that may matter wake the thread. Each socket
 * is bound to one ethertype, so that the kernel has matched that already.
 */

import { BPF, type BpfInstruction } from '@fairlead/raw-socket';

const { LOAD_WORD, LOAD_HALF, LOAD_BYTE, JUMP_EQUAL, RETURN, WHOLE_PACKET } = BPF;

/**
 * Whole ARP requests and replies for IPv4 over Ethernet, and no other operations (RARP, InARP).
 * Offsets count from the Ethernet header, as an AF_PACKET SOCK_RAW socket sees the frame.
 */
export const arpFilter: readonly BpfInstruction[] = [
  { code: LOAD_WORD, jt: 0, jf: 0, k: 14 }, // hardware type, protocol type
  { code: JUMP_EQUAL, jt: 0, jf: 6, k: 0x00010800 },
  { code: LOAD_HALF, jt: 0, jf: 0, k: 18 }, // address lengths
  { code: JUMP_EQUAL, jt: 0, jf: 4, k: 0x0604 },
  { code: LOAD_HALF, jt: 0, jf: 0, k: 20 }, // operation
  { code: JUMP_EQUAL, jt: 1, jf: 0, k: 1 },
  { code: JUMP_EQUAL, jt: 0, jf: 1, k: 2 },
  { code: RETURN, jt: 0, jf: 0, k: WHOLE_PACKET },
  { code: RETURN, jt: 0, jf: 0, k: 0 },
];

/**
 * Neighbour solicitations and advertisements straight after the IPv6 header, which is where RFC 4861 has them in practice, that
 * no router has forwarded (hop limit 255).
 */
export const ndpFilter: readonly BpfInstruction[] = [
  { code: LOAD_HALF, jt: 0, jf: 0, k: 20 }, // next header, hop limit
  { code: JUMP_EQUAL, jt: 0, jf: 4, k: 0x3aff },
  { code: LOAD_BYTE, jt: 0, jf: 0, k: 54 }, // ICMPv6 type
  { code: JUMP_EQUAL, jt: 1, jf: 0, k: 135 },
  { code: JUMP_EQUAL, jt: 0, jf: 1, k: 136 },
  { code: RETURN, jt: 0, jf: 0, k: WHOLE_PACKET },
  { code: RETURN, jt: 0, jf: 0, k: 0 },
];
