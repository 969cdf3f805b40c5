/**
 * The wire thread's sockets on one interface: ARP and NDP frames in and out by AF_PACKET. Thin; what to do with them is decided
 * elsewhere.
 */

import {
  type BpfInstruction,
  constants,
  type Message,
  parseSockaddrLl,
  RawSocket,
  type SystemError,
  sockaddrLl,
} from '@fairlead/raw-socket';
import { arpFilter, ndpFilter } from './filter.js';
import type { WireUplink } from './messages.js';
import { SolicitedNodeGroups } from './solicited-node-groups.js';

const ETHERTYPE_AT = 12;
/** The socket's buffer, or the interface's queue. */
const FULL: ReadonlySet<string> = new Set(['EAGAIN', 'ENOBUFS']);

export interface LanPortListener {
  frame(port: LanPort, bytes: Buffer): void;
  error(port: LanPort, error: Error): void;
}

export class LanPort {
  readonly name: string;
  readonly index: number;
  #mac: Buffer;
  readonly #listener: LanPortListener;
  readonly #arp: RawSocket;
  readonly #groups: SolicitedNodeGroups;
  /** Only where there are IPv6 VIPs: elsewhere NDP of the whole LAN is none of ours. */
  #ndp: RawSocket | undefined;

  /** Opens the socket in the thread's own network namespace; needs CAP_NET_RAW. Throws a SystemError. */
  constructor(uplink: WireUplink, listener: LanPortListener) {
    this.name = uplink.name;
    this.index = uplink.index;
    this.#listener = listener;
    this.#groups = new SolicitedNodeGroups(uplink.index);
    this.#arp = this.#open(constants.ETH_P_ARP, arpFilter);
    this.#mac = this.#hardwareAddress();
  }

  get mac(): Buffer {
    return this.#mac;
  }

  /** Throws a SystemError. */
  refresh(): void {
    this.#mac = this.#hardwareAddress();
  }

  matches(uplink: WireUplink): boolean {
    return uplink.index === this.index && uplink.name === this.name;
  }

  /** Throws a SystemError, EAFNOSUPPORT where IPv6 is off; what could not be done is tried again by the next call. */
  listenFor(added: readonly string[], removed: readonly string[]): void {
    this.#groups.add(added);
    this.#groups.remove(removed);
    if (this.#groups.isEmpty) {
      this.#ndp?.close();
      this.#ndp = undefined;
      return;
    }
    this.#ndp ??= this.#open(constants.ETH_P_IPV6, ndpFilter);
    this.#groups.join();
  }

  /**
   * Sends whole Ethernet frames of one ethertype, through the socket of that, on which the kernel notes it. Tells how many went: fewer when
   * the interface takes no more now. Throws a SystemError, ENETDOWN while the interface is down.
   */
  send(frames: readonly Buffer[]): number {
    const isIpv6 = frames[0]?.readUInt16BE(ETHERTYPE_AT) === constants.ETH_P_IPV6;
    const socket = isIpv6 ? this.#ndp : this.#arp;
    // Nobody listens for IPv6 any more: nothing is left to say.
    if (socket === undefined) return frames.length;
    try {
      return sendBatch(socket, frames);
    } catch (error) {
      if (FULL.has((error as SystemError).code)) return 0;
      throw error;
    }
  }

  close(): void {
    this.#arp.close();
    this.#ndp?.close();
    this.#groups.close();
  }

  /** As the kernel has it at this moment: others may change it at any time. */
  #hardwareAddress(): Buffer {
    return parseSockaddrLl(this.#arp.getsockname()).hardwareAddress;
  }

  #open(ethertype: number, filter: readonly BpfInstruction[]): RawSocket {
    // Protocol 0 until it is bound, so that no frame gets in before the filter is there.
    const socket = new RawSocket({ domain: constants.AF_PACKET, type: constants.SOCK_RAW, protocol: 0 });
    try {
      socket.attachFilter(filter);
      socket.bind(sockaddrLl({ ifindex: this.index, protocol: ethertype }));
      socket.onMessages(
        (messages: Message[]) => {
          for (const message of messages) this.#listener.frame(this, message.data);
        },
        (error) => {
          // Whoever sends then is told; that the interface is down, and up again, is heard by netlink.
          if (error.code !== 'ENETDOWN') this.#listener.error(this, error);
        },
      );
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }
}

/** A socket notes that its interface went down, and says so the next time that it is used, though the interface may be up again by then. */
function sendBatch(socket: RawSocket, frames: readonly Buffer[]): number {
  try {
    return socket.sendBatch(frames);
  } catch (error) {
    if ((error as SystemError).code !== 'ENETDOWN') throw error;
    return socket.sendBatch(frames);
  }
}
