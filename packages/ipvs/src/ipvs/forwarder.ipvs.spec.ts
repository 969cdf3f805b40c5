import { Ipvs, ipvsServiceFlags, Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from '../arbitraries.spec.helpers.js';
import { createForwarder } from '../create-forwarder.js';
import { apply, diff } from '../diff.js';
import { readSysctl } from '../director/sysctls.js';
import { type Forwarder, type VirtualServer, type VirtualServerKey, virtualServerName } from '../forwarder.js';
import { NftCommand } from '../nft.js';
import { describeWithIpvs } from './require-ipvs.spec.helpers.js';

const director = `fl-ipvs-${process.pid}`;
const vips: string[] = [];

describeWithIpvs('ipvs forwarder and the kernel', function (this: Mocha.Suite) {
  this.timeout(120_000);
  const closing: { close(): void }[] = [];
  const opened = <T extends { close(): void }>(thing: T): T => {
    closing.push(thing);
    return thing;
  };
  const open = (kind: Forwarder['kind'] | 'auto' = 'ipvs') => opened(createForwarder({ kind, director }));
  let ipvs: Ipvs;

  beforeEach(() => {
    createNetns(director);
    opened(new Rtnetlink({ netns: director })).setLink(1, { up: true });
    ipvs = opened(new Ipvs({ netns: director }));
  });
  afterEach(() => {
    for (const thing of closing.splice(0)) thing.close();
    deleteNetns(director);
  });

  const key = { family: 'ipv4', address: '10.77.0.200', port: 80, protocol: 'tcp' } as const;
  const web: VirtualServer = {
    address: '10.77.0.200',
    port: 80,
    protocol: 'tcp',
    scheduler: 'rr',
    realServers: [
      { address: '10.77.0.11', port: 30080, weight: 1 },
      { address: '10.77.0.12', port: 30080, weight: 1 },
    ],
  };
  const desired = { vips, virtualServers: [web] };

  it('leads the kernel from any state to any other, in as many operations as differ', () => {
    const forwarder = open();
    forwarder.sync({ vips, virtualServers: [] });
    let kernel: VirtualServer[] = [];
    fc.assert(
      fc.property(virtualServers, (state) => {
        const wanted = new Map(state.map((server) => [virtualServerName(server), server]));
        const drains = (key: VirtualServerKey) =>
          key.protocol !== 'udp' && wanted.get(virtualServerName(key))!.scheduler !== 'dh';
        const operations = diff(state, kernel, { ordered: true, drains });
        expect(forwarder.sync({ vips, virtualServers: state }).operations).to.equal(operations.length);
        finishDrains(forwarder);
        expect(forwarder.read()).to.deep.equal(state);
        kernel = apply(operations, kernel);
        kernel = apply(
          diff(state, kernel).filter(({ kind }) => kind === 'delete-destination'),
          kernel,
        );
      }),
      { numRuns: 50 },
    );
  });

  it('has the settings that SNAT and clean ends of connections need, and restores them at its next start', () => {
    open().sync(desired);
    const settings = () =>
      ['conntrack', 'expire_nodest_conn', 'expire_quiescent_template'].map((name) =>
        readSysctl(director, `net/ipv4/vs/${name}`),
      );
    expect(settings()).to.deep.equal(['1', '1', '1']);
    expect(ipvs.getTimeouts().tcp).to.equal(7200);
    ipvs.setTimeouts({ tcp: 900 });
    expect(open().sync(desired)).to.deep.equal({ operations: 1 });
    expect(open().sync(desired)).to.deep.equal({ operations: 0 });
  });

  const damages: Record<string, () => void> = {
    'everything deleted': () => ipvs.flush(),
    'a service of somebody else': () => ipvs.addService({ ...key, port: 99, scheduler: 'rr' }),
    'a firewall-mark service': () => ipvs.addService({ ...key, fwmark: 7, scheduler: 'rr' }),
    'another scheduler': () => ipvs.setService({ ...key, scheduler: 'wlc' }),
    persistence: () => ipvs.setService({ ...key, scheduler: 'rr', persistenceTimeoutSeconds: 60 }),
    flags: () => ipvs.setService({ ...key, scheduler: 'rr', flags: ipvsServiceFlags.onePacket }),
    'another weight': () => ipvs.setDestination(key, { address: '10.77.0.11', port: 30080, weight: 9 }),
    'another way of forwarding': () =>
      ipvs.setDestination(key, { address: '10.77.0.11', port: 30080, weight: 1, forwarding: 'direct' }),
    'a limit of connections': () =>
      ipvs.setDestination(key, { address: '10.77.0.11', port: 30080, weight: 1, upperThreshold: 5 }),
    'a real server of somebody else': () => ipvs.addDestination(key, { address: '10.77.0.99', port: 1, weight: 1 }),
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`repairs and counts: ${what}`, () => {
      const forwarder = open();
      forwarder.sync(desired);
      damage();
      expect(forwarder.audit().repaired).to.be.greaterThan(0);
      finishDrains(forwarder);
      expect(forwarder.audit()).to.deep.equal({ repaired: 0 });
      expect(forwarder.read()).to.deep.equal([web]);
      expect(forwarder.sync(desired)).to.deep.equal({ operations: 0 });
      expect(ipvs.services()).to.have.length(1);
    });
  }

  it('says what the kernel refused, keeps the rest, and goes on from what the kernel has', () => {
    const forwarder = open();
    const other = { ...web, port: 81, scheduler: 'nosuch' };
    expect(() => forwarder.sync({ vips, virtualServers: [web, other] }))
      .to.throw(/3 of 6 changes .*10\.77\.0\.200:81\/tcp.*no such scheduler/s)
      .with.property('code', 'FL_PARTLY_APPLIED');
    expect(forwarder.sync({ vips, virtualServers: [web, { ...other, scheduler: 'rr' }] }).operations).to.equal(3);
  });

  it('is what `auto` chooses', () => {
    expect(open('auto').kind).to.equal('ipvs');
  });

  it('takes over from the nftables forwarder, and hands back to it', () => {
    const nft = new NftCommand(director);
    open('nftables').sync(desired);
    open('ipvs').sync(desired);
    expect(nft.listTable('inet', 'fairlead-forward')).to.equal(undefined);
    expect(open('ipvs').sync(desired)).to.deep.equal({ operations: 0 });
    open('nftables').sync(desired);
    expect(ipvs.services()).to.deep.equal([]);
    expect(open('nftables').read()).to.deep.equal([web]);
  });
});

/** Nothing is connected here: the second look finds that. */
function finishDrains(forwarder: Forwarder): void {
  forwarder.tend(0);
  expect(forwarder.tend(1_000)).to.deep.equal({ draining: 0 });
}
