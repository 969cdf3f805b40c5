import { expect } from 'chai';
import { ARP_REPLY, gratuitousArp } from './arp.js';
import { parseMac } from './mac.js';
import { CLIENT_MAC, NEW_VIP, ROUTER, request, setUp, UPLINK, VIP, WITH_NEW, wait } from './wire.spec.helpers.js';

const STRANGER = parseMac('02:00:00:00:00:99');
const PEER = parseMac('02:00:00:00:00:12');
const OTHER_VIP = VIP + 8;

describe('the wire of an owner that no API server answers, about other stations', () => {
  /** One that yields to rivals then, as the election by Lease has it. */
  const owner = (claim?: Parameters<ReturnType<typeof setUp>['wire']['own']>[2]) => {
    const world = setUp();
    const { wire, state, port } = world;
    state.onRival = () => state.uncertain && wire.yield('public.0', 'test', false);
    wire.own('public.0', undefined, claim);
    const hear = (ip: number, mac: Buffer) => wire.frame(port, gratuitousArp(ip, mac)[1]);
    const answers = (ip: number) => {
      port.frames = [];
      wire.frame(port, request(ip));
      wire.announceDue();
      return port.frames.some(({ senderIp, targetMac }) => senderIp === ip && targetMac.equals(CLIENT_MAC));
    };
    return { ...world, hear, answers, served: () => [VIP, OTHER_VIP].filter(answers) };
  };

  it('loses no VIP to a stranger that was known before, and defends the one that it wants', () => {
    const { state, port, hear, served } = owner();
    hear(VIP, STRANGER);
    Object.assign(state, { uncertain: true, now: 5_000 });
    port.frames = [];
    hear(VIP, STRANGER);
    expect(port.frames.map(({ senderIp }) => senderIp)).to.include(VIP);
    expect(served()).to.deep.equal([VIP, OTHER_VIP]);
  });

  it('goes on leaving a VIP to the stranger that had it first, and keeps the others', () => {
    const world = owner('first');
    const { state, port, hear, served } = world;
    hear(VIP, STRANGER);
    for (let minute = 0; minute < 3; minute++) {
      port.frames = [];
      wait(world, 60_000);
      expect(port.frames.map(({ targetIp }) => targetIp)).to.include(VIP);
      state.uncertain = true;
      hear(VIP, STRANGER);
    }
    expect(served()).to.deep.equal([OTHER_VIP]);
  });

  it('yields at once to a peer that takes over, though a stranger is there', () => {
    const { state, hear, served } = owner();
    hear(VIP, STRANGER);
    state.uncertain = true;
    hear(VIP, PEER);
    expect(served()).to.deep.equal([]);
  });

  it('yields to a peer that it took for a stranger, as that announces every VIP', () => {
    const { state, hear, served } = owner();
    hear(VIP, PEER);
    state.uncertain = true;
    hear(VIP, PEER);
    hear(OTHER_VIP, PEER);
    expect(served()).to.deep.equal([]);
  });

  it('yields to whoever had every VIP before: that may be a peer', () => {
    const { state, hear, served } = owner();
    for (const ip of [VIP, OTHER_VIP]) hear(ip, PEER);
    state.uncertain = true;
    hear(VIP, PEER);
    expect(served()).to.deep.equal([]);
  });

  it('yields to who was a stranger before another node had the Lease: it may be that node', () => {
    const { wire, state, hear, served } = owner();
    hear(VIP, STRANGER);
    wire.yield('public.0', 'test', true);
    wire.holder('public.0', 'n2', 'n1');
    wire.own('public.0', undefined);
    state.uncertain = true;
    hear(VIP, STRANGER);
    expect(served()).to.deep.equal([]);
  });

  it('knows a stranger still after it has had the Lease anew itself', () => {
    const { wire, state, hear, served } = owner();
    hear(VIP, STRANGER);
    wire.yield('public.0', 'test', true);
    for (const node of [undefined, 'n1']) wire.holder('public.0', node, 'n1');
    wire.own('public.0', undefined);
    state.uncertain = true;
    hear(VIP, STRANGER);
    expect(served()).to.deep.equal([VIP, OTHER_VIP]);
  });

  it('resumes the other VIPs after it has stood still', () => {
    const world = owner();
    const { wire, state, hear, served } = world;
    hear(VIP, STRANGER);
    state.uncertain = true;
    wire.yield('public.0', 'test', false);
    wire.own('public.0', undefined, 'resumed');
    hear(VIP, STRANGER);
    wait(world, 400);
    expect(served()).to.deep.equal([OTHER_VIP]);
  });

  it('yields to who is heard for the first time, whoever it is', () => {
    const { state, hear, served } = owner();
    state.uncertain = true;
    hear(VIP, STRANGER);
    expect(served()).to.deep.equal([]);
  });

  it('does not take the former owner of a VIP from another virtual router for a stranger', () => {
    const { configure, wire, state, hear } = owner();
    wire.yield('public.0', 'test', true);
    const next = { ...ROUTER, name: 'public.1', leaseName: 'vr-public-1', table: 7701 };
    configure([{ ...next, vips: ROUTER.vips }], [UPLINK]);
    wire.own('public.1', undefined, 'first');
    hear(VIP, PEER);
    state.uncertain = true;
    hear(VIP, PEER);
    expect(state.rivals).to.deep.equal(['public.1', 'public.1']);
  });

  it('knows no stranger of a VIP that has come back', () => {
    const { configure, state, hear } = owner();
    configure([WITH_NEW], [UPLINK]);
    hear(NEW_VIP, STRANGER);
    configure([ROUTER], [UPLINK]);
    configure([WITH_NEW], [UPLINK]);
    state.uncertain = true;
    state.rivals = [];
    hear(NEW_VIP, STRANGER);
    expect(state.rivals).to.deep.equal(['public.0']);
  });

  it('asks for an owner by a VIP that no stranger has, if there is one', () => {
    const { wire, state, port, hear } = owner();
    const asked = () => {
      port.frames = [];
      wire.askForOwners();
      return port.frames.filter(({ operation, senderIp }) => operation !== ARP_REPLY && senderIp === 0);
    };
    for (const [ip, expected] of [
      [VIP, OTHER_VIP],
      [OTHER_VIP, VIP],
    ] as const) {
      state.uncertain = false;
      hear(ip, STRANGER);
      state.uncertain = true;
      expect(asked().map(({ targetIp }) => targetIp)).to.deep.equal([expected]);
    }
  });
});
