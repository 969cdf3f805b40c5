import { expect } from 'chai';
import { ARP_REPLY, ARP_REQUEST, gratuitousArp } from './arp.js';
import { formatMac, parseMac } from './mac.js';
import { unsolicitedAdvertisement } from './ndp.js';
import { Wire } from './wire.js';
import { CLIENT_MAC, MAC, ROUTER, request, setUp, UPLINK, VIP } from './wire.spec.helpers.js';

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
});
