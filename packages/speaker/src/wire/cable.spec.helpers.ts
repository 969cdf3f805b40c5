/** A wire on a cable: a namespace in which it answers and announces, and one in which every frame that comes out is captured. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type AnnouncementSettings, DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { Rtnetlink } from '@fairlead/netlink';
import { constants, createNetns, deleteNetns, inNetns, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import { decodeArpFrame } from './arp.js';
import { HostLinks } from './host-links.js';
import { LanPort } from './lan-port.js';
import { parseMac } from './mac.js';
import type { WireUplink, WireVip } from './messages.js';
import { decodeNdpFrame } from './ndp.js';
import { WholeConfiguration } from './whole-configuration.spec.helpers.js';
import { Wire } from './wire.js';

export const VIRTUAL_ROUTER = 'public.0';

export class Cable {
  readonly here: string;
  readonly there: string;
  /** What came out at the other end, whole Ethernet frames. */
  readonly frames: Buffer[] = [];
  readonly errors: string[] = [];
  isOwner = true;
  readonly wire: Wire;
  readonly #configuration = new WholeConfiguration();
  readonly #links: HostLinks;
  readonly #capture: RawSocket;
  readonly #waiting = new Set<(frame: Buffer) => void>();
  readonly #handling = new Set<(frame: Buffer) => void>();
  #timer: NodeJS.Timeout | undefined;

  /** `eth0` at both ends. @param prepare run before anybody listens @param captureOn the interface at the other end */
  constructor(prepare: (cable: Cable) => void = () => {}, captureOn = 'eth0') {
    const id = randomBytes(3).toString('hex');
    this.here = `fl-${id}-here`;
    this.there = `fl-${id}-there`;
    for (const name of [this.here, this.there]) createNetns(name);
    try {
      this.ip('here', 'link set lo up');
      this.ip('here', `link add eth0 address 02:00:00:00:00:0a type veth peer name eth0 netns ${this.there}`);
      this.ip('there', 'link set eth0 address 02:00:00:00:00:64 up');
      this.ip('here', 'link set eth0 up');
      prepare(this);
      this.#capture = this.#listenAt(captureOn);
    } catch (error) {
      // Nobody has anything to close yet.
      this.#deleteNetns();
      throw error;
    }
    this.#capture.onMessages(
      (messages) => {
        for (const { data } of messages) this.#note(data);
      },
      () => {}, // this end was switched off
    );
    this.wire = new Wire({
      election: {
        configure: () => {},
        mayAnswer: () => this.isOwner,
        isUncertain: () => false,
        rivalHeard: () => {},
      },
      rules: { claim: () => {}, release: () => {}, list: () => [] },
      exits: { own: () => {}, alone: () => {}, linger: () => {}, yield: () => {}, write: () => {} },
      expectNeighbour: () => {},
      aliveMs: () => 1_000,
      silentMs: 0,
      clock: () => performance.now(),
      tell: (message) => message.kind === 'error' && this.errors.push(message.message),
      wakeAt: (at) => {
        clearTimeout(this.#timer);
        if (at === undefined) return;
        this.#timer = setTimeout(() => this.wire.announceDue(), Math.max(0, at - performance.now()));
      },
      openPort: (uplink) => this.#open(uplink),
    });
    this.#links = new HostLinks((index) => this.wire.linkReturned(index), this.here);
  }

  /** These VIPs, on this interface, announced as by default unless `more` says otherwise; owned. */
  own(addresses: readonly string[], uplink = 'eth0', more: Partial<AnnouncementSettings> = {}): void {
    this.configure(
      addresses.map((address) => ({ address, uplink })),
      [{ name: uplink, index: this.index('here', uplink), addresses: [] }],
      more,
    );
    this.wire.own(VIRTUAL_ROUTER, undefined);
  }

  configure(vips: WireVip[], uplinks: readonly WireUplink[], more: Partial<AnnouncementSettings> = {}): void {
    const router = { name: VIRTUAL_ROUTER, pool: 'public', leaseName: 'vr-public-0', table: 1, ranking: ['n1'], vips };
    const announcement = { ...DEFAULT_ANNOUNCEMENT, ...more };
    this.wire.configure(
      this.#configuration.becomes([{ ...router, engine: 'lease', preempt: false, announcement }], uplinks),
    );
  }

  /** ip(8) at one end. */
  ip(end: 'here' | 'there', command: string): void {
    const argv = ['-n', end === 'here' ? this.here : this.there, ...command.split(' ')];
    execFileSync('ip', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  index(end: 'here' | 'there', name: string): number {
    return this.#link(end, name).index;
  }

  mac(end: 'here' | 'there', name = 'eth0'): Buffer {
    return parseMac(this.#link(end, name).address);
  }

  /** Whole frames, from the other end. */
  send(...frames: readonly Buffer[]): void {
    this.#capture.sendBatch(frames);
  }

  /** The next frame that comes out for which it holds. */
  next(matches: (frame: Buffer) => boolean): Promise<Buffer> {
    return first(this.#waiting, matches);
  }

  /** The next frame that the wire has heard, and done with it what it wants, for which it holds. */
  handled(matches: (frame: Buffer) => boolean): Promise<Buffer> {
    return first(this.#handling, matches);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#links.close();
    this.wire.close();
    this.#capture.close();
    this.#deleteNetns();
  }

  #deleteNetns(): void {
    for (const name of [this.here, this.there]) deleteNetns(name);
  }

  #listenAt(there: string): RawSocket {
    const { AF_PACKET, SOCK_RAW, SOL_PACKET, PACKET_IGNORE_OUTGOING, ETH_P_ALL } = constants;
    const socket = new RawSocket({ domain: AF_PACKET, type: SOCK_RAW, protocol: 0, netns: this.there });
    socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    socket.bind(sockaddrLl({ ifindex: this.index('there', there), protocol: ETH_P_ALL }));
    return socket;
  }

  /** All its sockets in the namespace, those that are opened later, too. */
  #open(uplink: WireUplink): LanPort {
    const open = () =>
      new LanPort(uplink, {
        frame: (from, bytes) => {
          this.wire.frame(from, bytes);
          for (const waiter of [...this.#handling]) waiter(bytes);
        },
        error: (_, error) => this.errors.push(error.message),
      });
    const port = inNetns(this.here, open);
    const listenFor = port.listenFor.bind(port);
    port.listenFor = (...ips) => inNetns(this.here, () => listenFor(...ips));
    return port;
  }

  #link(end: 'here' | 'there', name: string) {
    const rtnetlink = new Rtnetlink({ netns: end === 'here' ? this.here : this.there });
    try {
      return rtnetlink.link(name)!;
    } finally {
      rtnetlink.close();
    }
  }

  #note(frame: Buffer): void {
    this.frames.push(frame);
    for (const waiter of [...this.#waiting]) waiter(frame);
  }
}

/** Whose hardware address a frame gives for an address, if it gives one: an announcement or an answer. */
export function toldMac(frame: Buffer, ip: number | string): string | undefined {
  const arp = decodeArpFrame(frame);
  if (arp) return arp.senderIp === ip ? arp.senderMac.toString('hex') : undefined;
  const ndp = decodeNdpFrame(frame);
  return ndp?.kind === 'advertisement' && ndp.target === ip ? ndp.linkLayer?.toString('hex') : undefined;
}

function first(waiting: Set<(frame: Buffer) => void>, matches: (frame: Buffer) => boolean): Promise<Buffer> {
  return new Promise((resolve) => {
    const waiter = (frame: Buffer) => {
      if (!matches(frame)) return;
      waiting.delete(waiter);
      resolve(frame);
    };
    waiting.add(waiter);
  });
}
