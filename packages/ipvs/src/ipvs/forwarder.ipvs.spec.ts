import { spawnSync } from 'node:child_process';
import { Ipvs, ipvsServiceFlags, Rtnetlink } from '@fairlead/netlink';
import { describeWithIpvs } from '@fairlead/netlink/testing';
import { createNetns, deleteNetns, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import fc from 'fast-check';
import { virtualServers } from '../arbitraries.spec.helpers.js';
import { createForwarder } from '../create-forwarder.js';
import { apply, diff } from '../diff.js';
import { readSysctl } from '../director/sysctls.js';
import {
  endpoint,
  type Forwarder,
  type SchedulerFlag,
  type VirtualServer,
  type VirtualServerKey,
  virtualServerName,
} from '../forwarder.js';
import { NftCommand } from '../nft.js';

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
    'everything deleted (ipvsadm -C)': () => void inNetns(director, () => spawnSync('ipvsadm', ['-C'])),
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

  const schedulings: [scheduler: string, flags: SchedulerFlag[], shown: string][] = [
    ['rr', [], 'rr'],
    ['wrr', [], 'wrr'],
    ['lc', [], 'lc'],
    ['wlc', [], 'wlc'],
    ['dh', [], 'dh'],
    ['sed', [], 'sed'],
    ['nq', [], 'nq'],
    ['sh', [], 'sh (sh-fallback)'],
    ['sh', ['sh-fallback', 'sh-port'], 'sh (sh-fallback,sh-port)'],
    ['mh', [], 'mh (mh-fallback)'],
    ['mh', ['mh-port'], 'mh (mh-fallback,mh-port)'],
  ];

  it('programs every scheduler and flag, persistence, protocol and family so that ipvsadm shows them', () => {
    const servers = schedulings.flatMap(([scheduler, flags], index) =>
      (['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
        ['10.77.0.200', 'fd00:77::200'].map((address): VirtualServer => {
          const host = address.includes(':') ? 'fd00:77::11' : '10.77.0.11';
          return {
            ...{ address, port: 8000 + index, protocol, scheduler, flags },
            ...(index % 2 === 0 ? { persistenceSeconds: 10_800 + index } : {}),
            realServers: [{ address: host, port: 30080, weight: index + 1 }],
          };
        }),
      ),
    );
    open().sync({ vips, virtualServers: servers });
    const { stdout } = inNetns(director, () => spawnSync('ipvsadm', ['-Ln'], { encoding: 'utf8' }));
    const shown = stdout.split('\n').map((line) => line.trim().split(/\s+/).join(' '));
    const expected = servers.flatMap(({ address, port, protocol, persistenceSeconds, realServers: [real] }, index) => {
      const name = endpoint(address, port);
      const persistent = persistenceSeconds ? ` persistent ${persistenceSeconds}` : '';
      return [
        `${protocol.toUpperCase()} ${name} ${schedulings[Math.floor(index / 6)]![2]}${persistent}`,
        `-> ${endpoint(real!.address, real!.port)} Masq ${real!.weight} 0 0`,
      ];
    });
    expect(shown).to.include.members(expected);
    expect(shown.filter((line) => /^(TCP|UDP|SCTP|FWM) /.test(line))).to.have.length(servers.length);
    expect(open().sync({ vips, virtualServers: servers })).to.deep.equal({ operations: 0 });
  });

  for (const scheduler of ['mh', 'sh', 'dh']) {
    it(`gives the kernel the list that ${scheduler} builds its table from in one order, whatever came first`, () => {
      const hashed = (...nodes: number[]): VirtualServer => ({
        ...web,
        scheduler,
        realServers: nodes.map((node) => ({ address: `10.77.0.${node}`, port: 30080, weight: 1 })),
      });
      const forwarder = open();
      forwarder.sync({ vips, virtualServers: [hashed(13, 15)] });
      for (const nodes of [
        [12, 13, 15],
        [12, 15],
        [11, 12, 14, 15],
        [11, 12, 13, 14, 15],
      ]) {
        forwarder.update({ changed: [hashed(...nodes)], removed: [], addedVips: [], removedVips: [] });
        finishDrains(forwarder);
      }
      const newestFirst = ipvs.destinations(key).map(({ address }) => address);
      expect(newestFirst).to.deep.equal([15, 14, 13, 12, 11].map((node) => `10.77.0.${node}`));
      expect(readSysctl(director, 'net/ipv4/vs/expire_nodest_conn')).to.equal('1');
      expect(open().sync({ vips, virtualServers: [hashed(11, 12, 13, 14, 15)] })).to.deep.equal({ operations: 0 });
    });
  }

  it('says what the kernel refused of one virtual server, programs all others, and tries again when audited', () => {
    const forwarder = open();
    const strange = { ...web, port: 81, scheduler: 'nosuch' };
    const unreachable = {
      ...web,
      port: 82,
      realServers: [...web.realServers, { ...web.realServers[0]!, address: '224.0.0.1' }],
    };
    forwarder.sync({ vips, virtualServers: [web, strange, unreachable] });
    expect(forwarder.refused.map(({ virtualServer: { port } }) => port)).to.deep.equal([81, 82]);
    expect(forwarder.refused[0]!.message).to.match(/10\.77\.0\.200:81\/tcp.*no such scheduler/s);
    expect(forwarder.refused[1]!.message).to.match(/224\.0\.0\.1:30080 of 10\.77\.0\.200:82\/tcp.*unicast/s);
    expect(forwarder.read()).to.deep.equal([web, { ...web, port: 82 }]);
    expect(forwarder.audit()).to.deep.equal({ repaired: 0 });
    expect(forwarder.refused).to.have.length(2);
    const change = { removed: [], addedVips: [], removedVips: [] };
    forwarder.update({
      ...change,
      changed: [
        { ...strange, scheduler: 'rr' },
        { ...web, port: 82 },
      ],
    });
    expect(forwarder.refused).to.deep.equal([]);
    expect(forwarder.audit()).to.deep.equal({ repaired: 0 });
    expect(forwarder.read()).to.have.length(3);
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
