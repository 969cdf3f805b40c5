import { readFileSync, writeFileSync } from 'node:fs';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns, listNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import type { DesiredChange, DesiredState } from '../forwarder.js';
import { NftCommand } from '../nft.js';
import { Director, type DirectorOptions } from './director.js';
import { directorLink } from './link.js';

const hostNetns = `fl-host-${process.pid}`;
const name = `fl-dir-${process.pid}`;
const options: DirectorOptions = { name, hostNetns };

const desired: DesiredState = {
  vips: ['10.77.0.200', '10.77.0.201', 'fd00:77::200'],
  virtualServers: [
    { address: '10.77.0.200', port: 80, protocol: 'tcp', scheduler: 'rr', realServers: [] },
    { address: '10.77.0.200', port: 53, protocol: 'udp', scheduler: 'rr', realServers: [] },
    { address: 'fd00:77::200', port: 80, protocol: 'sctp', scheduler: 'rr', realServers: [] },
  ],
};

function sysctl(netns: string, path: string, value?: string): string {
  return inNetns(netns, () => {
    if (value !== undefined) writeFileSync(`/proc/sys/net/${path}`, value);
    return readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
  });
}

describe('director', function () {
  this.timeout(60_000);
  let host: Rtnetlink;
  const closing: { close(): void }[] = [];
  const opened = <T extends { close(): void }>(thing: T): T => {
    closing.push(thing);
    return thing;
  };
  const ensure = (more: Partial<DirectorOptions> = {}) => opened(Director.ensure({ ...options, ...more }));
  const inside = () => opened(new Rtnetlink({ netns: name }));

  beforeEach(() => {
    createNetns(hostNetns);
    sysctl(hostNetns, 'ipv4/ip_forward', '1');
    sysctl(hostNetns, 'ipv4/conf/all/rp_filter', '1');
    host = opened(new Rtnetlink({ netns: hostNetns }));
  });
  afterEach(() => {
    for (const thing of closing.splice(0)) thing.close();
    for (const netns of [hostNetns, name]) if (listNetns().includes(netns)) deleteNetns(netns);
  });

  it('is a namespace, joined to the host by a pair of interfaces that both know', () => {
    expect(ensure({ mtu: 1400 }).changes).to.be.greaterThan(0);
    const link = directorLink();
    const there = inside();
    for (const [rtnetlink, own, other] of [
      [host, link.host, link.director],
      [there, link.director, link.host],
    ] as const) {
      const end = rtnetlink.link(own.name)!;
      expect(end).to.include({ up: true, mtu: 1400, kind: 'veth', address: own.mac });
      const addresses = rtnetlink.addresses({ index: end.index }).map(({ address }) => address);
      expect(addresses).to.include.members([own.ipv4, own.ipv6]);
      const neighbours = rtnetlink.neighbours({ index: end.index }).filter(({ state }) => state === 'permanent');
      expect(neighbours.map(({ address }) => address)).to.have.members([other.ipv4, other.ipv6]);
    }
    expect(there.link('lo')!.up).to.equal(true);
  });

  it('is adopted as it is by the next process', () => {
    ensure().sync(desired);
    const next = ensure();
    expect(next.changes).to.equal(0);
    expect(next.sync(desired)).to.deep.equal({ operations: 0 });
    expect(next.vips()).to.deep.equal(desired.vips);
  });

  it('changes by as much as differs', () => {
    const director = ensure();
    expect(director.sync({ vips: [], virtualServers: [] }).operations).to.equal(0);
    director.sync(desired);
    // one port; then one VIP: an address and an element
    const lessPorts = { ...desired, virtualServers: desired.virtualServers.slice(1) };
    expect(director.sync(lessPorts).operations).to.equal(1);
    expect(
      director.sync({ ...lessPorts, vips: desired.vips.filter((vip) => vip !== '10.77.0.201') }).operations,
    ).to.equal(2);
    expect(director.vips()).to.deep.equal(['10.77.0.200', 'fd00:77::200']);
    expect(director.sync(desired).operations).to.equal(3);
    director.sync({ vips: [], virtualServers: [] });
    expect(director.vips()).to.deep.equal([]);
  });

  it('changes by what it is told has changed, and ends where a whole state would have led', () => {
    const director = ensure();
    expect(() => director.update({ changed: [], removed: [], addedVips: [], removedVips: [] }))
      .to.throw(/before its first sync/)
      .with.property('code', 'FL_NOT_SYNCED');
    director.sync(desired);
    const [web, dns, six] = desired.virtualServers;
    const restricted = { ...web!, sourceRanges: ['10.0.0.0/8', '192.0.2.0/24'] };
    const change = (more: Partial<DesiredChange>) =>
      director.update({ changed: [], removed: [], addedVips: [], removedVips: [], ...more }).operations;
    expect(change({})).to.equal(0);
    expect(change({ changed: [web!, six!] }), 'the same again').to.equal(0);
    expect(change({ changed: [restricted] }), 'no longer open; restricted; two ranges').to.equal(4);
    expect(change({ changed: [{ ...restricted, sourceRanges: ['10.0.0.0/9'] }] }), 'three ranges').to.equal(3);
    expect(change({ removed: [dns!], removedVips: ['10.77.0.201'], addedVips: ['10.77.0.202'] })).to.equal(5);

    const whole = {
      vips: ['10.77.0.200', '10.77.0.202', 'fd00:77::200'],
      virtualServers: [{ ...restricted, sourceRanges: ['10.0.0.0/9'] }, six!],
    };
    expect(director.audit()).to.deep.equal({ repaired: 0 });
    expect(ensure().sync(whole)).to.deep.equal({ operations: 0 });
  });

  it('takes up a change after one that the kernel refused', () => {
    const director = ensure();
    director.sync(desired);
    new NftCommand(name).run('delete table inet fairlead');
    const change = { changed: [], removed: [], addedVips: ['10.77.0.209'], removedVips: [] };
    expect(() => director.update(change)).to.throw();
    expect(director.update({ ...change, addedVips: ['10.77.0.210'] }).operations).to.be.greaterThan(2);
    expect(director.vips()).to.include.members(['10.77.0.209', '10.77.0.210']);
    expect(director.sync({ ...desired, vips: director.vips() })).to.deep.equal({ operations: 0 });
  });

  it('keeps apart who may connect, for nft to show', () => {
    const director = ensure();
    const [web] = desired.virtualServers;
    director.sync({ ...desired, virtualServers: [{ ...web!, sourceRanges: ['10.0.0.0/8', '192.0.2.1/32'] }] });
    const sets = new NftCommand(name)
      .listTable('inet', 'fairlead')!
      .flatMap(({ set }) => (set ? [set as { name: string; elem?: unknown[] }] : []))
      .filter(({ elem }) => elem);
    expect(sets.map((set) => set.name)).to.have.members(['vips4', 'vips6', 'restricted4', 'sources4']);
    expect(sets.find((set) => set.name === 'sources4')!.elem).to.have.length(2);
  });

  it('changes nothing on the host but its own interface', () => {
    const before = ['all', 'default', 'lo'].map((which) => sysctl(hostNetns, `ipv4/conf/${which}/rp_filter`));
    ensure();
    expect(['all', 'default', 'lo'].map((which) => sysctl(hostNetns, `ipv4/conf/${which}/rp_filter`))).to.deep.equal(
      before,
    );
    expect(sysctl(hostNetns, 'ipv4/conf/fairlead0/rp_filter')).to.equal('2');
    expect(
      host
        .links()
        .map((link) => link.name)
        .sort(),
    ).to.include.members(['fairlead0', 'lo']);
  });

  it('has the kernel settings that forwarding needs, and restores them', () => {
    ensure();
    for (const [path, value] of [
      ['ipv4/ip_forward', '1'],
      ['ipv4/conf/all/send_redirects', '0'],
      ['netfilter/nf_conntrack_tcp_be_liberal', '1'],
    ] as const) {
      expect(sysctl(name, path), path).to.equal(value);
      sysctl(name, path, value === '1' ? '0' : '1');
    }
    expect(ensure().changes).to.equal(3);
    expect(sysctl(name, 'netfilter/nf_conntrack_tcp_be_liberal')).to.equal('1');
  });

  /** What another release would leave. */
  const anotherEdition = () => {
    const chains = new NftCommand(name).listTable('inet', 'fairlead')!.flatMap(({ chain }) => (chain ? [chain] : []));
    const own = (chains as { name: string }[]).find((chain) => chain.name.startsWith('edition-'))!.name;
    return `delete chain inet fairlead ${own}; add chain inet fairlead edition-0`;
  };
  const damages: Record<string, () => void> = {
    'its interface deleted': () => host.deleteLink(host.link('fairlead0')!.index),
    'its interface switched off': () => host.setLink(host.link('fairlead0')!.index, { up: false }),
    'another MTU': () => host.setLink(host.link('fairlead0')!.index, { mtu: 1300 }),
    'no default route': () => inside().deleteRoute({ family: 'ipv4', destination: '0.0.0.0', prefixLength: 0 }),
    'lo switched off': () => inside().setLink(1, { up: false }),
    'its rules deleted': () => new NftCommand(name).run('flush ruleset'),
    'one chain emptied': () => new NftCommand(name).run('flush chain inet fairlead forward'),
    'rules of another edition': () => new NftCommand(name).run(`${anotherEdition()}; flush chain inet fairlead input`),
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`is mended: ${what}`, () => {
      ensure().sync(desired);
      damage();
      const mended = ensure();
      expect(mended.changes).to.be.greaterThan(0);
      mended.sync(desired);
      const next = ensure();
      expect(next.changes).to.equal(0);
      expect(next.sync(desired).operations).to.equal(0);
    });
  }

  const drifts: Record<string, [() => void, number]> = {
    'a VIP removed': [() => inside().deleteAddress({ index: 1, address: '10.77.0.200', prefixLength: 32 }), 1],
    'a VIP too many': [() => inside().addAddress({ index: 1, address: '10.77.0.250', prefixLength: 32 }), 1],
    'a port closed': [() => nft('delete element inet fairlead services4 { 10.77.0.200 . 6 . 80 }'), 1],
    'a port opened': [() => nft('add element inet fairlead services4 { 10.77.0.200 . 6 . 22 }'), 1],
    'a client let in': [() => nft('add element inet fairlead sources4 { 10.77.0.200 . 6 . 80 . 10.0.0.0/8 }'), 1],
    'SNAT to elsewhere': [
      () =>
        nft(
          'delete element inet fairlead snat4 { 10.77.0.200 }; add element inet fairlead snat4 { 10.77.0.200 : 10.77.0.9 }',
        ),
      2,
    ],
    'all elements gone': [() => nft('flush set inet fairlead vips4; flush set inet fairlead services4'), 4],
    'a kernel setting': [() => sysctl(name, 'netfilter/nf_conntrack_tcp_be_liberal', '0'), 1],
    'the interface off': [() => host.setLink(host.link('fairlead0')!.index, { up: false }), 4],
    'a rule deleted': [() => nft('flush chain inet fairlead input'), 1],
  };
  const nft = (script: string) => new NftCommand(name).run(script);
  for (const [what, [damage, repairs]] of Object.entries(drifts)) {
    it(`finds and repairs when asked to look: ${what}`, () => {
      const director = ensure();
      director.sync(desired);
      expect(director.audit()).to.deep.equal({ repaired: 0 });
      expect(director.audit()).to.deep.equal({ repaired: 0 });
      damage();
      expect(director.audit()).to.deep.equal({ repaired: repairs });
      expect(director.audit()).to.deep.equal({ repaired: 0 });
      expect(ensure().sync(desired)).to.deep.equal({ operations: 0 });
    });
  }

  it('says so when its namespace is gone, or another one has taken its name', () => {
    const director = ensure();
    director.sync(desired);
    deleteNetns(name);
    expect(() => director.audit())
      .to.throw(/was removed/)
      .with.property('code', 'FL_NO_DIRECTOR');
    createNetns(name);
    expect(() => director.audit())
      .to.throw(/was replaced/)
      .with.property('code', 'FL_NO_DIRECTOR');
  });

  it('is as wide as the uplink, also when that changes', () => {
    const { index } = host.addVeth({ name: 'uplink', mtu: 9000, peer: { name: 'lan' } });
    host.setLink(index, { up: true });
    host.addAddress({ index, address: '10.77.0.11', prefixLength: 24 });
    const director = ensure();
    const mtus = () => [host.link('fairlead0')!.mtu, inside().link('eth0')!.mtu];
    expect(mtus()).to.deep.equal([9000, 9000]);
    host.setLink(index, { mtu: 1400 });
    expect(director.audit()).to.deep.equal({ repaired: 2 });
    expect(mtus()).to.deep.equal([1400, 1400]);
    host.setLink(index, { mtu: 1500 });
    expect(director.sync({ vips: [], virtualServers: [] })).to.deep.equal({ operations: 2 });
    expect(mtus()).to.deep.equal([1500, 1500]);
  });

  it('lets its node in where one of the node’s addresses may, also when those change', () => {
    const { index } = host.addVeth({ name: 'uplink', peer: { name: 'lan' } });
    const director = ensure();
    const [web] = desired.virtualServers;
    director.sync({ ...desired, virtualServers: [{ ...web!, sourceRanges: ['10.77.0.0/24'] }] });
    expect(director.follow()).to.deep.equal({ operations: 0 });
    host.addAddress({ index, address: '10.77.0.11', prefixLength: 24 });
    expect(director.follow()).to.deep.equal({ operations: 1 });
    expect(director.follow()).to.deep.equal({ operations: 0 });
    host.deleteAddress({ index, address: '10.77.0.11', prefixLength: 24 });
    expect(director.audit()).to.deep.equal({ repaired: 1 });
  });

  it('counts, for each rule and for connection tracking', () => {
    const { rules, connections } = ensure().counters();
    expect(rules.in_refused).to.deep.equal({ packets: 0n, bytes: 0n });
    expect(Object.keys(rules)).to.include.members(['in_source_refused', 'forward_open', 'snat_connections']);
    expect(connections).to.include({ entries: 0, insertFailed: 0, dropped: 0, earlyDropped: 0 });
    expect(connections.maximum).to.be.greaterThan(0);
  });

  it('leaves a table of its name alone that somebody else made', () => {
    createNetns(name);
    nft('add table inet fairlead; add chain inet fairlead mine; add rule inet fairlead mine counter');
    expect(() => ensure())
      .to.throw(/has an nftables table inet fairlead that Fairlead has not made/)
      .with.property('code', 'FL_FOREIGN_TABLE');
    const chains = new NftCommand(name).listTable('inet', 'fairlead')!.filter((object) => 'chain' in object);
    expect(chains).to.have.length(1);
  });

  for (const wrong of ['../x', '', '.', '..', 'a/b', '-x', 'a b', 'x'.repeat(65)]) {
    it(`refuses to be named "${wrong}"`, () => {
      expect(() => ensure({ name: wrong }))
        .to.throw(/cannot be the name of a director/)
        .with.property('code', 'FL_BAD_NAME');
    });
  }

  it('keeps the elements of its sets when its rules are of another edition', () => {
    ensure().sync(desired);
    new NftCommand(name).run(`flush chain inet fairlead forward; ${anotherEdition()}`);
    expect(ensure().sync(desired).operations).to.equal(0);
  });

  it('mends its rules also after a reading', () => {
    const director = ensure();
    director.sync(desired);
    new NftCommand(name).run('delete table inet fairlead');
    director.vips();
    expect(director.sync(desired).operations).to.be.greaterThan(0);
    expect(ensure().changes).to.equal(0);
  });

  it('is made inside a namespace that is empty, because somebody was interrupted', () => {
    createNetns(name);
    ensure();
    expect(host.link('fairlead0')).to.not.equal(undefined);
  });

  it('leaves a namespace of its name alone that is in use', () => {
    createNetns(name);
    const there = inside();
    there.addVeth({ name: 'eth0', peer: { name: 'somewhere' } });
    there.setLink(there.link('eth0')!.index, { up: true });
    expect(() => ensure())
      .to.throw(/eth0 does not lead to fairlead0/)
      .with.property('code', 'FL_FOREIGN_NETNS');
    expect(host.link('fairlead0')).to.equal(undefined);
  });

  it('leaves an interface of its name alone that leads elsewhere', () => {
    host.addVeth({ name: 'fairlead0', peer: { name: 'somewhere' } });
    expect(() => ensure())
      .to.throw(/fairlead0 .*does not lead to the director/)
      .with.property('code', 'FL_FOREIGN_INTERFACE');
    expect(listNetns()).to.not.include(name);
  });

  it('does not take addresses that the host uses already', () => {
    const { index } = host.addVeth({ name: 'other', peer: { name: 'there' } });
    host.addAddress({ index, address: '169.254.77.3', prefixLength: 24 });
    expect(() => ensure())
      .to.throw(/169\.254\.77\.3\/24/)
      .with.property('code', 'FL_LINK_ADDRESS_TAKEN');
  });

  it('needs a host that forwards, and names the setting', () => {
    sysctl(hostNetns, 'ipv4/ip_forward', '0');
    expect(() => ensure())
      .to.throw(/net\.ipv4\.ip_forward is 0/)
      .with.property('code', 'FL_HOST_SYSCTL');
    expect(sysctl(hostNetns, 'ipv4/ip_forward')).to.equal('0');
    expect(listNetns()).to.not.include(name);
  });

  it('works on a host without IPv6, for IPv4', () => {
    sysctl(hostNetns, 'ipv6/conf/default/disable_ipv6', '1');
    sysctl(hostNetns, 'ipv6/conf/all/disable_ipv6', '1');
    ensure();
    expect(ensure().changes).to.equal(0);
  });
});
