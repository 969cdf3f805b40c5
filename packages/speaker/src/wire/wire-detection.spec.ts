import { expect } from 'chai';
import { ARP_REPLY, ARP_REQUEST, arpProbe, encodeArpFrame, gratuitousArp } from './arp.js';
import { LET_GO_MS } from './detection.js';
import { formatMac } from './mac.js';
import { CLIENT_MAC, NEW_VIP, ROUTER, request, setUp, UPLINK, VIP, WITH_NEW, wait } from './wire.spec.helpers.js';

describe('the wire, about VIPs that another station may have', () => {
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

  it('answers for what it cannot prove to own when it has heard what else has come, and not if that is a new owner', () => {
    const { wire, state, port } = setUp();
    wire.own('public.0', undefined);
    state.uncertain = true;
    const answers = () => port.frames.filter(({ targetMac }) => targetMac.equals(CLIENT_MAC));
    port.frames = [];
    wire.frame(port, request(VIP));
    expect(answers()).to.have.length(0);
    expect(state.wakeAt).to.equal(state.now);
    wire.announceDue();
    expect(answers()).to.have.length(1);
    wire.announceDue();
    expect(answers(), 'once').to.have.length(1);
    state.onRival = () => {
      state.leading = false;
    };
    wire.frame(port, request(VIP));
    wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[1]);
    wire.announceDue();
    expect(answers()).to.have.length(1);
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

  const OTHER = { ...ROUTER, name: 'public.1', leaseName: 'vr-public-1', table: 7701, vips: [] };
  const answer = ({ port, wire }: ReturnType<typeof setUp>) => wire.frame(port, gratuitousArp(VIP, CLIENT_MAC)[1]);

  for (const [what, claim] of [
    ['a virtual router that it owns already', 'takeover'],
    ['one that is new', 'first'],
  ] as const) {
    it(`waits for the former owner of an address that ${what} gets from another, and calls nobody a stranger`, () => {
      const world = setUp();
      const { wire, configure, port, told } = world;
      if (claim === 'takeover') configure([ROUTER, OTHER], [UPLINK]);
      if (claim === 'takeover') wire.own('public.1', undefined);
      configure([{ ...OTHER, vips: ROUTER.vips }], [UPLINK]);
      if (claim === 'first') wire.own('public.1', undefined, claim);
      for (const ms of [50, 300, 400, 1_000]) {
        answer(world);
        wait(world, Math.min(ms, 400));
      }
      expect(port.frames.filter(({ senderIp }) => senderIp === VIP)).to.deep.equal([]);
      wait(world, 100);
      expect(port.frames.filter(({ senderIp }) => senderIp === VIP)).to.have.length(2);
      expect(told.filter(({ kind }) => kind === 'rival')).to.deep.equal([]);
    });
  }

  it('leaves such an address to whoever does not let go of it', () => {
    const world = setUp();
    const { wire, configure, told } = world;
    configure([{ ...OTHER, vips: ROUTER.vips }], [UPLINK]);
    wire.own('public.1', undefined, 'first');
    for (let ms = 0; ms <= LET_GO_MS; ms += 100) {
      answer(world);
      wait(world, 100);
    }
    expect(told.filter(({ kind }) => kind === 'rival')).to.have.length(1);
  });

  it('announces at once what it owned in another virtual router, and did not leave to a station', () => {
    const world = setUp();
    const { wire, configure, port } = world;
    configure([ROUTER, OTHER], [UPLINK]);
    wire.own('public.0', undefined, 'first');
    answer(world); // has it, and may have it still
    wait(world, 400);
    wire.own('public.1', undefined);
    port.frames = [];
    configure(
      [
        { ...ROUTER, vips: [] },
        { ...OTHER, vips: ROUTER.vips },
      ],
      [UPLINK],
    );
    expect(port.frames.flatMap(({ senderIp }) => (senderIp > 0 ? [senderIp & 0xff] : []))).to.deep.equal([0xd0, 0xd0]);
    expect(port.frames.filter(({ senderIp, targetIp }) => senderIp === 0 && targetIp === VIP)).to.have.length(1);
  });
});
