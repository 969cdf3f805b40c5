/** Which announcements a socket lets in, by their type: whoever waits for few of them does not take the others out of it. Pure. */
import { BPF, type BpfInstruction } from '@fairlead/raw-socket';

/** RTM_...: these alone. */
export const onlyType = (type: number): readonly BpfInstruction[] => byType(type, BPF.WHOLE_PACKET, 0);

/** RTM_...: all but these. */
export const allButType = (type: number): readonly BpfInstruction[] => byType(type, 0, BPF.WHOLE_PACKET);

/** An announcement is one message, and its type is in struct nlmsghdr. BPF reads numbers in network order. */
function byType(type: number, these: number, others: number): readonly BpfInstruction[] {
  return [
    { code: BPF.LOAD_HALF, jt: 0, jf: 0, k: 4 },
    { code: BPF.JUMP_EQUAL, jt: 0, jf: 1, k: type << 8 },
    { code: BPF.RETURN, jt: 0, jf: 0, k: these },
    { code: BPF.RETURN, jt: 0, jf: 0, k: others },
  ];
}
