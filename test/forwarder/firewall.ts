/**
 * Who and what gets through a director, with real packets: one suite, run with each engine, because requests and
 * replies pass different chains with each. n1 owns the VIPs; every node is a real server.
 */
import { setTimeout } from 'node:timers/promises';
import {
  type DesiredState,
  Director,
  type FirewallCounters,
  type Forwarder,
  HostRoutes,
  OwnerRules,
  type VirtualServer,
} from '@fairlead/ipvs';
import { expect } from 'chai';
import { SILENCE_MS } from './host.js';
import { hasSctp, SctpEcho, sctpAsk } from './sctp.js';
import { NODE_PORT, PLAIN_NODE_PORT, Topology } from './topology.js';

const families = [
  {
    family: 'IPv4',
    vip: '10.77.0.200',
    client: '10.77.0.100/32',
    owner: '10.77.0.11/32',
    other: '10.77.0.12/32',
    stranger: '192.0.2.0/24',
    nodes: [1, 2, 3].map((n) => `10.77.0.${10 + n}`),
  },
  {
    family: 'IPv6',
    vip: 'fd00:77::200',
    client: 'fd00:77::100/128',
    owner: 'fd00:77::11/128',
    other: 'fd00:77::12/128',
    stranger: '2001:db8::/32',
    nodes: [1, 2, 3].map((n) => `fd00:77::${10 + n}`),
  },
] as const;
const KUBELET_PORT = 10_250;
const HEALTH_CHECK_NODE_PORT = 32_123;

export function firewallCompliance(kind: Forwarder['kind'], open: (director: string) => Forwarder): void {
  const topology = new Topology(`fl-fw${kind.slice(0, 1)}-${process.pid}`);
  let director: Director;
  let forwarder: Forwarder;
  let routes: HostRoutes;
  let rules: OwnerRules;

  /** Ports 80 (through kube-proxy) and 81 (a server on each node), by every protocol. */
  const desiredState = (sourceRanges?: readonly string[]): DesiredState => ({
    vips: families.map(({ vip }) => vip),
    virtualServers: families.flatMap(({ vip, nodes }) =>
      (['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
        ([80, 81] as const).map(
          (port): VirtualServer => ({
            address: vip,
            port,
            protocol,
            scheduler: 'rr',
            ...(sourceRanges && { sourceRanges }),
            realServers: nodes.map((address) => ({
              address,
              port: port === 80 ? NODE_PORT : PLAIN_NODE_PORT,
              weight: 1,
            })),
          }),
        ),
      ),
    ),
  });
  const allow = (sourceRanges?: readonly string[]) => {
    const desired = desiredState(sourceRanges);
    director.sync(desired);
    forwarder.sync(desired);
    routes.sync([{ index: 0, vips: desired.vips }]);
  };
  const counted = (name: keyof FirewallCounters['rules']) => Number(director.counters().rules[name].packets);
  /** Where requests are decided about: before IPVS takes them, or after nftables has translated them. */
  const requests = (what: 'open' | 'source_allowed' | 'source_refused') =>
    counted(`${kind === 'ipvs' ? 'in' : 'forward'}_${what}`);

  before(async function () {
    this.timeout(300_000);
    await topology.start();
    const [owner] = topology.nodes;
    const hostNetns = owner!.netns;
    director = Director.ensure({ name: owner!.director, hostNetns });
    forwarder = open(owner!.director);
    routes = new HostRoutes({ hostNetns });
    rules = new OwnerRules({ hostNetns });
    allow();
    rules.claim(0);
    for (const { vip } of families) topology.announce(vip, owner!);
    for (const port of [KUBELET_PORT, HEALTH_CHECK_NODE_PORT]) await owner!.listen(port);
  });
  after(async function () {
    this.timeout(60_000);
    for (const part of [director, forwarder, routes, rules]) part?.close();
    await topology.stop();
  });
  beforeEach(() => allow());

  for (const { family, vip, client, owner, other, stranger, nodes } of families) {
    describe(family, () => {
      for (const protocol of ['tcp', 'udp'] as const) {
        it(`lets in by ${protocol} who is in the source ranges, and nobody else`, async () => {
          allow([stranger, client]);
          const before = { allowed: requests('source_allowed'), refused: requests('source_refused') };
          await topology.client.ask(vip, 80, { protocol });
          expect(requests('source_allowed')).to.be.greaterThan(before.allowed);
          expect(await topology.nodes[1]!.failure(vip, 80, protocol)).to.equal('ETIMEDOUT');
          expect(requests('source_refused')).to.be.greaterThan(before.refused);
        });
      }

      it('lets in by sctp who is in the source ranges, and nobody else', async function () {
        if (!hasSctp()) this.skip();
        const servers: SctpEcho[] = [];
        try {
          for (const { pod } of topology.nodes) servers.push(await SctpEcho.start(pod));
          allow([client]);
          expect(await sctpAsk(topology.client.netns, vip, 80)).to.match(/^pod/);
          const before = requests('source_refused');
          // It would go on trying for minutes: what counts is that it was refused.
          const refused = sctpAsk(topology.nodes[1]!.netns, vip, 80).catch(() => 'nothing');
          while (requests('source_refused') === before) await setTimeout(20);
          allow([client, other]);
          expect(await refused, 'once it may').to.match(/^pod/);
        } finally {
          for (const server of servers) server.stop();
        }
      });

      it('lets in everyone again when the source ranges are taken away', async () => {
        allow([stranger]);
        expect(await topology.client.failure(vip, 80)).to.equal('ETIMEDOUT');
        allow();
        const before = requests('open');
        await topology.client.ask(vip, 80);
        expect(requests('open')).to.be.greaterThan(before);
      });

      it('takes ranges that overlap, that touch, and that leave nobody out', async () => {
        const everyone = [`${nodes[0]}/${family === 'IPv4' ? 32 : 128}`, '0.0.0.0/0', '::/0', stranger];
        for (const ranges of [[client, stranger, client], [other, owner, client], everyone]) {
          allow(ranges);
          await topology.client.ask(vip, 80);
        }
      });

      it('lets nobody of a family in whose ranges are all of the other family', async () => {
        allow([family === 'IPv4' ? '::/0' : '0.0.0.0/0']);
        expect(await topology.client.failure(vip, 80)).to.equal('ETIMEDOUT');
      });

      it('ends connections of clients that are no longer allowed, and no others', async () => {
        const [, second] = topology.nodes;
        const ended = await topology.client.hold(vip, 80);
        const kept = await second!.hold(vip, 80);
        expect(await ended.echo('before')).to.equal('before');
        allow([other]);
        const failure = await ended.echo('after', SILENCE_MS).catch(({ code }) => code);
        expect(failure).to.equal('ETIMEDOUT');
        expect(await kept.echo('after')).to.equal('after');
      });

      it('ends replies to a client that is no longer allowed', async () => {
        const held = await topology.client.hold(vip, 80);
        allow([stranger]);
        const before = counted('forward_source_refused') + counted('in_source_refused');
        await held.echo('after', SILENCE_MS).catch(({ code }) => code);
        expect(counted('forward_source_refused') + counted('in_source_refused')).to.be.greaterThan(before);
      });

      it('lets the owner and its pods in by the owner’s address, as on any other node', async () => {
        const [first, second] = topology.nodes;
        allow([owner]);
        for (const host of [first!, first!.pod]) await host.ask(vip, 80);
        expect(await second!.failure(vip, 80)).to.equal('ETIMEDOUT');
        allow([other]);
        for (const host of [second!, second!.pod]) await host.ask(vip, 80);
        for (const host of [first!, first!.pod]) expect(await host.failure(vip, 80)).to.equal('ETIMEDOUT');
      });

      it('answers ping whoever may connect', async () => {
        allow([stranger]);
        const before = counted('in_echo');
        expect(topology.client.ping(vip)).to.equal(true);
        expect(counted('in_echo')).to.be.greaterThan(before);
      });

      for (const [what, port] of [
        ['the kubelet', KUBELET_PORT],
        ['a healthCheckNodePort', HEALTH_CHECK_NODE_PORT],
      ] as const) {
        it(`does not let anybody through to ${what} of the owner`, async () => {
          expect((await topology.client.ask(nodes[0]!, port)).server).to.equal('n1');
          const before = counted('in_refused');
          expect(await topology.client.failure(vip, port)).to.equal('ETIMEDOUT');
          expect(await topology.nodes[0]!.failure(vip, port)).to.equal('ETIMEDOUT');
          expect(counted('in_refused')).to.be.greaterThan(before);
        });
      }

      it('gives two clients with the same port different ones towards the same real server', async () => {
        const localPort = 40_001;
        const hosts = [topology.client, topology.nodes[1]!, topology.nodes[2]!, topology.nodes[0]!];
        const desired = desiredState();
        const toOne = desired.virtualServers.map((server) => ({
          ...server,
          realServers: server.realServers.slice(0, 1),
        }));
        forwarder.sync({ ...desired, virtualServers: toOne });
        const before = counted('snat_connections');
        const held = [];
        for (const host of hosts) held.push(await host.hold(vip, 81, { localPort }));
        for (const [index, { seen, echo }] of held.entries()) {
          expect(seen).to.equal(vip);
          expect(await echo(`from ${index}`)).to.equal(`from ${index}`);
        }
        expect(counted('snat_connections') - before).to.equal(hosts.length);
      });
    });
  }
}
