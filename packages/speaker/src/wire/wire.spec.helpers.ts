/** A wire whose ports, kernel and election are fakes, and whose time stands still. */

import { DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { ARP_REQUEST, type ArpFrame, decodeArpFrame, encodeArpFrame } from './arp.js';
import { BROADCAST_MAC, parseMac, ZERO_MAC } from './mac.js';
import type { FromWire, WireUplink } from './messages.js';
import { decodeNdpFrame, type NdpPacket } from './ndp.js';
import type { Port } from './ports.js';
import { WholeConfiguration, type WholeVirtualRouter } from './whole-configuration.spec.helpers.js';
import { Wire } from './wire.js';

export const CLIENT_MAC = parseMac('02:00:00:00:00:64');
export const UPLINK: WireUplink = { name: 'eth0', index: 2, addresses: [] };
export const MAC = '02:00:00:00:00:02';
export const ROUTER: WholeVirtualRouter = {
  name: 'public.0',
  pool: 'public',
  leaseName: 'vr-public-0',
  table: 7700,
  ranking: ['n1'],
  engine: 'lease',
  preempt: false,
  announcement: { ...DEFAULT_ANNOUNCEMENT, repeatAfterMilliseconds: [50] },
  vips: [
    { address: '10.77.0.200', uplink: 'eth0' },
    { address: '10.77.0.208', uplink: 'eth0' },
  ],
};

export class RecordingPort implements Port {
  readonly name: string;
  readonly index: number;
  mac: Buffer;
  /** What it becomes when it is looked at again. */
  macNow: Buffer;
  frames: ArpFrame[] = [];
  /** NDP frames. */
  frames6: NdpPacket[] = [];
  listensFor: readonly string[] = [];
  closed = false;
  failure: Error | undefined;
  constructor(readonly uplink: WireUplink) {
    this.name = uplink.name;
    this.index = uplink.index;
    this.mac = parseMac(`02:00:00:00:00:0${uplink.index}`);
    this.macNow = this.mac;
  }
  send(frames: readonly Buffer[]) {
    if (this.failure) throw this.failure;
    this.frames.push(...frames.flatMap((frame) => decodeArpFrame(frame) ?? []));
    this.frames6.push(...frames.flatMap((frame) => decodeNdpFrame(frame) ?? []));
    return frames.length;
  }
  listenFor(added: readonly string[], removed: readonly string[]) {
    this.listensFor = [...this.listensFor.filter((ip) => !removed.includes(ip)), ...added];
  }
  refresh() {
    this.mac = this.macNow;
  }
  matches(uplink: WireUplink) {
    return JSON.stringify(uplink) === JSON.stringify(this.uplink);
  }
  close() {
    this.closed = true;
  }
}

/** As its thread makes it: woken as soon as what has happened is done with. */
export class PromptWire extends Wire {
  override own(...args: Parameters<Wire['own']>) {
    super.own(...args);
    this.announceDue();
  }
  override yield(...args: Parameters<Wire['yield']>) {
    super.yield(...args);
    this.announceDue();
  }
}

export function setUp(Kind: typeof Wire = PromptWire) {
  const state = {
    now: 0,
    leading: true,
    uncertain: false,
    log: [] as string[],
    claimed: new Set<number>(),
    exits: new Map<number, string>(),
    expected: [] as string[],
    rivals: [] as string[],
    onRival: () => {},
    wakeAt: undefined as number | undefined,
  };
  const ports: RecordingPort[] = [];
  const told: FromWire[] = [];
  const wire: Wire = new Kind({
    election: {
      configure: (contested) => state.log.push(`contest ${contested.map((router) => router.name).join(' ')}`),
      mayAnswer: () => state.leading,
      isUncertain: () => state.uncertain,
      rivalHeard: (name) => {
        state.rivals.push(name);
        state.onRival();
      },
    },
    rules: {
      claim: (table) => {
        state.log.push(`claim ${table}`);
        state.claimed.add(table);
      },
      release: (table) => {
        state.log.push(`release ${table}`);
        state.claimed.delete(table);
      },
      list: () => [...state.claimed],
    },
    exits: {
      own: (table, former) => state.exits.set(table, former ? `${former.uplink} ${former.mac}` : 'nobody'),
      alone: (table) => state.exits.set(table, 'nobody'),
      linger: (table) => state.exits.set(table, 'LAN'),
      yield: (table) => state.exits.delete(table),
      write: () => state.log.push('write exits'),
    },
    expectNeighbour: (index, address) => state.expected.push(`${index} ${address}`),
    aliveMs: () => 1_000,
    silentMs: 5_000,
    openPort: (uplink) => {
      const port = new RecordingPort(uplink);
      ports.push(port);
      return port;
    },
    tell: (message) => told.push(message),
    clock: () => state.now,
    wakeAt: (at) => {
      state.wakeAt = at;
    },
  });
  const configuration = new WholeConfiguration();
  const configure = (routers: WholeVirtualRouter[], uplinks: WireUplink[]) =>
    wire.configure(configuration.becomes(routers, uplinks));
  configure([ROUTER], [UPLINK]);
  return { wire, configure, state, ports, told, port: ports[0]! };
}

export function request(targetIp: number, senderIp = 0x0a4d0064): Buffer {
  return encodeArpFrame({
    destination: BROADCAST_MAC,
    source: CLIENT_MAC,
    operation: ARP_REQUEST,
    senderMac: CLIENT_MAC,
    senderIp,
    targetMac: ZERO_MAC,
    targetIp,
  });
}

export const VIP = 0x0a4d00c8;

export const NEW_VIP = 0x0a4d00d8;
export const WITH_NEW = { ...ROUTER, vips: [...ROUTER.vips, { address: '10.77.0.216', uplink: 'eth0' }] };

/** Lets time pass, and the wire do what it wants to do meanwhile. */
export function wait({ wire, state }: Pick<ReturnType<typeof setUp>, 'wire' | 'state'>, ms: number) {
  const end = state.now + ms;
  while (state.wakeAt !== undefined && state.wakeAt <= end) {
    state.now = state.wakeAt;
    wire.announceDue();
  }
  state.now = end;
}
