import { expect } from 'chai';
import { Announcer } from './announcer.js';
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
import type { FromWire, WireUplink, WireVirtualRouter } from './messages.js';
import { decodeNdpFrame, type NdpPacket, unsolicitedAdvertisement } from './ndp.js';
import { type Port, Wire } from './wire.js';

const CLIENT_MAC = parseMac('02:00:00:00:00:64');
const UPLINK: WireUplink = { name: 'eth0', index: 2, mac: '02:00:00:00:00:0a', addresses: [] };
const ROUTER: WireVirtualRouter = {
  name: 'public.0',
  pool: 'public',
  leaseName: 'vr-public-0',
  table: 7700,
  ranking: ['n1'],
  engine: 'lease',
  preempt: false,
  vips: [
    { address: '10.77.0.200', uplink: 'eth0' },
    { address: '10.77.0.208', uplink: 'eth0' },
  ],
};

class RecordingPort implements Port {
  readonly name: string;
  readonly mac: Buffer;
  frames: ArpFrame[] = [];
  /** NDP frames. */
  frames6: NdpPacket[] = [];
  listensFor: readonly string[] = [];
  closed = false;
  failure: Error | undefined;
  constructor(readonly uplink: WireUplink) {
    this.name = uplink.name;
    this.mac = parseMac(uplink.mac);
  }
  send(frames: readonly Buffer[]) {
    if (this.failure) throw this.failure;
    this.frames.push(...frames.flatMap((frame) => decodeArpFrame(frame) ?? []));
    this.frames6.push(...frames.flatMap((frame) => decodeNdpFrame(frame) ?? []));
    return frames.length;
  }
  listenFor(ips: readonly string[]) {
    this.listensFor = ips;
  }
  matches(uplink: WireUplink) {
    return JSON.stringify(uplink) === JSON.stringify(this.uplink);
  }
  close() {
    this.closed = true;
  }
}

function setUp() {
  const state = {
    now: 0,
    leading: true,
    uncertain: false,
    log: [] as string[],
    claimed: new Set<number>(),
    rivals: [] as string[],
    onRival: () => {},
    wakeAt: undefined as number | undefined,
  };
  const ports: RecordingPort[] = [];
  const told: FromWire[] = [];
  const wire: Wire = new Wire({
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
    announcer: new Announcer({ burstMs: [0, 50], refreshMs: 60_000 }),
  });
  wire.configure([ROUTER], [UPLINK]);
  return { wire, state, ports, told, port: ports[0]! };
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
    expect(state.log).to.deep.equal(['contest public.0', 'claim 7700']);
    expect(port.frames.map((frame) => [frame.operation, frame.senderIp, formatMac(frame.senderMac)])).to.deep.equal(
      [ARP_REQUEST, ARP_REPLY].flatMap((form) => [0xc8, 0xd0].map((last) => [form, 0x0a4d0000 + last, UPLINK.mac])),
    );
    expect(told).to.deep.equal([
      { kind: 'own', virtualRouter: 'public.0', lapsed: undefined },
      { kind: 'announced', virtualRouter: 'public.0', addresses: ['10.77.0.200', '10.77.0.208'] },
    ]);
    expect(state.wakeAt).to.equal(50);
  });

  it('announces every VIP of all that it takes over before it repeats any, a slice at a time', () => {
    const { wire, state, port } = setUp();
    const many = [0, 1].map((n) => ({
      ...ROUTER,
      name: `public.${n}`,
      vips: Array.from({ length: 1_500 }, (_, i) => ({ address: `10.${n}.${i >> 8}.${i & 255}`, uplink: 'eth0' })),
    }));
    wire.configure(many, [UPLINK]);
    for (const { name } of many) wire.own(name, undefined);
    expect(port.frames.length).to.be.below(3_000);
    for (state.now = 50; port.frames.length < 3_000; wire.announceDue()) expect(state.wakeAt).to.be.at.most(state.now);
    expect(new Set(port.frames.map(({ senderIp }) => senderIp)).size).to.equal(3_000);
    while (state.wakeAt! <= state.now) wire.announceDue();
    // Both forms, twice.
    expect(port.frames).to.have.length(4 * 3_000);
  });

  it('is silent at once when it yields while it still announces', () => {
    const { wire, state, port } = setUp();
    const vips = Array.from({ length: 3_000 }, (_, i) => ({ address: `10.0.${i >> 8}.${i & 255}`, uplink: 'eth0' }));
    wire.configure([{ ...ROUTER, vips }], [UPLINK]);
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
    const { wire, ports } = setUp();
    wire.configure([ROUTER], [UPLINK, { name: 'eth1', index: 3, mac: '02:00:00:00:00:1a', addresses: [] }]);
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
    const { wire, state } = setUp();
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', false);
    expect([...state.claimed]).to.deep.equal([]);
    wire.own('public.0', undefined);
    wire.yield('public.0', 'test', true);
    wire.configure([], [UPLINK]);
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

  it('defends an address against a rival, at once and then once a second', () => {
    const { wire, state, port, told } = setUp();
    const [foreign] = gratuitousArp(VIP, CLIENT_MAC);
    wire.own('public.0', undefined);
    for (state.now of [50, 1_000]) wire.announceDue();
    port.frames = [];
    for (state.now = 1_000; state.now < 2_000; state.now += 10) wire.frame(port, foreign);
    expect(port.frames.map((frame) => [frame.senderIp, formatMac(frame.senderMac)])).to.deep.equal([
      [VIP, UPLINK.mac],
      [VIP, UPLINK.mac],
    ]);
    expect(told.filter(({ kind }) => kind === 'rival')).to.have.length(1);
    expect(state.wakeAt).to.equal(2_000);
    state.now = 2_000;
    wire.announceDue();
    expect(port.frames).to.have.length(4);
    expect(state.wakeAt).to.equal(60_050);
  });

  it('asks a second after a takeover, and then every minute, whether another station has its addresses', () => {
    const { wire, state, port } = setUp();
    const vips = [...ROUTER.vips, { address: 'fd00:77::c8', uplink: 'eth0' }];
    wire.configure([{ ...ROUTER, vips }], [UPLINK]);
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
    const { wire, state, ports } = setUp();
    const other = { name: 'eth1', index: 3, mac: '02:00:00:00:00:1a', addresses: [] };
    wire.configure([ROUTER], [UPLINK, other]);
    wire.own('public.0', undefined);
    wire.frame(ports[1]!, gratuitousArp(VIP, parseMac(UPLINK.mac))[0]);
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
    const { wire, port, told } = world;
    wire.own('public.0', undefined);
    port.frames = [];
    wire.configure([WITH_NEW], [UPLINK]);
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
    const { wire, port, told } = world;
    const vips = [...ROUTER.vips, { address: 'fd00:77::c8', uplink: 'eth0' }];
    wire.configure([{ ...ROUTER, vips }], [UPLINK]);
    wire.own('public.0', undefined, 'first');
    wait(world, 399);
    expect(port.frames.filter(({ senderIp }) => senderIp !== 0)).to.deep.equal([]);
    expect(port.frames6.map(({ kind, sourceIp }) => [kind, sourceIp])).to.deep.equal(
      Array(3).fill(['solicitation', '0'.repeat(32)]),
    );
    wait(world, 1);
    expect(new Set(port.frames.map(({ senderIp }) => senderIp))).to.deep.equal(new Set([0, VIP, VIP + 8]));
    expect(port.frames6.at(-1)!.kind).to.equal('advertisement');
    expect(told.at(-1)).to.deep.include({ kind: 'announced', addresses: vips.map(({ address }) => address) });
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

  it('announces nothing when nothing changed', () => {
    const { wire, port } = setUp();
    wire.own('public.0', undefined);
    port.frames = [];
    wire.configure([{ ...ROUTER }], [UPLINK]);
    expect(port.frames).to.have.length(0);
  });

  it('announces everything anew on an interface that was replaced', () => {
    const { wire, ports } = setUp();
    wire.own('public.0', undefined);
    wire.configure([ROUTER], [{ ...UPLINK, mac: '02:00:00:00:00:0c' }]);
    expect(ports[0]!.closed).to.equal(true);
    expect(ports[1]!.frames.map((frame) => formatMac(frame.senderMac))).to.include('02:00:00:00:00:0c');
  });

  it('removes the rule that an earlier process left behind when another node is the owner', () => {
    const { wire, state } = setUp();
    wire.holder('public.0', 'n1', 'n1');
    expect(state.log).to.not.include('release 7700');
    wire.holder('public.0', 'n2', 'n1');
    expect(state.log).to.include('release 7700');
  });

  it('announces IPv6 addresses by advertisements, listens for their groups, and reports their rivals', () => {
    const { wire, state, port, told } = setUp();
    const vip6 = 'fd0000770000000000000000000000c8';
    const vips = [...ROUTER.vips, { address: 'fd00:77::c8', uplink: 'eth0' }];
    wire.configure([{ ...ROUTER, vips }], [UPLINK]);
    expect(port.listensFor).to.deep.equal([vip6]);
    wire.own('public.0', undefined);
    expect(port.frames6.map(({ kind, target, linkLayer }) => [kind, target, formatMac(linkLayer!)])).to.deep.equal([
      ['advertisement', vip6, UPLINK.mac],
    ]);
    wire.frame(port, unsolicitedAdvertisement(vip6, CLIENT_MAC));
    expect(state.rivals).to.deep.equal(['public.0']);
    expect(told.at(-1)).to.deep.include({ kind: 'rival', address: 'fd00:77::c8', mac: formatMac(CLIENT_MAC) });
    expect(port.frames6).to.have.length(2);
    wire.configure([ROUTER], [UPLINK]);
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
});
