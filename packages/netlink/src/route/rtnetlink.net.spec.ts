import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { NetlinkError } from '../errors.js';
import { ipJson, makeNetns, run } from '../netns.spec.helpers.js';
import { RTPROT_KERNEL } from './constants.js';
import type { Link } from './link.js';
import { Rtnetlink } from './rtnetlink.js';

/** What a synchronous call throws, as a NetlinkError. */
function refusal(call: () => unknown): NetlinkError {
  try {
    call();
  } catch (error) {
    if (error instanceof NetlinkError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('Rtnetlink on the running kernel', () => {
  let netns: ReturnType<typeof makeNetns>;
  let other: ReturnType<typeof makeNetns>;
  let rtnetlink: Rtnetlink;

  beforeEach(() => {
    netns = makeNetns();
    other = makeNetns();
    rtnetlink = new Rtnetlink({ netns: netns.name });
  });

  afterEach(() => {
    rtnetlink.close();
    netns.delete();
    other.delete();
  });

  const ip = (...args: string[]) => ipJson(netns.name, ...args);

  /** A veth pair inside the namespace, both ends up. */
  function cable(name = 'v0', peer = 'v1'): Link {
    const link = rtnetlink.addVeth({ name, peer: { name: peer } });
    rtnetlink.setLink(link.index, { up: true });
    rtnetlink.setLink(rtnetlink.link(peer)!.index, { up: true });
    return link;
  }

  describe('links', () => {
    it('lists what ip lists', () => {
      cable();
      rtnetlink.addBridge('br0');
      const shown = rtnetlink.links().map((link) => [link.index, link.name, link.mtu, link.address, link.kind]);
      expect(shown).to.deep.equal(
        ip('link').map((link) => [link.ifindex, link.ifname, link.mtu, link.address, link.linkinfo?.info_kind]),
      );
      expect(rtnetlink.link('lo')).to.include({ loopback: true, up: false, address: '00:00:00:00:00:00' });
    });

    it('makes a veth pair whose other end is born in another namespace', () => {
      const link = rtnetlink.addVeth({
        name: 'v0',
        address: '02:00:00:00:00:01',
        mtu: 1400,
        peer: { name: 'eth0', address: '02:00:00:00:00:02', netns: other.name },
      });
      expect(link).to.include({ name: 'v0', kind: 'veth', mtu: 1400, address: '02:00:00:00:00:01', up: false });
      const [peer] = ipJson(other.name, 'link', 'show', 'eth0');
      expect(peer).to.include({ address: '02:00:00:00:00:02', mtu: 1400, ifindex: link.peerIndex });
      expect(link.peerNetnsId).to.be.a('number');
    });

    it('takes a path as the name of a namespace', () => {
      rtnetlink.addVeth({ name: 'v0', peer: { name: 'eth0', netns: `/run/netns/${other.name}` } });
      expect(ipJson(other.name, 'link', 'show', 'eth0')).to.have.length(1);
    });

    it('changes state, address, MTU, alias, name and bridge in one go', () => {
      const { index } = rtnetlink.addVeth({ name: 'v0', peer: { name: 'v1' } });
      const bridge = rtnetlink.addBridge('br0');
      rtnetlink.setLink(index, {
        up: true,
        address: '02:00:00:00:00:09',
        mtu: 1300,
        alias: 'uplink',
        master: bridge.index,
      });
      expect(ip('link', 'show', 'v0')[0]).to.deep.include({
        address: '02:00:00:00:00:09',
        mtu: 1300,
        ifalias: 'uplink',
        master: 'br0',
      });
      expect(rtnetlink.link(index)).to.include({ up: true, alias: 'uplink', master: bridge.index, carrier: false });
      rtnetlink.setLink(index, { up: false });
      rtnetlink.setLink(index, { name: 'port0', alias: '', master: null });
      expect(rtnetlink.link('port0')).to.include({ index, up: false }).and.not.have.any.keys('alias', 'master');
    });

    it('leaves a link up when the change does not speak of it', () => {
      const { index } = cable();
      rtnetlink.setLink(index, { mtu: 1200 });
      expect(rtnetlink.link(index)).to.include({ up: true, carrier: true, operationalState: 'up', mtu: 1200 });
    });

    it('moves a link to another namespace', () => {
      const { index } = cable();
      rtnetlink.setLink(index, { netns: other.name });
      expect(rtnetlink.link('v0')).to.equal(undefined);
      expect(ipJson(other.name, 'link', 'show', 'v0')).to.have.length(1);
    });

    it('deletes a link, and its peer with it', () => {
      const { index } = cable();
      rtnetlink.deleteLink(index);
      expect(rtnetlink.links().map(({ name }) => name)).to.deep.equal(['lo']);
    });

    it('knows no link that is not there', () => {
      expect([rtnetlink.link('nosuch'), rtnetlink.link(4711)]).to.deep.equal([undefined, undefined]);
      expect(refusal(() => rtnetlink.deleteLink(4711))).to.include({ code: 'ENODEV', operation: 'delete link 4711' });
    });

    it("passes the kernel's own explanation on", () => {
      const { index } = cable();
      expect(refusal(() => rtnetlink.setLink(index, { mtu: 1 })).message).to.match(
        /^set link \d+ mtu 1: EINVAL: invalid argument \(kernel: mtu less than device minimum\)$/,
      );
    });

    it('names a namespace that does not exist', () => {
      const peer = { name: 'eth0', netns: 'fl-nosuch' };
      expect(refusal(() => rtnetlink.addVeth({ name: 'v0', peer })).message).to.match(
        /^open network namespace \/run\/netns\/fl-nosuch: ENOENT: no such file or directory/,
      );
      expect(() => new Rtnetlink({ netns: 'fl-nosuch' }))
        .to.throw(NetlinkError, 'network namespace fl-nosuch')
        .that.includes({ code: 'ENOENT' });
    });

    it('refuses a name that is taken', () => {
      cable();
      expect(refusal(() => rtnetlink.addBridge('v0'))).to.include({ code: 'EEXIST', operation: 'add bridge v0' });
    });
  });

  describe('addresses', () => {
    it('adds, lists and deletes both families as ip shows them', () => {
      const { index } = cable();
      rtnetlink.addAddress({ index, address: '10.9.0.1', prefixLength: 24 });
      rtnetlink.addAddress({ index, address: '2001:db8::1', prefixLength: 64, noDad: true });
      const shown = rtnetlink
        .addresses({ index })
        .filter(({ scope }) => scope === 0)
        .map((address) => [address.family, address.address, address.prefixLength, address.permanent]);
      expect(shown).to.deep.equal([
        ['ipv4', '10.9.0.1', 24, true],
        ['ipv6', '2001:db8::1', 64, true],
      ]);
      const byIp = ip('address', 'show', 'dev', 'v0')[0].addr_info;
      expect(rtnetlink.addresses({ index }).map(({ address }) => address)).to.have.members(
        byIp.map(({ local }: { local: string }) => local),
      );
      expect(rtnetlink.addresses({ index, family: 'ipv6' })[0]).to.include({
        address: '2001:db8::1',
        tentative: false,
      });
      rtnetlink.deleteAddress({ index, address: '10.9.0.1', prefixLength: 24 });
      expect(rtnetlink.addresses({ index, family: 'ipv4' })).to.deep.equal([]);
    });

    it('refuses one that is there, and deleting one that is not', () => {
      const address = { index: 1, address: '10.9.0.1', prefixLength: 32 };
      rtnetlink.addAddress(address);
      expect(refusal(() => rtnetlink.addAddress(address)).message).to.match(
        /^add address 10\.9\.0\.1\/32 on link 1: EEXIST: it exists already/,
      );
      rtnetlink.deleteAddress(address);
      expect(refusal(() => rtnetlink.deleteAddress(address)).code).to.equal('EADDRNOTAVAIL');
    });

    it('gives an address a lifetime, and extends it', () => {
      const address = { index: 1, address: '10.9.0.1', prefixLength: 32 };
      rtnetlink.addAddress({ ...address, validLifetimeSeconds: 100 });
      expect(rtnetlink.addresses({ index: 1 })[0]!.validLifetimeSeconds).to.be.within(1, 100);
      rtnetlink.replaceAddress({ ...address, validLifetimeSeconds: 1000 });
      expect(rtnetlink.addresses({ index: 1 })[0]).to.include({ permanent: false });
      expect(rtnetlink.addresses({ index: 1 })[0]!.validLifetimeSeconds).to.be.within(101, 1000);
    });

    it('adds thousands at once, and tells which were refused', () => {
      rtnetlink.setLink(1, { up: true });
      const addresses = Array.from({ length: 5000 }, (_, i) => ({
        index: 1,
        address: `10.${(i >> 16) + 1}.${(i >> 8) & 255}.${i & 255}`,
        prefixLength: 32,
      }));
      addresses[2500] = addresses[0]!;
      const failures = rtnetlink.addAddresses(addresses);
      expect(failures.map(({ index, error }) => [index, error.code])).to.deep.equal([[2500, 'EEXIST']]);
      expect(rtnetlink.addresses({ index: 1, family: 'ipv4' })).to.have.length(4999 + 1); // and 127.0.0.1
      expect(rtnetlink.deleteAddresses(addresses.slice(0, 2500))).to.deep.equal([]);
      expect(rtnetlink.addresses({ index: 1, family: 'ipv4' })).to.have.length(2500);
    }).timeout(60_000);

    it('loses no refusal when thousands are refused', () => {
      const nowhere = Array.from({ length: 10_000 }, () => ({ index: 4711, address: '10.9.0.1', prefixLength: 32 }));
      const failures = rtnetlink.addAddresses(nowhere);
      expect(failures.map(({ index }) => index)).to.deep.equal([...nowhere.keys()]);
      expect(new Set(failures.map(({ error }) => error.code))).to.deep.equal(new Set(['ENODEV']));
    }).timeout(60_000);
  });

  describe('routes', () => {
    it('replaces, lists and deletes as ip shows it', () => {
      const { index } = cable();
      rtnetlink.addAddress({ index, address: '10.9.0.1', prefixLength: 24 });
      rtnetlink.replaceRoute({ family: 'ipv4', destination: '10.20.0.0', prefixLength: 16, gateway: '10.9.0.2' });
      rtnetlink.replaceRoute({
        family: 'ipv4',
        destination: '0.0.0.0',
        prefixLength: 0,
        gateway: '10.9.0.3',
        metric: 5,
      });
      rtnetlink.replaceRoute({ family: 'ipv4', destination: '10.30.0.1', prefixLength: 32, index, source: '10.9.0.1' });
      expect(
        ip('-4', 'route').map((route) => [route.dst, route.gateway, route.scope, route.protocol]),
      ).to.have.deep.members([
        ['default', '10.9.0.3', 'global', 'static'],
        ['10.9.0.0/24', undefined, 'link', 'kernel'],
        ['10.20.0.0/16', '10.9.0.2', 'global', 'static'],
        ['10.30.0.1', undefined, 'link', 'static'],
      ]);
      const main = rtnetlink.routes({ family: 'ipv4', table: 254 });
      expect(main).to.have.length(4);
      expect(main.find(({ destination }) => destination === '0.0.0.0')).to.include({ metric: 5, prefixLength: 0 });
      expect(main.find(({ destination }) => destination === '10.30.0.1')).to.include({ index, source: '10.9.0.1' });
      expect(main.find(({ protocol }) => protocol === RTPROT_KERNEL)).to.include({ destination: '10.9.0.0' });
      rtnetlink.replaceRoute({ family: 'ipv4', destination: '10.20.0.0', prefixLength: 16, gateway: '10.9.0.4' });
      expect(ip('-4', 'route', 'show', '10.20.0.0/16')[0]).to.include({ gateway: '10.9.0.4' });
      for (const { destination, prefixLength, metric } of main) {
        rtnetlink.deleteRoute({ family: 'ipv4', destination, prefixLength, ...(metric ? { metric } : {}) });
      }
      expect(rtnetlink.routes({ family: 'ipv4', table: 254 })).to.deep.equal([]);
    });

    it('keeps tables with numbers above 255 apart, in both families', () => {
      const { index } = cable();
      // Without any local address the kernel takes every gateway for invalid.
      rtnetlink.setLink(1, { up: true });
      const v4 = { family: 'ipv4', destination: '10.40.0.1', prefixLength: 32, index, protocol: 99 } as const;
      const v6 = { family: 'ipv6', destination: '2001:db8:40::1', prefixLength: 128, index, protocol: 99 } as const;
      rtnetlink.replaceRoute({ ...v4, table: 7001 });
      rtnetlink.replaceRoute({ ...v4, table: 7002, gateway: '10.99.0.1', onlink: true });
      rtnetlink.replaceRoute({ ...v6, table: 7001 });
      rtnetlink.replaceRoute({ ...v6, table: 7002, gateway: 'fe80::1' });
      const shown = (table: number) => rtnetlink.routes({ table }).map(({ scope, ...route }) => route);
      expect(shown(7001)).to.deep.equal([
        { ...v4, table: 7001, type: 'unicast' },
        { ...v6, table: 7001, type: 'unicast', metric: 1024 },
      ]);
      expect(shown(7002)).to.deep.equal([
        { ...v4, table: 7002, type: 'unicast', gateway: '10.99.0.1', onlink: true },
        { ...v6, table: 7002, type: 'unicast', gateway: 'fe80::1', metric: 1024 },
      ]);
      expect(ip('route', 'show', 'table', '7002')[0]).to.deep.include({ flags: ['onlink'], gateway: '10.99.0.1' });
      expect(rtnetlink.routes({ table: 7003 })).to.deep.equal([]);
    });

    it('makes routes that forward nothing, and local ones', () => {
      rtnetlink.setLink(1, { up: true });
      for (const type of ['blackhole', 'unreachable', 'prohibit', 'throw', 'local'] as const) {
        for (const family of ['ipv4', 'ipv6'] as const) {
          const route = {
            family,
            destination: family === 'ipv4' ? '10.50.0.0' : '2001:db8:50::',
            prefixLength: 32,
            table: 300,
            type,
          };
          rtnetlink.replaceRoute(type === 'local' ? { ...route, index: 1 } : route);
          expect(rtnetlink.routes({ table: 300, family }).map((found) => found.type)).to.deep.equal([type]);
          rtnetlink.deleteRoute(route);
          expect(rtnetlink.routes({ table: 300, family })).to.deep.equal([]);
        }
      }
    });

    it('understands several next hops', () => {
      const { index } = cable();
      rtnetlink.addAddress({ index, address: '10.9.0.1', prefixLength: 24 });
      const hops = ['nexthop', 'via', '10.9.0.2', 'nexthop', 'via', '10.9.0.3', 'weight', '5'];
      run('ip', ['-n', netns.name, 'route', 'add', '10.60.0.0/16', ...hops]);
      const route = rtnetlink.routes({ table: 254 }).find(({ destination }) => destination === '10.60.0.0');
      expect(route?.nextHops).to.deep.equal([
        { index, gateway: '10.9.0.2', weight: 1 },
        { index, gateway: '10.9.0.3', weight: 5 },
      ]);
    });

    it('names route and reason when it is refused', () => {
      const error = refusal(() =>
        rtnetlink.replaceRoute({ family: 'ipv4', destination: '10.0.0.1', prefixLength: 32, index: 4711, table: 100 }),
      );
      expect(error.message).to.match(/^replace route 10\.0\.0\.1\/32 on link 4711 table 100: ENODEV: no such device/);
      const missing = { family: 'ipv6', destination: '2001:db8::', prefixLength: 32 } as const;
      expect(refusal(() => rtnetlink.deleteRoute(missing)).code).to.equal('ESRCH');
    });

    it('refuses a prefix length out of range, and an address of the other family', () => {
      const route = { family: 'ipv4', destination: '10.0.0.1', prefixLength: 33, index: 1 } as const;
      expect(() => rtnetlink.replaceRoute(route)).to.throw(RangeError, '10.0.0.1/33');
      expect(() => rtnetlink.replaceRoute({ ...route, prefixLength: 32, gateway: '::1' })).to.throw(TypeError, '::1');
    });

    it('replaces thousands at once', () => {
      const { index } = cable();
      const routes = Array.from({ length: 5000 }, (_, i) => ({
        family: 'ipv4' as const,
        destination: `10.70.${i >> 8}.${i & 255}`,
        prefixLength: 32,
        index,
        table: 4000,
      }));
      expect(rtnetlink.replaceRoutes(routes)).to.deep.equal([]);
      expect(rtnetlink.replaceRoutes(routes)).to.deep.equal([]);
      expect(rtnetlink.routes({ table: 4000 })).to.have.length(5000);
      expect(
        rtnetlink.deleteRoutes([...routes, routes[7]!]).map(({ index, error }) => [index, error.code]),
      ).to.deep.equal([[5000, 'ESRCH']]);
    }).timeout(60_000);
  });

  describe('rules', () => {
    it('adds, lists and deletes as ip shows it', () => {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const flag = family === 'ipv4' ? '-4' : '-6';
        const v4 = family === 'ipv4';
        const rule = {
          family,
          priority: 100,
          table: 7001,
          iifName: 'eth0',
          mark: 0x4000,
          mask: 0xc000,
          protocol: 99,
          source: { address: v4 ? '10.1.0.0' : '2001:db8:1::', prefixLength: v4 ? 16 : 48 },
          destination: { address: v4 ? '10.2.0.1' : '2001:db8:2::1', prefixLength: v4 ? 32 : 128 },
        };
        const plain = { family, priority: 101, table: 250, protocol: 99, invert: true, oifName: 'eth1' };
        rtnetlink.addRule(rule);
        rtnetlink.addRule({ ...plain, suppressPrefixLength: 0 });
        const byIp = ip(flag, 'rule', 'show');
        expect(byIp.find(({ priority }) => priority === 100)).to.include({
          src: rule.source.address,
          dst: rule.destination.address,
          iif: 'eth0',
          fwmark: '0x4000',
          fwmask: '0xc000',
          table: '7001',
        });
        expect(byIp.find(({ priority }) => priority === 101)).to.include({
          not: null,
          oif: 'eth1',
          suppress_prefixlen: 0,
        });
        const rules = rtnetlink.rules(family);
        expect(rules.map(({ priority }) => priority)).to.deep.equal(byIp.map(({ priority }) => priority));
        expect(rules.find(({ priority }) => priority === 100)).to.deep.equal({ ...rule, action: 'table' });
        expect(rules.find(({ priority }) => priority === 101)).to.deep.equal({
          ...plain,
          suppressPrefixLength: 0,
          action: 'table',
        });
        expect(refusal(() => rtnetlink.addRule(rule)).code).to.equal('EEXIST');
        rtnetlink.deleteRule(rule);
        rtnetlink.deleteRule({ ...plain, suppressPrefixLength: 0 });
        expect(rtnetlink.rules(family).filter(({ protocol }) => protocol === 99)).to.deep.equal([]);
        expect(refusal(() => rtnetlink.deleteRule(rule)).code).to.equal('ENOENT');
      }
    });

    it('adds and deletes many at once', () => {
      const rules = Array.from({ length: 64 }, (_, i) => ({
        family: 'ipv4' as const,
        priority: 100 + i,
        table: 7000 + i,
      }));
      expect(rtnetlink.addRules(rules)).to.deep.equal([]);
      expect(rtnetlink.rules('ipv4')).to.have.length(64 + 3);
      expect(rtnetlink.deleteRules(rules)).to.deep.equal([]);
      expect(rtnetlink.rules('ipv4')).to.have.length(3);
    });
  });

  describe('neighbours', () => {
    it('adds, replaces, lists and deletes as ip shows it', () => {
      const { index } = cable();
      for (const address of ['10.9.0.9', '2001:db8::9']) {
        rtnetlink.replaceNeighbour({ index, address, hardwareAddress: '02:00:00:00:00:07' });
        rtnetlink.replaceNeighbour({ index, address, hardwareAddress: '02:00:00:00:00:08', state: 'reachable' });
        expect(ip('neighbour', 'show', address)[0]).to.deep.include({
          lladdr: '02:00:00:00:00:08',
          state: ['REACHABLE'],
        });
        expect(rtnetlink.neighbours({ index }).find((neighbour) => neighbour.address === address)).to.include({
          hardwareAddress: '02:00:00:00:00:08',
          state: 'reachable',
          proxy: false,
        });
        rtnetlink.deleteNeighbour({ index, address });
        expect(rtnetlink.neighbours({ index }).filter(({ state }) => state === 'reachable')).to.deep.equal([]);
      }
    });

    it('keeps proxy entries apart', () => {
      const { index } = cable();
      for (const address of ['10.9.0.10', '2001:db8::10']) {
        rtnetlink.replaceNeighbour({ index, address, proxy: true });
        expect(rtnetlink.neighbours({ proxy: true }).map((entry) => [entry.index, entry.address])).to.deep.equal([
          [index, address],
        ]);
        expect(ip('neighbour', 'show', 'proxy').map(({ dst }) => dst)).to.deep.equal([address]);
        rtnetlink.deleteNeighbour({ index, address, proxy: true });
        expect(rtnetlink.neighbours({ proxy: true })).to.deep.equal([]);
      }
    });
  });

  it('reads without any privilege, with the socket buffers that everyone gets', function () {
    this.timeout(60_000);
    const module = import.meta.resolve('./rtnetlink.js');
    const program = `
      const { Rtnetlink } = await import(${JSON.stringify(module)});
      console.log(new Rtnetlink().links().map(({ name }) => name).join());`;
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all'];
    // A checkout in somebody's home is that somebody's alone.
    if (spawnSync('setpriv', [...nobody, '--', 'test', '-r', fileURLToPath(module)]).status !== 0) this.skip();
    const output = run('setpriv', [...nobody, '--', process.execPath, '--input-type=module', '-e', program]);
    expect(output.trim().split(',')).to.include('lo');
  });

  it('is closed for good', () => {
    rtnetlink.close();
    rtnetlink.close();
    expect(refusal(() => rtnetlink.links()).code).to.equal('EBADF');
  });
});
