/**
 * The way of real traffic where it is long, narrow or being rebuilt: clients beyond routers, packets that are too long
 * for a link on the way, wide uplinks, SCTP, and Services whose real servers are replaced one by one. One suite, run against each engine;
 * compliance.ts has what any forwarder must do on a plain LAN.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { DesiredState, Forwarder, VirtualServer } from '@fairlead/ipvs';
import { inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import type { Held, Host } from './host.js';
import { hasSctp, SctpEcho, sctpAsk } from './sctp.js';
import { Speaker } from './speaker.js';
import { NODE_PORT, PLAIN_NODE_PORT, Topology } from './topology.js';

const VIP = '10.77.0.200';
const VIP6 = 'fd00:77::200';
const FAMILIES = [
  ['IPv4', VIP, 0],
  ['IPv6', VIP6, 1],
] as const;

const LAN_MTU = 9000;
/** Of the link between the routers: no TCP end knows of it. */
const NARROW_MTU = 1400;
const MEGABYTE = 'x'.repeat(2 ** 20);
const ALL = ['n1', 'n2', 'n3'];

export function describeLongPath(kind: Forwarder['kind']): void {
  const topology = new Topology(`fl-p${kind.slice(0, 2)}-${process.pid}`, { lanMtu: LAN_MTU });
  const speakers: Speaker[] = [];
  let owner: Speaker;
  let outside: Host;

  /** Port 80 leads through kube-proxy to pods, 81 to servers on the nodes. */
  const virtualServers = (nodes: readonly string[]): VirtualServer[] =>
    FAMILIES.flatMap(([, address, index]) =>
      (['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
        [
          [80, NODE_PORT],
          [81, PLAIN_NODE_PORT],
        ].map(([port, nodePort]) => ({
          address,
          port: port!,
          protocol,
          scheduler: 'rr',
          realServers: topology.nodes
            .filter(({ name }) => nodes.includes(name))
            .map(({ addresses }) => ({ address: addresses[index]!, port: nodePort!, weight: 1 })),
        })),
      ),
    );
  const desired = (nodes: readonly string[] = ALL): DesiredState => ({
    vips: [VIP, VIP6],
    virtualServers: virtualServers(nodes),
  });

  before(async function () {
    this.timeout(300_000);
    await topology.start();
    outside = await topology.addOutside(NARROW_MTU);
    for (const node of topology.nodes) speakers.push(new Speaker(node, kind, { mtu: LAN_MTU }));
    owner = speakers[0]!;
    for (const speaker of speakers) speaker.program(desired());
    owner.claim();
    for (const vip of [VIP, VIP6]) topology.announce(vip, owner.node);
  });

  after(async function () {
    this.timeout(60_000);
    for (const speaker of speakers) speaker.close();
    await topology.stop();
  });

  for (const [family, vip] of FAMILIES) {
    it(`serves a client beyond routers, by TCP and UDP (${family})`, async () => {
      expect(await outside.askMany(3, vip, 80)).to.deep.equal({ pod1: 1, pod2: 1, pod3: 1 });
      const servers = [];
      for (let n = 0; n < 3; n++) servers.push((await outside.ask(vip, 80, { protocol: 'udp' })).server);
      expect(servers).to.have.members(['pod1', 'pod2', 'pod3']);
      expect(outside.ping(vip)).to.equal(true);
    });

    it(`serves datagrams to the owner itself, its pods, other nodes and their pods (${family})`, async () => {
      for (const host of [topology.nodes[0]!, topology.nodes[0]!.pod, topology.nodes[1]!, topology.nodes[1]!.pod]) {
        const servers = [];
        for (let n = 0; n < 3; n++) servers.push((await host.ask(vip, 80, { protocol: 'udp' })).server);
        expect(servers, `asked by ${host.name}`).to.have.members(['pod1', 'pod2', 'pod3']);
      }
    });

    it(`lets a pod reach itself through its own VIP (${family})`, async () => {
      const { pod } = topology.nodes[1]!;
      const answers = await pod.askMany(3, vip, 80);
      expect(answers[pod.name]).to.equal(1);
    });

    it(`carries a megabyte each way between wide links (${family})`, async () => {
      for (const port of [80, 81]) {
        for (let n = 0; n < 3; n++) await carriesMegabyte(topology.client, vip, port);
      }
    });

    it(`carries a megabyte each way although a link on the way is narrower than both ends think (${family})`, async () => {
      for (const port of [80, 81]) {
        const before = tooLongSaid(topology.routerNetns);
        for (let n = 0; n < 3; n++) {
          // Otherwise it would ask its peer for short segments, and there would be nothing to find out.
          forgetMtu(outside.netns);
          await carriesMegabyte(outside, vip, port);
        }
        expect(tooLongSaid(topology.routerNetns), 'packets that the router refused').to.be.greaterThan(before);
      }
    });

    it(`carries SCTP (${family})`, async function () {
      if (!hasSctp()) this.skip();
      const servers: SctpEcho[] = [];
      try {
        for (const { pod } of topology.nodes) servers.push(await SctpEcho.start(pod));
        const answers = [];
        for (let n = 0; n < 3; n++) answers.push(await sctpAsk(topology.client.netns, vip, 80));
        expect(answers).to.have.members(['pod1', 'pod2', 'pod3']);
        expect(await sctpAsk(outside.netns, vip, 80)).to.match(/^pod/);
      } finally {
        for (const server of servers) server.stop();
      }
    });
  }

  it('refuses no connection while one node after the other is taken out and put back, and keeps those that are open', async () => {
    const held: Held[] = [];
    for (let n = 0; n < 3; n++) held.push(await topology.client.hold(VIP, 80));
    expect(held.map(({ server }) => server)).to.have.members(['pod1', 'pod2', 'pod3']);
    let updated = false;
    const roll = async () => {
      for (const out of ALL) {
        const rest = ALL.filter((name) => name !== out);
        owner.update({ changed: virtualServers(rest) });
        expect(owner.forwarder.draining).to.be.greaterThan(0);
        // What connects from now on goes elsewhere; each of these is awaited by an answer.
        const { [out.replace('n', 'pod')]: taken } = await topology.client.askMany(6, VIP, 80);
        expect(taken, `new connections to ${out}`).to.equal(undefined);
        owner.forwarder.tend(performance.now());
        for (const { echo } of held) expect(await echo('still there')).to.equal('still there');
        owner.update({ changed: virtualServers(ALL) });
      }
      updated = true;
    };
    const connect = async (host: Host) => {
      let answered = 0;
      while (!updated) {
        await host.ask(VIP, 80);
        answered++;
      }
      return answered;
    };
    const [, ...answered] = await Promise.all([roll(), connect(outside), connect(topology.nodes[0]!.pod)]);
    for (const count of answered) expect(count).to.be.greaterThan(0);
    expect(owner.forwarder.draining).to.equal(0);
    expect(await topology.client.askMany(3, VIP, 80)).to.deep.equal({ pod1: 1, pod2: 1, pod3: 1 });
  });
}

async function carriesMegabyte(client: Host, vip: string, port: number): Promise<void> {
  const { server, echo, close } = await client.hold(vip, port);
  expect((await echo(MEGABYTE)).length, `by ${server}`).to.equal(MEGABYTE.length);
  await close();
}

/** What a host has learned of the ways to others. */
function forgetMtu(netns: string): void {
  for (const family of ['-4', '-6']) inNetns(netns, () => execFileSync('ip', [family, 'route', 'flush', 'cache']));
}

/** How often a router has told a sender that its packet was too long for the next link, in both families. */
function tooLongSaid(netns: string): number {
  const read = (name: string) => inNetns(netns, () => readFileSync(`/proc/thread-self/net/${name}`, 'utf8'));
  const [names = [], values = []] = read('snmp')
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '));
  const tooBig = /^Icmp6OutPktTooBigs\s+(\d+)/m.exec(read('snmp6'))?.[1];
  return Number(values[names.indexOf('OutDestUnreachs')]) + Number(tooBig);
}
