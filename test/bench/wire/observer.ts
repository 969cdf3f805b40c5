/** The other end of the cable: hears every frame of ARP, NDP and VRRP with the kernel's time of it, its own frames too. */
import { endianness } from 'node:os';
import { BPF, type BpfInstruction, constants, type Message, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import { decodeArpFrame, decodeNdpFrame } from '@fairlead/speaker';
import { ECHO_ETHERTYPE } from './machine.js';

export interface Frame {
  /** When it passed, ms, by the kernel's clock. */
  atMs: number;
  bytes: Buffer;
}

const { LOAD_HALF, LOAD_BYTE, JUMP_EQUAL, RETURN, WHOLE_PACKET } = BPF;
const ETHERTYPE_AT = 12;
const IPV6_NEXT_HEADER_AT = 20;
const IPV4_PROTOCOL_AT = 23;
/** Behind headers without options. */
const IPV4_PAYLOAD_AT = 34;
const IPV6_PAYLOAD_AT = 54;

/** ARP; what a bare thread echoes; VRRP in IPv4 or IPv6; ICMPv6. */
const filter: readonly BpfInstruction[] = [
  { code: LOAD_HALF, jt: 0, jf: 0, k: ETHERTYPE_AT },
  { code: JUMP_EQUAL, jt: 8, jf: 0, k: ECHO_ETHERTYPE },
  { code: JUMP_EQUAL, jt: 7, jf: 0, k: constants.ETH_P_ARP },
  { code: JUMP_EQUAL, jt: 0, jf: 2, k: constants.ETH_P_IP },
  { code: LOAD_BYTE, jt: 0, jf: 0, k: IPV4_PROTOCOL_AT },
  { code: JUMP_EQUAL, jt: 4, jf: 5, k: constants.IPPROTO_VRRP },
  { code: JUMP_EQUAL, jt: 0, jf: 4, k: constants.ETH_P_IPV6 },
  { code: LOAD_BYTE, jt: 0, jf: 0, k: IPV6_NEXT_HEADER_AT },
  { code: JUMP_EQUAL, jt: 1, jf: 0, k: constants.IPPROTO_VRRP },
  { code: JUMP_EQUAL, jt: 0, jf: 1, k: constants.IPPROTO_ICMPV6 },
  { code: RETURN, jt: 0, jf: 0, k: WHOLE_PACKET },
  { code: RETURN, jt: 0, jf: 0, k: 0 },
];

/** Room for tens of thousands of frames, each of which takes the kernel's smallest buffer. */
const RECEIVE_BYTES = 128 * 1024 * 1024;

export class Observer {
  readonly #socket: RawSocket;
  /** A socket does not hear what it sends itself. */
  readonly #sender: RawSocket;
  #onFrame: (frame: Frame) => void = () => {};

  /** @param index of the interface in the namespace */
  constructor(netns: string, index: number) {
    this.#socket = new RawSocket({
      domain: constants.AF_PACKET,
      type: constants.SOCK_RAW,
      protocol: 0,
      netns,
      messageSize: 256,
      batch: 1024,
    });
    this.#socket.setsockopt(constants.SOL_SOCKET, constants.SO_RCVBUFFORCE, RECEIVE_BYTES);
    this.#socket.setsockopt(constants.SOL_SOCKET, constants.SO_TIMESTAMPNS, 1);
    this.#socket.attachFilter(filter);
    this.#socket.bind(sockaddrLl({ ifindex: index, protocol: constants.ETH_P_ALL }));
    this.#sender = new RawSocket({ domain: constants.AF_PACKET, type: constants.SOCK_RAW, protocol: 0, netns });
    this.#sender.bind(sockaddrLl({ ifindex: index, protocol: 0 }));
    this.#socket.onMessages((messages) => {
      for (const message of messages) this.#onFrame({ atMs: timeOf(message), bytes: message.data });
    });
  }

  /** Who hears of every frame from now on, instead of whoever did. */
  listen(onFrame: (frame: Frame) => void): void {
    this.#onFrame = onFrame;
  }

  send(frame: Buffer): void {
    this.#sender.send(frame);
  }

  close(): void {
    this.#socket.close();
    this.#sender.close();
  }
}

/** The virtual router's id, where the frame is an advertisement of VRRP; undefined: it is not. */
export function advertisedId({ bytes }: Frame): number | undefined {
  const ethertype = bytes.readUInt16BE(ETHERTYPE_AT);
  const isVrrp = (at: number) => bytes[at] === constants.IPPROTO_VRRP;
  if (ethertype === constants.ETH_P_IP && isVrrp(IPV4_PROTOCOL_AT)) return bytes[IPV4_PAYLOAD_AT + 1];
  if (ethertype === constants.ETH_P_IPV6 && isVrrp(IPV6_NEXT_HEADER_AT)) return bytes[IPV6_PAYLOAD_AT + 1];
  return undefined;
}

/** Where the frame announces an address unasked, what tells that one from others: ARP's or NDP's form of it; undefined: it does not. */
export function announcedAddress({ bytes }: Frame): number | string | undefined {
  const arp = decodeArpFrame(bytes);
  if (arp !== undefined) return arp.senderIp === arp.targetIp ? arp.senderIp : undefined;
  const ndp = decodeNdpFrame(bytes);
  return ndp?.kind === 'advertisement' ? ndp.target : undefined;
}

const readI64 = endianness() === 'LE' ? Buffer.prototype.readBigInt64LE : Buffer.prototype.readBigInt64BE;

/** struct timespec of 64-bit numbers. */
function timeOf({ control }: Message): number {
  const stamp = control.find(({ type }) => type === constants.SCM_TIMESTAMPNS)!.data;
  return Number(readI64.call(stamp, 0)) * 1e3 + Number(readI64.call(stamp, 8)) / 1e6;
}
