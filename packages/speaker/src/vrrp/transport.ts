/**
 * Advertisements in and out, by raw IP sockets: to the multicast group on each uplink (RFC 9568 §5.1.1.2, §5.1.2.2), or to the other
 * speakers one by one, where switches lose or limit multicast. Thin; what an advertisement means is decided elsewhere.
 *
 * Sockets are opened as they are needed and follow the configuration: other uplinks, other own addresses, other peers.
 */

import { parseAddress } from '@fairlead/api';
import { encodeAddress, type Family, familyOf } from '@fairlead/netlink';
import type { Absorbed, Repeated, Repetition } from '@fairlead/raw-socket';
import {
  type Advertisement,
  type ChecksumForm,
  decodeAdvertisement,
  encodeAdvertisement,
  type Fault,
} from './advertisement.js';
import { MulticastSocket } from './multicast-socket.js';
import { UnicastSocket } from './unicast-socket.js';

/** Where a virtual router is contested. */
export interface Segment {
  family: Family;
  /** Name of the interface. */
  uplink: string;
}

export interface TransportUplink {
  name: string;
  index: number;
  /** IP addresses of the interface as text. */
  addresses: readonly string[];
}

export interface TransportConfig {
  uplinks: readonly TransportUplink[];
  /** This node's own InternalIPs. */
  self: readonly string[];
  /** IP addresses of the other speakers' nodes. */
  peers: readonly string[];
}

export interface Outgoing {
  advertisement: Advertisement;
  checksum: ChecksumForm;
}

export interface Received {
  advertisement: Advertisement;
  family: Family;
  /** The sender's address as text. */
  from: string;
  checksum: ChecksumForm;
  /** Name of the interface it came in by; absent by unicast, which may come in by any. */
  uplink?: string;
}

/** Why a packet of VRRP is not heeded. */
export const faultTexts: Readonly<Record<Fault | 'ttl' | 'sender', string>> = {
  length: 'it is shorter than it says',
  version: 'it is not of VRRP version 3',
  type: 'it is no advertisement',
  checksum: 'its checksum is wrong',
  count: 'it names no address',
  interval: 'its interval is 0',
  ttl: 'it has passed a router',
  sender: 'its sender is no node of this cluster',
};

export interface TransportOptions {
  mode: 'unicast' | 'multicast';
  /** @param absorb this is not called for the very same packet any more, until that is ended or the sockets are opened anew; absent: where that cannot be */
  onReceived: (received: Received, absorb?: () => Absorbed) => void;
  /** A packet that is not heeded: of VRRP, but not as it should be. */
  onFault: (fault: keyof typeof faultTexts, from: string) => void;
  onError: (error: Error) => void;
}

/** Packets that are sent together, so that whoever hears one hears all, which costs both sides a fraction. */
export interface Prepared {
  /** Throws a SystemError. */
  send(): void;
  /** See `RawSocket.repeat`. */
  repeat(repetition: Repetition, onMissed: () => void): Repeated;
}

/** One socket of either kind, to one destination or several. */
export interface AdvertisementSocket {
  /** The own address that others see, as text. */
  readonly source: string;
  prepare(build: (destination: Uint8Array) => Buffer[]): Prepared;
  close(): void;
}

/** What a socket hands on: the payload of an IP packet that came to `destination`. */
export interface Packet {
  payload: Buffer;
  from: string;
  destination: Uint8Array;
  /** Keeps the very same message from being handed on; absent: what belongs to the packet is not all in the message. */
  absorb?: () => Absorbed;
}

/** RFC 9568 §5.1.1.3: whatever has passed a router has less. */
export const HOP_LIMIT = 255;

/**
 * How long the rest of what an owner sends together is waited for, when the first of it wakes this thread up: a standby of sixteen virtual routers
 * is woken once, where it was twice or thrice. An ARP request is answered that much later.
 */
export const GATHER_MICROSECONDS = 300;

/** Addresses as numbers: among routers of one priority, the one with the higher address wins (RFC 9568 §6.4.3). */
export function comparable(address: string): bigint {
  return BigInt(parseAddress(address).value);
}

/** So many different packets are remembered; nodes that are well send one for each of their virtual routers. */
const MAX_REMEMBERED = 1_024;

export class VrrpTransport {
  readonly #options: TransportOptions;
  #config: TransportConfig = { uplinks: [], self: [], peers: [] };
  readonly #sockets = new Map<string, AdvertisementSocket>();
  /** What was sent last, by segment: an owner says the same ten times a second. */
  readonly #prepared = new Map<string, { outgoing: readonly Outgoing[]; prepared: Prepared }>();
  /** What is to be said of repetitions when their sockets are closed. */
  readonly #repetitions = new Set<() => void>();

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Closes what no longer fits; `send` opens anew. */
  configure(config: TransportConfig): void {
    const before = JSON.stringify(this.#config);
    this.#config = config;
    if (JSON.stringify(config) !== before) this.#closeAll();
  }

  /** Opens what it takes to hear others on the segment. Throws a SystemError, or an Error where this node has no address there. */
  open(segment: Segment): { source: bigint } {
    return { source: comparable(this.#socketFor(segment).source) };
  }

  /** To everybody on the segment; what is the same objects as last time goes out as it did then. Throws a SystemError. */
  send(outgoing: readonly Outgoing[], segment: Segment): void {
    this.#prepare(outgoing, segment).send();
  }

  /** Does so every now and then, without a turn of JavaScript. `onMissed`: no longer, as something did not go, or a socket was closed. */
  repeat(outgoing: readonly Outgoing[], segment: Segment, repetition: Repetition, onMissed: () => void): Repeated {
    const repeated = this.#prepare(outgoing, segment).repeat(repetition, onMissed);
    this.#repetitions.add(onMissed);
    return {
      since: () => repeated.since(),
      end: () => {
        this.#repetitions.delete(onMissed);
        repeated.end();
      },
    };
  }

  #prepare(outgoing: readonly Outgoing[], segment: Segment): Prepared {
    const key = `${segment.family} ${segment.uplink}`;
    const last = this.#prepared.get(key);
    if (last !== undefined && isSame(last.outgoing, outgoing)) return last.prepared;
    const socket = this.#socketFor(segment);
    const source = encodeAddress(socket.source);
    const encode = ({ advertisement, checksum }: Outgoing, destination: Uint8Array) =>
      encodeAdvertisement(advertisement, { source, destination }, checksum);
    const prepared = socket.prepare((destination) => outgoing.map((one) => encode(one, destination)));
    this.#prepared.set(key, { outgoing, prepared });
    return prepared;
  }

  close(): void {
    this.#closeAll();
  }

  #socketFor({ family, uplink }: Segment): AdvertisementSocket {
    const isUnicast = this.#options.mode === 'unicast';
    const key = isUnicast ? family : `${family} ${uplink}`;
    const known = this.#sockets.get(key);
    if (known) return known;
    const socket = isUnicast ? this.#unicast(family) : this.#multicast(family, uplink);
    this.#sockets.set(key, socket);
    return socket;
  }

  #unicast(family: Family): AdvertisementSocket {
    const source = this.#config.self.find((address) => familyOf(address) === family);
    if (source === undefined) throw new Error(`this node has no ${family} InternalIP to speak VRRP from`);
    const peers = this.#config.peers.filter((address) => familyOf(address) === family);
    return new UnicastSocket({ family, source, peers, ...this.#listeners(family) });
  }

  #multicast(family: Family, name: string): AdvertisementSocket {
    const uplink = this.#config.uplinks.find((candidate) => candidate.name === name);
    const source = uplink?.addresses.find(
      (address) => familyOf(address) === family && (family === 'ipv4' || address.startsWith('fe80:')),
    );
    if (uplink === undefined || source === undefined) {
      const what = family === 'ipv4' ? 'IPv4' : 'link-local IPv6';
      throw new Error(`${name} has no ${what} address to speak VRRP from`);
    }
    return new MulticastSocket({ family, source, uplink, ...this.#listeners(family, name) });
  }

  #listeners(family: Family, uplink?: string) {
    const { onReceived, onFault, onError } = this.#options;
    // The same octets from the same sender to the same destination are the same advertisement, and as good as the first time.
    const known = new Map<string, Received>();
    return {
      onPacket: ({ payload, from, destination, absorb }: Packet) => {
        const key = `${from} ${payload.toString('latin1')}`;
        const heard = known.get(key);
        if (heard !== undefined) {
          onReceived(heard, absorb);
          return;
        }
        const decoded = decodeAdvertisement(payload, { source: encodeAddress(from), destination });
        if (!decoded.ok) {
          onFault(decoded.fault, from);
          return;
        }
        const { advertisement, checksum } = decoded;
        const received = { advertisement, checksum, family, from, ...(uplink !== undefined && { uplink }) };
        if (known.size >= MAX_REMEMBERED) known.clear();
        known.set(key, received);
        onReceived(received, absorb);
      },
      onFault,
      onError,
    };
  }

  #closeAll(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    this.#prepared.clear();
    for (const missed of [...this.#repetitions]) missed();
  }
}

/** The same objects in the same order. */
export function isSame(before: readonly Outgoing[], now: readonly Outgoing[]): boolean {
  if (before.length !== now.length) return false;
  for (let index = 0; index < now.length; index++) if (before[index] !== now[index]) return false;
  return true;
}
