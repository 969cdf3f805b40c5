/**
 * Paths that take smaller packets than their ends believe, on either side of a director: with each engine and family, the
 * routers' "fragmentation needed" has to find its way through address translation to who sent too much.
 *
 *   far ══ 1300 ══ client ── lan ── n1 (owner) ── n2 ══ 1300 ══ pod2
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Director, type Forwarder, HostRoutes, OwnerRules } from '@fairlead/ipvs';
import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { Host } from './host.js';
import { NODE_PORT, type Node, Topology } from './topology.js';

const MTU = 1300;
const families = [
  {
    family: 'IPv4',
    vip: '10.77.0.200',
    realServer: '10.77.0.12',
    far: '10.88.0.2',
    router: '10.88.0.1',
    farNetwork: '10.88.0.0/24',
    client: '10.77.0.100',
    pod: '10.244.2.2',
    bits: 32,
  },
  {
    family: 'IPv6',
    vip: 'fd00:77::200',
    realServer: 'fd00:77::12',
    far: 'fd00:88::2',
    router: 'fd00:88::1',
    farNetwork: 'fd00:88::/64',
    client: 'fd00:77::100',
    pod: 'fd00:244:2::2',
    bits: 128,
  },
] as const;
/** Many full-sized packets, with one reply as long. */
const LINE = 'x'.repeat(1_000_000);

export function pathMtuCompliance(kind: Forwarder['kind'], open: (director: string) => Forwarder): void {
  const prefix = `fl-mtu${kind.slice(0, 1)}-${process.pid}`;
  const topology = new Topology(prefix);
  let owner: Node;
  let far: Host;
  let director: Director;
  const closing: { close(): void }[] = [];

  const ip = (netns: string, ...args: string[]) => execFileSync('ip', ['-n', netns, ...args]);
  const sysctl = (netns: string, path: string, value: string) =>
    inNetns(netns, () => writeFileSync(`/proc/sys/net/${path}`, value));
  const icmpErrors = () => {
    const { in_icmp_error: received, forward_icmp_error: forwarded } = director.counters().rules;
    return Number(received.packets + forwarded.packets);
  };

  before(async function () {
    this.timeout(300_000);
    await topology.start();
    const [first, second] = topology.nodes;
    owner = first!;
    const { netns: router } = topology.client;
    createNetns(`${prefix}-far`);
    const here = new Rtnetlink({ netns: router });
    const there = new Rtnetlink({ netns: `${prefix}-far` });
    const link = here.addVeth({ name: 'far', peer: { name: 'eth0', netns: `${prefix}-far` } });
    const end = there.link('eth0')!;
    here.setLink(link.index, { up: true });
    there.setLink(end.index, { up: true });
    for (const { family, far: address, router: gateway, farNetwork, client, pod, bits } of families) {
      const prefixLength = Number(farNetwork.split('/')[1]);
      here.addAddress({ index: link.index, address: gateway, prefixLength, noDad: true });
      there.addAddress({ index: end.index, address, prefixLength, noDad: true });
      const option = family === 'IPv4' ? '-4' : '-6';
      ip(`${prefix}-far`, option, 'route', 'add', 'default', 'via', gateway);
      for (const { netns } of topology.nodes) ip(netns, option, 'route', 'add', farNetwork, 'via', client);
      // The interfaces take more, and so the ends believe that all the way does.
      ip(router, option, 'route', 'add', `${address}/${bits}`, 'dev', 'far', 'mtu', 'lock', String(MTU));
      ip(second!.netns, option, 'route', 'add', `${pod}/${bits}`, 'dev', 'pods', 'mtu', 'lock', String(MTU));
    }
    here.close();
    there.close();
    sysctl(router, 'ipv4/ip_forward', '1');
    sysctl(router, 'ipv6/conf/all/forwarding', '1');
    far = new Host('far', `${prefix}-far`);

    const hostNetns = owner.netns;
    director = Director.ensure({ name: owner.director, hostNetns });
    const forwarder = open(owner.director);
    const routes = new HostRoutes({ hostNetns });
    const rules = new OwnerRules({ hostNetns });
    closing.push(director, forwarder, routes, rules);
    const desired = {
      vips: families.map(({ vip }) => vip),
      virtualServers: families.map(({ vip, realServer }) => ({
        address: vip,
        port: 80,
        protocol: 'tcp' as const,
        scheduler: 'rr',
        realServers: [{ address: realServer, port: NODE_PORT, weight: 1 }],
      })),
    };
    director.sync(desired);
    forwarder.sync(desired);
    routes.sync([{ index: 0, vips: desired.vips }]);
    rules.claim(0);
    for (const vip of desired.vips) topology.announce(vip, owner);
  });
  after(async function () {
    this.timeout(60_000);
    for (const part of closing) part.close();
    await far?.close();
    await topology.stop();
  });

  for (const { family, vip } of families) {
    for (const [from, host] of [
      ['a client on the LAN, whose requests are too large for the way to the pod', () => topology.client],
      ['a client beyond a router, for which replies are too large as well', () => far],
    ] as const) {
      it(`passes a megabyte each way for ${from} (${family})`, async () => {
        const before = icmpErrors();
        const held = await host().hold(vip, 80);
        expect(held.server).to.equal('pod2');
        expect((await held.echo(LINE)).length).to.equal(LINE.length);
        expect(icmpErrors(), 'somebody was told to send less').to.be.greaterThan(before);
      });
    }
  }
}
