/**
 * The classic BPF program (linux/filter.h) on the ARP socket: whole ARP requests and replies for IPv4 over Ethernet, nothing else.
 * The socket is bound to ETH_P_ARP, so that the kernel has matched the ethertype already; this keeps malformed packets and
 * other operations (RARP, InARP) from waking the thread.
 */

import type { BpfInstruction } from '@fairlead/raw-socket';

const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_HALF = 0x28; // BPF_LD | BPF_H | BPF_ABS
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const WHOLE_PACKET = 0x40000;

/** Offsets count from the Ethernet header, as an AF_PACKET SOCK_RAW socket sees the frame. */
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
