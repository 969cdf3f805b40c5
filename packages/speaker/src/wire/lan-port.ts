/** The wire thread's socket on one interface: ARP frames in and out by AF_PACKET. Thin; what to do with them is decided elsewhere. */

import { constants, type Message, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import { arpFilter } from './filter.js';
import { parseMac } from './mac.js';
import type { WireUplink } from './messages.js';

export interface LanPortListener {
  frame(port: LanPort, bytes: Buffer): void;
  error(port: LanPort, error: Error): void;
}

export class LanPort {
  readonly name: string;
  readonly index: number;
  readonly mac: Buffer;
  readonly #socket: RawSocket;

  /** Opens the socket in the thread's own network namespace; needs CAP_NET_RAW. Throws a SystemError. */
  constructor(uplink: WireUplink, listener: LanPortListener) {
    this.name = uplink.name;
    this.index = uplink.index;
    this.mac = parseMac(uplink.mac);
    // Protocol 0 until it is bound, so that no frame gets in before the filter is there.
    this.#socket = new RawSocket({ domain: constants.AF_PACKET, type: constants.SOCK_RAW, protocol: 0 });
    try {
      this.#socket.attachFilter(arpFilter);
      this.#socket.bind(sockaddrLl({ ifindex: uplink.index, protocol: constants.ETH_P_ARP }));
      this.#socket.onMessages(
        (messages: Message[]) => {
          for (const message of messages) listener.frame(this, message.data);
        },
        (error) => listener.error(this, error),
      );
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  matches(uplink: WireUplink): boolean {
    return uplink.index === this.index && uplink.name === this.name && parseMac(uplink.mac).equals(this.mac);
  }

  /** Sends whole Ethernet frames. Throws a SystemError, ENETDOWN while the interface is down. */
  send(frames: readonly Buffer[]): void {
    this.#socket.sendBatch(frames);
  }

  close(): void {
    this.#socket.close();
  }
}
