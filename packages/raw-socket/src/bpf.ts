/** Classic BPF (<linux/filter.h>, <linux/bpf_common.h>): what a socket's filter is made of. */

/** One instruction, `struct sock_filter`. */
export interface BpfInstruction {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

/** The codes that filters of ours take: few, since each looks at a few fields and accepts or drops. */
export const BPF = {
  /** BPF_LD | BPF_W | BPF_ABS: 32 bits in network order, `k` bytes from the start. */
  LOAD_WORD: 0x20,
  /** BPF_LD | BPF_H | BPF_ABS: 16 bits of that kind. */
  LOAD_HALF: 0x28,
  /** BPF_LD | BPF_B | BPF_ABS */
  LOAD_BYTE: 0x30,
  /** BPF_JMP | BPF_JEQ | BPF_K: passes over `jt` instructions where what was loaded is `k`, over `jf` otherwise. */
  JUMP_EQUAL: 0x15,
  /** BPF_RET | BPF_K: accepts the first `k` bytes; none: drops. */
  RETURN: 0x06,
  /** As much of a packet as there can be. */
  WHOLE_PACKET: 0x40000,
} as const;

/** Lets nothing in: for a socket that only sends, whose answers nobody reads. */
export const DROP_ALL: readonly BpfInstruction[] = [{ code: BPF.RETURN, jt: 0, jf: 0, k: 0 }];
