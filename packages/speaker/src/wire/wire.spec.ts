import { type AnnouncementSettings, DEFAULT_ANNOUNCEMENT } from '@fairlead/api';
import { expect } from 'chai';
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpFrame,
  arpProbe,
  decodeArpFrame,
  encodeArpFrame,
  gratuitousArp,
} from './arp.js';
import { BROADCAST_MAC, formatMac, parseMac, ZERO_MAC } from './mac.js';
import type { FromWire, WireUplink } from './messages.js';
import { decodeNdpFrame, type NdpPacket, unsolicitedAdvertisement } from './ndp.js';
import type { Port } from './ports.js';
import { EXPECTED } from './routing.js';
import { WholeConfiguration, type WholeVirtualRouter } from './whole-configuration.spec.helpers.js';
import { Wire } from './wire.js';

const CLIENT_MAC = parseMac('02:00:00:00:00:64');
const UPLINK: WireUplink = { name: 'eth0', index: 2, addresses: [] };
const MAC = '02:00:00:00:00:02';
const ROUTER: WholeVirtualRouter = {
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

class RecordingPort implements Port {
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
class PromptWire extends Wire {
  override own(...args: Parameters<Wire['own']>) {
    super.own(...args);
    this.announceDue();
  }
  override yield(...args: Parameters<Wire['yield']>) {
    super.yield(...args);
    this.announceDue();
  }
}

function setUp(Kind: typeof Wire = PromptWire) {
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

function request(targetIp: number, senderIp = 0x0a4d0064): Buffer {
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

const VIP = 0x0a4d00c8;

describe('the wire', () => {
  it('routes, then announces every VIP of a virtual router in both forms when it is taken over', () => {
    const { wire, state, port, told } = setUp();
    wire.own('public.0', undefined);
    expect(state.log).to.deep.equal(['contest public.0', 'claim 7700', 'write exits']);
    expect(port.frames.map((frame) => [frame.operation, frame.senderIp, formatMac(frame.senderMac)])).to.deep.equal(
      [ARP_REQUEST, ARP_REPLY].flatMap((form) => [0xc8, 0xd0].map((last) => [form, 0x0a4d0000 + last, MAC])),
    );
    expect(told).to.deep.equal([
      { kind: 'own', virtualRouter: 'public.0', lapsed: undefined },
      { kind: 'announced', virtualRouter: 'public.0' },
    ]);
    expect(state.wakeAt).to.equal(50);
  });

  it('routes all that it takes over together, and says once where the rest goes, before it announces any', () => {
    const { wire, configure, state, port } = setUp(Wire);
    const routers = [0, 1, 2].map((n) => ({
      ...ROUTER,
      ...{ name: `public.${n}`, table: 7700 + n, vips: [{ address: `10.77.0.20${n}`, uplink: 'eth0' }] },
    }));
    configure(routers, [UPLINK]);
    state.log = [];
    port.send = (frames) => {
      state.log.push(`send ${frames.length}`);
      return frames.length;
    };
    for (const { name } of routers) wire.own(name, undefined);
    expect(state.wakeAt).to.equal(state.now);
    wire.announceDue();
    expect(state.log).to.deep.equal([
      ...['claim 7700', 'claim 7701', 'claim 7702', 'write exits'],
      ...Array(6).fill('send 1'), // both forms of each
    ]);
  });

  it('announces every VIP of all that it takes over before it repeats any, a slice at a time', () => {
    const { wire, configure, state, port } = setUp();
    const many = [0, 1].map((n) => ({
      ...ROUTER,
      name: `public.${n}`,
      vips: Array.from({ length: 1_500 }, (_, i) => ({ address: `10.${n}.${i >> 8}.${i & 255}`, uplink: 'eth0' })),
    }));
    configure(many, [UPLINK]);
    for (const { name } of many) wire.own(name, undefined);
    expect(port.frames.length).to.be.below(3_000);
    for (state.now = 50; port.frames.length < 3_000; wire.announceDue()) expect(state.wakeAt).to.be.at.most(state.now);
    expect(new Set(port.frames.map(({ senderIp }) => senderIp)).size).to.equal(3_000);
    while (state.wakeAt! <= state.now) wire.announceDue();
    // Both forms, twice.
    expect(port.frames).to.have.length(4 * 3_000);
  });

  it('is silent at once when it yields while it still announces', () => {
    const { wire, configure, state, port } = setUp();
    const vips = Array.from({ length: 3_000 }, (_, i) => ({ address: `10.0.${i >> 8}.${i & 255}`, uplink: 'eth0' }));
    configure([{ ...ROUTER, vips }], [UPLINK]);
    wire.own('public.0', undefined);
    const before = port.frames.length;
    wire.yield('public.0', 'test', true);
    for (let turn = 0; turn < 20; turn++) wire.announceDue();
    expect(before).to.be.within(1, 2_999);
    expect(port.frames).to.have.length(before);
    expect(state.wakeAt ?? Number.POSITIVE_INFINITY).to.be.above(state.now);
  });

  it('repeats the announcement when it is woken, and no longer after it gave up', () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    state.now = 50;
    wire.announceDue();
    expect(port.frames).to.have.length(8);
    wire.yield('public.0', 'test', false);
    state.now = 120_000;
    wire.announceDue();
    expect(port.frames).to.have.length(8);
    expect(state.wakeAt).to.equal(undefined);
  });

  it('does not announce what it may no longer answer for', () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    state.leading = false; // frozen past the deadline, thawed by the timer of the next announcement
    state.now = 50;
    wire.announceDue();
    expect(port.frames).to.have.length(4);
  });

  it('answers only as owner, and only while the election says so at that moment', () => {
    const { wire, state, port } = setUp();
    wire.frame(port, request(VIP));
    expect(port.frames).to.have.length(0);
    wire.own('public.0', undefined);
    port.frames = [];
    wire.frame(port, request(VIP));
    expect(port.frames).to.have.length(1);
    state.leading = false;
    wire.frame(port, request(VIP));
    expect(port.frames).to.have.length(1);
  });

  it('answers only on the interface that the VIP belongs to', () => {
    const { wire, configure, ports } = setUp();
    configure([ROUTER], [UPLINK, { name: 'eth1', index: 3, addresses: [] }]);
    wire.own('public.0', undefined);
    ports[1]!.frames = [];
    wire.frame(ports[1]!, request(VIP));
    expect(ports[1]!.frames).to.have.length(0);
  });

  it('ignores garbage', () => {
    const { wire, port } = setUp();
    wire.own('public.0', undefined);
    port.frames = [];
    wire.frame(port, Buffer.from('not an ARP packet at all, but long enough to be one'));
    expect(port.frames).to.have.length(0);
  });

  it('forwards after it has yielded until the next owner announces itself, but answers nobody', async () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    port.frames = [];
    wire.frame(port, request(VIP));
    expect(port.frames).to.have.length(0);
    state.now = 60_000; // nobody can take over
    wire.announceDue();
    expect([...state.claimed]).to.deep.equal([7700]);
    expect(wire.lingering.map(({ name }) => name)).to.deep.equal(['public.0']);
    const settled = wire.settled();
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[0]);
    expect([...state.claimed]).to.deep.equal([]);
    await settled;
  });

  it('forwards for a second more when it is known who took over, and the announcement is not heard', () => {
    const { wire, state } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    wire.holder('public.0', 'n2', 'n1');
    expect([...state.claimed]).to.deep.equal([7700]);
    expect(state.wakeAt).to.equal(1_000);
    state.now = 1_000;
    wire.announceDue();
    expect([...state.claimed]).to.deep.equal([]);
  });

  it('does not forward when somebody else may own already, nor what it has no addresses of any more', () => {
    const { wire, configure, state } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', false);
    expect([...state.claimed]).to.deep.equal([]);
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    configure([], [UPLINK]);
    expect([...state.claimed]).to.deep.equal([]);
  });

  it('keeps its rule when it owns again before anybody else has taken over', () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    wire.own('public.0', undefined);
    wire.holder('public.0', 'n2', 'n1');
    state.now = 10_000;
    wire.announceDue();
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[0]);
    expect([...state.claimed]).to.deep.equal([7700]);
  });

  it('reports a rival for an address that it owns, and takes the new owner’s announcement as a standby for granted', () => {
    const { wire, state, port, told } = setUp();
    const [foreign] = gratuitousArp(VIP, CLIENT_MAC);
    wire.frame(port, foreign);
    expect(state.rivals).to.deep.equal([]);
    wire.own('public.0', undefined);
    wire.frame(port, foreign);
    expect(state.rivals).to.deep.equal(['public.0']);
    expect(told.at(-1)).to.deep.equal({
      kind: 'rival',
      address: '10.77.0.200',
      mac: formatMac(CLIENT_MAC),
      uplink: 'eth0',
      withheld: false,
    });
  });

  it('announces everything again when a rival gives way, once a second at most', () => {
    const { wire, state, port } = setUp();
    wire.contended('public.0');
    expect(port.frames).to.deep.equal([]);
    wire.own('public.0', undefined);
    for (const [now, frames] of [
      [500, 4],
      [900, 0],
      [1_500, 4],
    ] as const) {
      state.now = now;
      wire.announceDue();
      port.frames = [];
      wire.contended('public.0');
      expect(port.frames.filter(({ senderIp }) => senderIp !== 0)).to.have.length(frames);
    }
  });

  it('defends an address against a rival, at once and then once a second', () => {
    const { wire, state, port, told } = setUp();
    const [foreign] = gratuitousArp(VIP, CLIENT_MAC);
    wire.own('public.0', undefined);
    for (state.now of [50, 1_000]) wire.announceDue();
    port.frames = [];
    for (state.now = 1_000; state.now < 2_000; state.now += 10) wire.frame(port, foreign);
    expect(port.frames.map((frame) => [frame.senderIp, formatMac(frame.senderMac)])).to.deep.equal([
      [VIP, MAC],
      [VIP, MAC],
    ]);
    expect(told.filter(({ kind }) => kind === 'rival')).to.have.length(1);
    expect(state.wakeAt).to.equal(2_000);
    state.now = 2_000;
    wire.announceDue();
    expect(port.frames).to.have.length(4);
    expect(state.wakeAt).to.equal(60_050);
  });

  it('asks a second after a takeover, and then every minute, whether another station has its addresses', () => {
    const { wire, configure, state, port } = setUp();
    const vips = [...ROUTER.vips, { address: 'fd00:77::c8', uplink: 'eth0' }];
    configure([{ ...ROUTER, vips }], [UPLINK]);
    wire.own('public.0', undefined);
    state.now = 999;
    wire.announceDue();
    expect(port.frames.filter(({ senderIp }) => senderIp === 0)).to.deep.equal([]);
    for (state.now of [1_000, 61_000]) {
      port.frames = [];
      port.frames6 = [];
      wire.announceDue();
      expect(port.frames.flatMap(({ senderIp, targetIp }) => (senderIp === 0 ? [targetIp] : []))).to.deep.equal([
        0x0a4d00c8, 0x0a4d00d0,
      ]);
      expect(port.frames6.flatMap(({ kind, target }) => (kind === 'solicitation' ? [target] : []))).to.deep.equal([
        'fd0000770000000000000000000000c8',
      ]);
    }
    port.frames = [];
    state.leading = false;
    state.now = 121_000;
    wire.announceDue();
    expect(port.frames).to.deep.equal([]);
  });

  it('does not defend what it may no longer answer for', () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    port.frames = [];
    state.leading = false;
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[0]);
    expect(port.frames).to.have.length(0);
  });

  it('does not take itself for a rival when two of its interfaces are on one LAN', () => {
    const { wire, configure, state, ports } = setUp();
    const other = { name: 'eth1', index: 3, addresses: [] };
    configure([ROUTER], [UPLINK, other]);
    wire.own('public.0', undefined);
    wire.frame(ports[1]!, gratuitousArp(VIP, parseMac(MAC))[0]);
    expect(state.rivals).to.deep.equal([]);
  });

  it('puts back a rule that somebody took away, while it is the owner', () => {
    const { wire, state, told } = setUp();
    wire.keepRules();
    wire.own('public.0', undefined);
    wire.keepRules();
    expect(state.log.filter((entry) => entry === 'claim 7700')).to.have.length(1);
    state.claimed.clear();
    wire.keepRules();
    expect(state.claimed).to.deep.equal(new Set([7700]));
    expect(told.at(-1)).to.deep.include({ kind: 'error' });
    state.claimed.clear();
    state.leading = false;
    wire.keepRules();
    expect(state.claimed.size).to.equal(0);
  });

  const NEW_VIP = 0x0a4d00d8;
  const WITH_NEW = { ...ROUTER, vips: [...ROUTER.vips, { address: '10.77.0.216', uplink: 'eth0' }] };
  /** Lets time pass, and the wire do what it wants to do meanwhile. */
  function wait({ wire, state }: Pick<ReturnType<typeof setUp>, 'wire' | 'state'>, ms: number) {
    const end = state.now + ms;
    while (state.wakeAt !== undefined && state.wakeAt <= end) {
      state.now = state.wakeAt;
      wire.announceDue();
    }
    state.now = end;
  }

  it('asks about an address that a virtual router it owns has just got, and announces it when nobody has it', () => {
    const world = setUp();
    const { wire, configure, port, told } = world;
    wire.own('public.0', undefined);
    port.frames = [];
    configure([WITH_NEW], [UPLINK]);
    wire.frame(port, request(NEW_VIP));
    wait(world, 399);
    const about = () => port.frames.filter(({ senderIp, targetIp }) => [senderIp, targetIp].includes(NEW_VIP));
    expect(about().map(({ operation, senderIp }) => [operation, senderIp])).to.deep.equal([
      [ARP_REQUEST, 0],
      [ARP_REQUEST, 0],
      [ARP_REQUEST, 0],
    ]);
    wait(world, 1);
    expect(about().filter(({ senderIp }) => senderIp === NEW_VIP)).to.have.length(2);
    expect(told.at(-1)).to.deep.equal({
      kind: 'announced',
      virtualRouter: 'public.0',
      addresses: ['10.77.0.216'],
    });
    port.frames = [];
    wire.frame(port, request(NEW_VIP));
    expect(port.frames.map(({ senderIp }) => senderIp)).to.deep.equal([NEW_VIP]);
  });

  it('asks about all addresses before it announces what nobody has owned before', () => {
    const world = setUp();
    const { wire, configure, port, told } = world;
    const vips = [...ROUTER.vips, { address: 'fd00:77::c8', uplink: 'eth0' }];
    configure([{ ...ROUTER, vips }], [UPLINK]);
    wire.own('public.0', undefined, 'first');
    wait(world, 399);
    expect(port.frames.filter(({ senderIp }) => senderIp !== 0)).to.deep.equal([]);
    expect(port.frames6.map(({ kind, sourceIp }) => [kind, sourceIp])).to.deep.equal(
      Array(3).fill(['solicitation', '0'.repeat(32)]),
    );
    wait(world, 1);
    expect(new Set(port.frames.map(({ senderIp }) => senderIp))).to.deep.equal(new Set([0, VIP, VIP + 8]));
    expect(port.frames6.at(-1)!.kind).to.equal('advertisement');
    const last = told.at(-1)!;
    expect(last.kind === 'announced' && last.addresses).to.have.members(vips.map(({ address }) => address));
  });

  it('leaves an address to the station that has it, says so, and takes it when that is gone', () => {
    const world = setUp();
    const { wire, state, port, told } = world;
    wire.own('public.0', undefined, 'first');
    const answer = { destination: port.mac, source: CLIENT_MAC, senderMac: CLIENT_MAC, targetMac: port.mac };
    wire.frame(port, encodeArpFrame({ ...answer, operation: ARP_REPLY, senderIp: VIP, targetIp: 0 }));
    expect(told.filter(({ kind }) => kind === 'rival')).to.deep.equal([
      { kind: 'rival', address: '10.77.0.200', mac: formatMac(CLIENT_MAC), uplink: 'eth0', withheld: true },
    ]);
    wait(world, 30_000);
    expect(told.at(-1)).to.deep.include({ kind: 'announced', addresses: ['10.77.0.208'] });
    expect(port.frames.filter(({ senderIp }) => senderIp === VIP)).to.deep.equal([]);
    port.frames = [];
    wire.frame(port, request(VIP));
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[0]); // not defended either
    expect(port.frames).to.deep.equal([]);
    expect(state.wakeAt).to.not.equal(undefined);
    wait(world, 61_000);
    expect(told.at(-1)).to.deep.include({ kind: 'announced', addresses: ['10.77.0.200'] });
    wire.frame(port, request(VIP));
    expect(port.frames.at(-1)).to.deep.include({ operation: ARP_REPLY, senderIp: VIP });
  });

  it('asks about all addresses before it resumes what it had in an earlier life, and routes nothing until then', () => {
    const world = setUp();
    const { wire, state, port } = world;
    wire.own('public.0', undefined, 'resumed');
    wire.frame(port, request(VIP));
    wait(world, 399);
    wire.keepRules();
    expect(port.frames.filter(({ senderIp }) => senderIp !== 0)).to.deep.equal([]);
    expect([...state.claimed]).to.deep.equal([]);
    wait(world, 1);
    expect([...state.claimed]).to.deep.equal([7700]);
    expect(port.frames.map(({ senderIp }) => senderIp)).to.include.members([VIP, VIP + 8]);
  });

  it('tells the election who answers meanwhile, and nobody else, if that yields', () => {
    const world = setUp();
    const { wire, state, port, told } = world;
    wire.own('public.0', undefined, 'resumed');
    state.onRival = () => wire.yield('public.0', 'test', false);
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[1]);
    wait(world, 120_000);
    expect(state.rivals).to.deep.equal(['public.0']);
    expect(told.map(({ kind }) => kind)).to.deep.equal(['own', 'yield']);
    expect(port.frames.filter(({ senderIp }) => senderIp !== 0)).to.deep.equal([]);
    expect([...state.claimed]).to.deep.equal([]);
  });

  it('asks who else has an address of what it cannot prove to own', () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    port.frames = [];
    wire.askForOwners();
    expect(port.frames).to.deep.equal([]);
    state.uncertain = true;
    wire.askForOwners();
    expect(port.frames.map(({ senderIp, targetIp }) => [senderIp, targetIp])).to.deep.equal([[0, VIP]]);
  });

  it('does not take another’s question for an answer', () => {
    const world = setUp();
    const { wire, port, told } = world;
    wire.own('public.0', undefined, 'first');
    wire.frame(port, arpProbe(VIP, CLIENT_MAC));
    wait(world, 400);
    expect(told.at(-1)).to.deep.include({ kind: 'announced' });
  });

  it('asks about nothing any more that it has yielded', () => {
    const world = setUp();
    const { wire, port } = world;
    wire.own('public.0', undefined, 'first');
    wire.yield('public.0', 'test', false);
    port.frames = [];
    wait(world, 120_000);
    expect(port.frames).to.deep.equal([]);
    wire.own('public.0', undefined);
    expect(port.frames.map(({ senderIp }) => senderIp)).to.include(VIP);
  });

  it('announces such an address alone, by a burst of its own, and goes on with that of the others', () => {
    const world = setUp();
    const { wire, configure, port } = world;
    wire.own('public.0', undefined);
    wait(world, 1_500);
    configure([WITH_NEW], [UPLINK]);
    const announced = (ms: number) => {
      port.frames = [];
      wait(world, ms);
      return port.frames.flatMap(({ senderIp }) => (senderIp > 0 ? [senderIp & 0xff] : []));
    };
    expect(announced(400)).to.deep.equal([0xd8, 0xd8]);
    expect(announced(50)).to.deep.equal([0xd8, 0xd8]);
    expect(announced(58_049)).to.deep.equal([]);
    expect(announced(51)).to.deep.equal([0xc8, 0xd0, 0xd8, 0xc8, 0xd0, 0xd8]);
  });

  it('announces at once what it owns already and what is to be on another interface now', () => {
    const { wire, configure, ports } = setUp();
    const other = { name: 'eth1', index: 3, addresses: [] };
    configure([ROUTER], [UPLINK, other]);
    wire.own('public.0', undefined);
    for (const port of ports) port.frames = [];
    configure([{ ...ROUTER, vips: [ROUTER.vips[0]!, { address: '10.77.0.208', uplink: 'eth1' }] }], [UPLINK, other]);
    expect(ports.map(({ frames }) => frames.map(({ senderIp }) => senderIp & 0xff))).to.deep.equal([[], [0xd0, 0xd0]]);
  });

  it('does not go on announcing an address that is gone', () => {
    const world = setUp();
    const { wire, configure, port } = world;
    wire.own('public.0', undefined);
    configure([WITH_NEW], [UPLINK]);
    wait(world, 400);
    configure([ROUTER], [UPLINK]);
    port.frames = [];
    wait(world, 60_000);
    expect(port.frames.map(({ senderIp }) => senderIp & 0xff)).to.not.include(0xd8);
  });

  it('announces as the pool wants it, and goes by another wish without announcing anew', () => {
    const { wire, configure, state, port } = setUp();
    const wish = (more: Partial<AnnouncementSettings>) =>
      configure([{ ...ROUTER, announcement: { ...ROUTER.announcement, ...more } }], [UPLINK]);
    const sent = () => port.frames.splice(0).map(({ operation, senderIp }) => [operation, senderIp & 0xff]);
    wish({ arpForms: ['Reply'], repeatAfterMilliseconds: [20, 500] });
    wire.own('public.0', undefined);
    expect(sent()).to.deep.equal([
      [ARP_REPLY, 0xc8],
      [ARP_REPLY, 0xd0],
    ]);
    expect(state.wakeAt).to.equal(20);
    state.now = 20;
    wire.announceDue();
    sent();
    wish({ arpForms: ['Request'], repeatAfterMilliseconds: [10, 300], refreshSeconds: 5 });
    expect(sent()).to.deep.equal([]);
    for (const at of [300, 5_300]) {
      expect(state.wakeAt).to.equal(at === 5_300 ? 1_000 : at); // the probe comes in between
      state.now = at;
      wire.announceDue();
      expect(sent().filter(([, ip]) => ip !== 0)).to.deep.equal([
        [ARP_REQUEST, 0xc8],
        [ARP_REQUEST, 0xd0],
      ]);
    }
  });

  it('announces what it owns when the link of its interface is back, with the hardware address that this has now', () => {
    const { wire, state, port } = setUp();
    wire.linkReturned(UPLINK.index);
    expect(port.frames).to.deep.equal([]);
    wire.own('public.0', undefined);
    state.now = 10_000;
    wire.announceDue();
    port.frames = [];
    port.macNow = parseMac('02:00:00:00:00:0c');
    wire.linkReturned(UPLINK.index + 1);
    expect(port.frames).to.deep.equal([]);
    for (const at of [10_000, 10_050]) {
      if (at === 10_000) wire.linkReturned(UPLINK.index);
      else wire.announceDue();
      expect(port.frames.splice(0).map(({ senderMac, senderIp }) => [formatMac(senderMac), senderIp])).to.deep.equal(
        [VIP, VIP + 8, VIP, VIP + 8].map((ip) => ['02:00:00:00:00:0c', ip]),
      );
      state.now = 10_050;
    }
    wire.frame(port, request(VIP));
    expect(formatMac(port.frames[0]!.senderMac)).to.equal('02:00:00:00:00:0c');
  });

  it('does not announce the more often the oftener a link comes back', () => {
    const world = setUp();
    const { wire, port } = world;
    wire.own('public.0', undefined);
    wait(world, 10_000);
    for (let n = 0; n < 5; n++) {
      wire.linkReturned(UPLINK.index);
      wait(world, 10);
    }
    port.frames = [];
    wait(world, 30_000);
    expect(port.frames.filter(({ senderIp }) => senderIp === VIP)).to.have.length(2); // 50 ms after the last
  });

  it('announces nothing when nothing changed', () => {
    const { wire, configure, port } = setUp();
    wire.own('public.0', undefined);
    port.frames = [];
    configure([{ ...ROUTER }], [UPLINK]);
    expect(port.frames).to.have.length(0);
  });

  it('announces everything anew on an interface that was replaced', () => {
    const { wire, configure, ports } = setUp();
    wire.own('public.0', undefined);
    configure([ROUTER], [{ ...UPLINK, index: 7 }]);
    expect(ports[0]!.closed).to.equal(true);
    expect(ports[1]!.frames.map((frame) => formatMac(frame.senderMac))).to.deep.equal(
      Array(4).fill('02:00:00:00:00:07'),
    );
  });

  it('removes the rule that an earlier process left behind when another node is the owner', () => {
    const { wire, state } = setUp();
    wire.holder('public.0', 'n1', 'n1');
    expect(state.log).to.not.include('release 7700');
    wire.holder('public.0', 'n2', 'n1');
    expect(state.log).to.include('release 7700');
  });

  it('announces IPv6 addresses by advertisements, listens for their groups, and reports their rivals', () => {
    const { wire, configure, state, port, told } = setUp();
    const vip6 = 'fd0000770000000000000000000000c8';
    const vips = [...ROUTER.vips, { address: 'fd00:77::c8', uplink: 'eth0' }];
    configure([{ ...ROUTER, vips }], [UPLINK]);
    expect(port.listensFor).to.deep.equal([vip6]);
    wire.own('public.0', undefined);
    expect(port.frames6.map(({ kind, target, linkLayer }) => [kind, target, formatMac(linkLayer!)])).to.deep.equal([
      ['advertisement', vip6, MAC],
    ]);
    wire.frame(port, unsolicitedAdvertisement(vip6, CLIENT_MAC));
    expect(state.rivals).to.deep.equal(['public.0']);
    expect(told.at(-1)).to.deep.include({ kind: 'rival', address: 'fd00:77::c8', mac: formatMac(CLIENT_MAC) });
    expect(port.frames6).to.have.length(2);
    configure([ROUTER], [UPLINK]);
    expect(port.listensFor).to.deep.equal([]);
  });

  it('keeps serving the others when a system call fails, and tells', () => {
    const { wire, state, port, told } = setUp();
    port.failure = Object.assign(new Error('sendmmsg ENETDOWN: Network is down'), { code: 'ENETDOWN' });
    wire.own('public.0', undefined);
    expect(told).to.deep.include({
      kind: 'error',
      code: 'ENETDOWN',
      message: 'could not announce on eth0: sendmmsg ENETDOWN: Network is down',
    });
    expect(told).to.deep.include({ kind: 'own', virtualRouter: 'public.0', lapsed: undefined });
    expect(state.wakeAt).to.equal(50);
  });

  describe('what the director of a new owner does not know', () => {
    const FORMER_MAC = parseMac('02:00:00:00:00:0b');
    const heard = ({ wire, port }: ReturnType<typeof setUp>) => {
      for (const frame of gratuitousArp(VIP, FORMER_MAC)) wire.frame(port, frame);
    };

    it('goes to the station that announced the virtual router before, from before the first announcement on', () => {
      const set = setUp();
      heard(set);
      const frames = set.port.frames.length;
      let first: string | undefined;
      set.port.send = (frames) => {
        first ??= set.state.exits.get(7700);
        return frames.length;
      };
      set.wire.own('public.0', undefined);
      expect(set.port.frames.length).to.equal(frames);
      expect(first).to.equal('eth0 02:00:00:00:00:0b');
      set.state.now = 1_000_000;
      set.wire.announceDue();
      expect(set.state.exits.get(7700), 'for as long as this node owns').to.equal('eth0 02:00:00:00:00:0b');
      set.wire.yield('public.0', 'taken', false);
      expect(set.state.exits.size).to.equal(0);
    });

    it('goes there for a while only when that station has fallen silent', () => {
      const set = setUp();
      heard(set);
      set.wire.own('public.0', 'n2');
      set.state.now = 4_999;
      set.wire.announceDue();
      expect(set.state.exits.get(7700)).to.equal('eth0 02:00:00:00:00:0b');
      set.state.now = set.state.wakeAt!;
      set.state.now = 5_000;
      set.wire.announceDue();
      expect(set.state.exits.get(7700)).to.equal('nobody');
    });

    it('stays where nobody was heard before', () => {
      const { wire, state } = setUp();
      wire.own('public.0', undefined);
      expect(state.exits.get(7700)).to.equal('nobody');
    });

    it('goes to whoever answers while this node hands over, and nowhere once that one was heard', () => {
      const set = setUp();
      set.wire.own('public.0', undefined);
      set.wire.yield('public.0', 'drained', true);
      expect(set.state.exits.get(7700)).to.equal('LAN');
      expect(set.state.expected, 'or the kernel would have to ask').to.deep.equal(['2 10.77.0.200', '2 10.77.0.208']);
      heard(set);
      expect(set.state.exits.size).to.equal(0);
    });

    it('is expected of so many VIPs only as the kernel has room for, of all virtual routers alike', () => {
      const { wire, configure, state } = setUp();
      const routers = Array.from({ length: 16 }, (_, n) => ({
        ...ROUTER,
        name: `public.${n}`,
        vips: Array.from({ length: 100 }, (_, i) => ({ address: `10.0.${n}.${i}`, uplink: 'eth0' })),
      }));
      configure(routers, [UPLINK]);
      for (const { name } of routers) wire.own(name, undefined);
      for (const { name } of routers) wire.yield(name, 'drained', true);
      const expected = routers.map((_, n) => state.expected.filter((line) => line.startsWith(`2 10.0.${n}.`)).length);
      expect(new Set(expected)).to.deep.equal(new Set([EXPECTED / 16]));
    });

    it('does not go to the LAN when this node owns again after all', () => {
      const set = setUp();
      set.wire.own('public.0', undefined);
      set.wire.yield('public.0', 'drained', true);
      set.wire.own('public.0', undefined);
      expect(set.state.exits.get(7700)).to.equal('nobody');
    });

    it('is asked for by a node that came after the announcements', () => {
      const set = setUp();
      set.wire.holder('public.0', 'n2', 'n1');
      expect(set.port.frames.map(({ operation, senderIp, targetIp }) => [operation, senderIp, targetIp])).to.deep.equal(
        [[ARP_REQUEST, 0, VIP]],
      );
      heard(set);
      set.wire.holder('public.0', 'n2', 'n1');
      expect(set.port.frames).to.have.length(1);
    });
  });
});
