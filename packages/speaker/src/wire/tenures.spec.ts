import type { AnnouncementSettings } from '@fairlead/api';
import { expect } from 'chai';
import { ARP_REPLY, ARP_REQUEST } from './arp.js';
import { formatMac, parseMac } from './mac.js';
import { ROUTER, request, setUp, UPLINK, VIP, wait } from './wire.spec.helpers.js';

describe('what the wire announces, and when', () => {
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

  it('announces at once what it owns already and what is to be on another interface now', () => {
    const { wire, configure, ports } = setUp();
    const other = { name: 'eth1', index: 3, addresses: [] };
    configure([ROUTER], [UPLINK, other]);
    wire.own('public.0', undefined);
    for (const port of ports) port.frames = [];
    configure([{ ...ROUTER, vips: [ROUTER.vips[0]!, { address: '10.77.0.208', uplink: 'eth1' }] }], [UPLINK, other]);
    expect(ports.map(({ frames }) => frames.map(({ senderIp }) => senderIp & 0xff))).to.deep.equal([[], [0xd0, 0xd0]]);
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
});
