import { readFileSync, writeFileSync } from 'node:fs';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns, listNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import type { DesiredState } from '../forwarder.js';
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

  const damages: Record<string, () => void> = {
    'its interface deleted': () => host.deleteLink(host.link('fairlead0')!.index),
    'its interface switched off': () => host.setLink(host.link('fairlead0')!.index, { up: false }),
    'another MTU': () => host.setLink(host.link('fairlead0')!.index, { mtu: 1300 }),
    'no default route': () => inside().deleteRoute({ family: 'ipv4', destination: '0.0.0.0', prefixLength: 0 }),
    'lo switched off': () => inside().setLink(1, { up: false }),
    'its rules deleted': () => new NftCommand(name).run('flush ruleset'),
    'one chain emptied': () => new NftCommand(name).run('flush chain inet fairlead forward'),
    'rules of another edition': () => new NftCommand(name).run('add chain inet fairlead edition-0'),
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

  it('keeps the elements of its sets when its rules are of another edition', () => {
    ensure().sync(desired);
    new NftCommand(name).run('flush chain inet fairlead forward; add chain inet fairlead edition-0');
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
