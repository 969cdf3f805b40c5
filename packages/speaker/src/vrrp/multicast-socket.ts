/** Advertisements to and from VRRP's multicast group on one interface. What has passed a router is not heard (hop limit 255). */

import { encodeAddress, type Family } from '@fairlead/netlink';
import {
  type Absorbed,
  constants,
  type Message,
  packDatagrams,
  parseSockaddrIn6,
  RawSocket,
  sockaddrIn,
  sockaddrIn6,
} from '@fairlead/raw-socket';
import { ipv6Membership } from '../wire/ipv6-membership.js';
import { ipv4Packet, ipv4Sameness } from './ipv4-packet.js';
import { sendAll } from './send-all.js';
import {
  type AdvertisementSocket,
  GATHER_MICROSECONDS,
  HOP_LIMIT,
  type Packet,
  type Prepared,
  type TransportUplink,
} from './transport.js';

const GROUPS: Record<Family, string> = { ipv4: '224.0.0.18', ipv6: 'ff02::12' };

export interface MulticastOptions {
  family: Family;
  source: string;
  uplink: TransportUplink;
  onPacket: (packet: Packet) => void;
  onFault: (fault: 'ttl', from: string) => void;
  onError: (error: Error) => void;
}

export class MulticastSocket implements AdvertisementSocket {
  readonly source: string;
  readonly #socket: RawSocket;
  readonly #group: Buffer;
  readonly #sockaddr: Buffer;

  constructor({ family, source, uplink, onPacket, onFault, onError }: MulticastOptions) {
    const isIpv4 = family === 'ipv4';
    const address = GROUPS[family];
    this.source = source;
    this.#group = encodeAddress(address);
    this.#sockaddr = isIpv4 ? sockaddrIn({ address }) : sockaddrIn6({ address, scopeId: uplink.index });
    this.#socket = new RawSocket({
      domain: isIpv4 ? constants.AF_INET : constants.AF_INET6,
      type: constants.SOCK_RAW,
      protocol: constants.IPPROTO_VRRP,
      gatherMicroseconds: GATHER_MICROSECONDS,
    });
    try {
      this.#socket.setsockopt(constants.SOL_SOCKET, constants.SO_BINDTODEVICE, Buffer.from(`${uplink.name}\0`));
      if (isIpv4) this.#joinIpv4(uplink.index);
      else this.#joinIpv6(uplink.index, source);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
    const read = (message: Message): { from: string; ttl: number; payload: Buffer } | undefined =>
      isIpv4 ? ipv4Packet(message.data) : ipv6Packet(message);
    this.#socket.onMessages((messages) => {
      for (const message of messages) {
        const packet = read(message);
        if (packet === undefined) continue;
        const { from, payload, ttl } = packet;
        if (ttl !== HOP_LIMIT) onFault('ttl', from);
        // The hop limit of IPv6 comes beside the message, so that no comparison would see it.
        else if (!isIpv4) onPacket({ from, payload, destination: this.#group });
        else onPacket({ from, payload, destination: this.#group, absorb: () => this.#absorb(message) });
      }
    }, onError);
  }

  prepare(build: (destination: Uint8Array) => Buffer[]): Prepared {
    const packets = build(this.#group);
    const packed = packDatagrams(packets.map((data) => ({ data, address: this.#sockaddr })));
    return {
      send: () => sendAll(this.#socket, packets, this.#sockaddr),
      repeat: (repetition, onMissed) => this.#socket.repeat(packed, repetition, onMissed),
    };
  }

  close(): void {
    this.#socket.close();
  }

  #absorb(message: Message): Absorbed {
    return this.#socket.absorb(message, ipv4Sameness(message.data));
  }

  #joinIpv4(index: number): void {
    // struct ip_mreqn: group, local address (none: the interface decides), interface.
    const request = Buffer.alloc(12);
    this.#group.copy(request, 0);
    request.set(new Uint8Array(Int32Array.of(index).buffer), 8);
    this.#socket.setsockopt(constants.IPPROTO_IP, constants.IP_ADD_MEMBERSHIP, request);
    this.#socket.setsockopt(constants.IPPROTO_IP, constants.IP_MULTICAST_IF, request);
    this.#socket.setsockopt(constants.IPPROTO_IP, constants.IP_MULTICAST_TTL, HOP_LIMIT);
    this.#socket.setsockopt(constants.IPPROTO_IP, constants.IP_MULTICAST_LOOP, 0);
  }

  #joinIpv6(index: number, source: string): void {
    const request = ipv6Membership(this.#group, index);
    this.#socket.setsockopt(constants.IPPROTO_IPV6, constants.IPV6_JOIN_GROUP, request);
    this.#socket.setsockopt(constants.IPPROTO_IPV6, constants.IPV6_MULTICAST_IF, index);
    this.#socket.setsockopt(constants.IPPROTO_IPV6, constants.IPV6_MULTICAST_HOPS, HOP_LIMIT);
    this.#socket.setsockopt(constants.IPPROTO_IPV6, constants.IPV6_MULTICAST_LOOP, 0);
    this.#socket.setsockopt(constants.IPPROTO_IPV6, constants.IPV6_RECVHOPLIMIT, 1);
    this.#socket.bind(sockaddrIn6({ address: source, scopeId: index }));
  }
}

function ipv6Packet({ data, address, control }: Message): { from: string; ttl: number; payload: Buffer } | undefined {
  const hopLimit = control.find(
    ({ level, type }) => level === constants.IPPROTO_IPV6 && type === constants.IPV6_HOPLIMIT,
  );
  if (hopLimit === undefined) return undefined;
  return { from: parseSockaddrIn6(address).address, ttl: readInt(hopLimit.data), payload: data };
}

function readInt(bytes: Buffer): number {
  return new Int32Array(Uint8Array.from(bytes).buffer)[0]!;
}
