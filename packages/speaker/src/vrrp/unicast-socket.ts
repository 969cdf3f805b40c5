/** Advertisements to and from peers by address. Only peers are heard: whoever else sends VRRP here means somebody else. */

import { encodeAddress, type Family } from '@fairlead/netlink';
import {
  constants,
  type Message,
  packDatagrams,
  parseSockaddrIn6,
  RawSocket,
  sockaddrIn,
  sockaddrIn6,
} from '@fairlead/raw-socket';
import { ipv4Packet, ipv4Sameness } from './ipv4-packet.js';
import { sendAll } from './send-all.js';
import { type AdvertisementSocket, GATHER_MICROSECONDS, HOP_LIMIT, type Packet, type Prepared } from './transport.js';

export interface UnicastOptions {
  family: Family;
  source: string;
  peers: readonly string[];
  onPacket: (packet: Packet) => void;
  onFault: (fault: 'sender', from: string) => void;
  onError: (error: Error) => void;
}

export class UnicastSocket implements AdvertisementSocket {
  readonly source: string;
  readonly #socket: RawSocket;
  readonly #peers: { bytes: Buffer; sockaddr: Buffer }[];

  constructor({ family, source, peers, onPacket, onFault, onError }: UnicastOptions) {
    const isIpv4 = family === 'ipv4';
    const sockaddr = (address: string) => (isIpv4 ? sockaddrIn({ address }) : sockaddrIn6({ address }));
    this.source = source;
    this.#peers = peers.map((address) => ({ bytes: encodeAddress(address), sockaddr: sockaddr(address) }));
    const known = new Set(peers);
    const destination = encodeAddress(source);
    this.#socket = new RawSocket({
      domain: isIpv4 ? constants.AF_INET : constants.AF_INET6,
      type: constants.SOCK_RAW,
      protocol: constants.IPPROTO_VRRP,
      gatherMicroseconds: GATHER_MICROSECONDS,
    });
    try {
      if (isIpv4) this.#socket.setsockopt(constants.IPPROTO_IP, constants.IP_TTL, HOP_LIMIT);
      else this.#socket.setsockopt(constants.IPPROTO_IPV6, constants.IPV6_UNICAST_HOPS, HOP_LIMIT);
      this.#socket.bind(sockaddr(source));
    } catch (error) {
      this.#socket.close();
      throw error;
    }
    const read = ({ data, address }: Message): { from: string; payload: Buffer } | undefined =>
      isIpv4 ? ipv4Packet(data) : { from: parseSockaddrIn6(address).address, payload: data };
    const mask = (data: Buffer) => (isIpv4 ? ipv4Sameness(data) : undefined);
    this.#socket.onMessages((messages) => {
      for (const message of messages) {
        const packet = read(message);
        if (packet === undefined) continue;
        const { from, payload } = packet;
        if (!known.has(from)) onFault('sender', from);
        else onPacket({ from, payload, destination, absorb: () => this.#socket.absorb(message, mask(message.data)) });
      }
    }, onError);
  }

  /** To all peers, however many of them cannot be reached; `send` throws what the last of those gave. */
  prepare(build: (destination: Uint8Array) => Buffer[]): Prepared {
    const toEach = this.#peers.map(({ bytes, sockaddr }) => ({ packets: build(bytes), sockaddr }));
    const all = toEach.flatMap(({ packets, sockaddr }) => packets.map((data) => ({ data, address: sockaddr })));
    const packed = packDatagrams(all);
    return {
      send: () => {
        const sent = this.#sendPacked(packed);
        if (sent < all.length) this.#sendOneByOne(toEach, sent);
      },
      repeat: (repetition, onMissed) => this.#socket.repeat(packed, repetition, onMissed),
    };
  }

  /** How many went. Why the next one did not, the next attempt tells. */
  #sendPacked(packed: Uint8Array): number {
    try {
      return this.#socket.sendPacked(packed);
    } catch {
      return 0;
    }
  }

  #sendOneByOne(toEach: readonly { packets: readonly Buffer[]; sockaddr: Buffer }[], sent: number): void {
    let failure: unknown;
    let before = sent;
    for (const { packets, sockaddr } of toEach) {
      try {
        sendAll(this.#socket, packets.slice(before), sockaddr);
      } catch (error) {
        failure = error;
      }
      before = Math.max(0, before - packets.length);
    }
    if (failure !== undefined) throw failure;
  }

  close(): void {
    this.#socket.close();
  }
}
