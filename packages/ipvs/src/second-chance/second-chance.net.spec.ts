/**
 * What becomes of single TCP segments that a director does not know. One host with its director, and a station on a cable to it that
 * sends segments and sees every frame which comes back: it is the client, and the former owner.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Nftables, Rtnetlink } from '@fairlead/netlink';
import { constants, createNetns, deleteNetns, inNetns, listNetns, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { createForwarder } from '../create-forwarder.js';
import { Director } from '../director/director.js';
import { NftCommand } from '../nft.js';
import { DeadMansSwitch } from '../routes/dead-mans-switch.js';
import { HostRoutes } from '../routes/host-routes.js';
import { OwnerRules } from '../routes/owner-rules.js';
import { FormerOwners, type FormerOwnersOptions } from './former-owners.js';
import { CHANCE_GATEWAY, OFF_MARK } from './rules.js';
import { SecondChance } from './second-chance.js';
import { decodeSegment, encodeSegment, type Segment } from './segment.spec.helpers.js';

const hostNetns = `fl-chance-h-${process.pid}`;
const lanNetns = `fl-chance-l-${process.pid}`;
const name = `fl-chance-d-${process.pid}`;
const FORMER = '02:00:00:00:00:0f';
const INDEX = 7;
const PORT = 80;
const NODE_PORT = 30_080;
const VIPS = { ipv4: '10.77.0.200', ipv6: 'fd00:77::200' } as const;
const CLIENTS = { ipv4: '10.77.0.100', ipv6: 'fd00:77::100' } as const;
const HOSTS = { ipv4: '10.77.0.11', ipv6: 'fd00:77::11' } as const;
const REAL_SERVERS = { ipv4: '10.77.0.99', ipv6: 'fd00:77::99' } as const;
/** Longer than a segment takes through three namespaces on a busy machine, and waited for only where none may come. */
const QUIET_MS = 300;
const LONG_MS = 3_600_000;
const SHORT_MS = 200;
const MIDDLE_MS = 2_000;
const LIVES = [
  { aliveMs: LONG_MS, everyMs: 1_000 },
  { aliveMs: SHORT_MS, everyMs: 20 },
  { aliveMs: MIDDLE_MS, everyMs: 100 },
];
const HELD_SECONDS = 1;

describe('a TCP segment that the director of its VIP’s owner does not know', function () {
  this.timeout(60_000);
  const closing: { close(): void }[] = [];
  const opened = <T extends { close(): void }>(thing: T): T => {
    closing.push(thing);
    return thing;
  };
  let uplink: { name: string; index: number; mac: string };
  let station: string;
  let socket: RawSocket;
  let chance: SecondChance;
  let former: FormerOwners;
  let held: DeadMansSwitch;

  before(() => {
    for (const netns of [hostNetns, lanNetns]) createNetns(netns);
    inNetns(hostNetns, () => {
      writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
      writeFileSync('/proc/sys/net/ipv4/conf/all/rp_filter', '1');
      writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
    });
    const host = opened(new Rtnetlink({ netns: hostNetns }));
    const lan = opened(new Rtnetlink({ netns: lanNetns }));
    const end = host.addVeth({ name: 'eth0', peer: { name: 'eth0', netns: lanNetns } });
    const other = lan.link('eth0')!;
    host.setLink(end.index, { up: true });
    lan.setLink(other.index, { up: true });
    host.addAddress({ index: end.index, address: HOSTS.ipv4, prefixLength: 24 });
    host.addAddress({ index: end.index, address: HOSTS.ipv6, prefixLength: 64, noDad: true });
    for (const address of [CLIENTS, REAL_SERVERS].flatMap((both) => Object.values(both))) {
      host.replaceNeighbour({ index: end.index, address, hardwareAddress: other.address, state: 'permanent' });
    }
    uplink = { name: 'eth0', index: end.index, mac: end.address };
    station = other.address;

    const virtualServers = (['ipv4', 'ipv6'] as const).map((family) => ({
      address: VIPS[family],
      port: PORT,
      protocol: 'tcp' as const,
      scheduler: 'rr',
      realServers: [{ address: REAL_SERVERS[family], port: NODE_PORT, weight: 1 }],
    }));
    const desired = { vips: Object.values(VIPS), virtualServers };
    opened(Director.ensure({ name, hostNetns })).sync(desired);
    opened(createForwarder({ kind: 'auto', director: name })).sync(desired);
    const routers = [{ index: INDEX, vips: desired.vips }];
    opened(new HostRoutes({ hostNetns })).sync(routers);
    opened(new OwnerRules({ hostNetns })).claim(INDEX);
    chance = opened(new SecondChance({ director: name, hostNetns, lives: LIVES, heldSeconds: HELD_SECONDS }));
    expect(chance.offer(['eth0'])).to.be.greaterThan(0);
    expect(chance.sync(routers).operations).to.equal(2);
    former = opened(new FormerOwners({ director: name, hostNetns, lives: LIVES }));
    held = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: 3_600 }));
    expect(held.hold()).to.equal(true);

    const { AF_PACKET: domain, SOCK_RAW: type } = constants;
    socket = opened(new RawSocket({ domain, type, protocol: 0, netns: lanNetns }));
    socket.bind(sockaddrLl({ ifindex: other.index, protocol: 3 /* ETH_P_ALL */ }));
  });
  after(() => {
    for (const thing of closing) thing.close();
    for (const netns of [hostNetns, lanNetns, name]) if (listNetns().includes(netns)) deleteNetns(netns);
  });
  afterEach(() => {
    former.yield(INDEX);
    former.write();
  });

  let port = 40_000;
  /** From a new port each time: a connection that nobody knows. */
  const unknown = (family: 'ipv4' | 'ipv6', more: Partial<Segment> = {}): Segment => ({
    sourceMac: station,
    destinationMac: uplink.mac,
    source: CLIENTS[family],
    destination: VIPS[family],
    sourcePort: port++,
    destinationPort: PORT,
    flags: 'ack',
    ttl: 64,
    ...more,
  });

  /** Sends it, and returns what comes back of its connection: the first `frames`, or all within the quiet time. */
  function send(segment: Segment, frames = Number.POSITIVE_INFINITY): Segment[] {
    socket.receive();
    socket.send(encodeSegment(segment));
    const seen: Segment[] = [];
    const ports = [segment.sourcePort, segment.destinationPort];
    for (const end = performance.now() + (Number.isFinite(frames) ? 10_000 : QUIET_MS); performance.now() < end; ) {
      socket.poll(50);
      for (const { data } of socket.receive()) {
        const decoded = decodeSegment(data);
        const ours = decoded && (ports.includes(decoded.sourcePort) || ports.includes(decoded.destinationPort));
        if (ours && decoded.sourceMac !== station) seen.push(decoded);
      }
      if (seen.length >= frames) break;
    }
    return seen;
  }

  for (const family of ['ipv4', 'ipv6'] as const) {
    describe(family, () => {
      it('goes to the former owner as it is, marked by its TTL', () => {
        former.own(INDEX, { uplink: 'eth0', mac: FORMER }, LONG_MS);
        former.write();
        for (const flags of ['ack', 'fin ack', 'psh ack', 'rst'] as const) {
          const segment = unknown(family, { flags });
          const [passed] = send(segment, 1);
          expect(passed, flags).to.deep.equal({
            ...segment,
            sourceMac: uplink.mac,
            destinationMac: FORMER,
            ttl: 255,
          });
        }
      });

      it('goes there from a real server, too, whose answer found the new owner', () => {
        former.own(INDEX, { uplink: 'eth0', mac: FORMER }, LONG_MS);
        former.write();
        const answer = { source: REAL_SERVERS[family], sourcePort: NODE_PORT, destinationPort: port++ };
        const [passed] = send(unknown(family, { ...answer, flags: 'syn ack' }), 1);
        expect(passed).to.include({ destinationMac: FORMER, ttl: 255, destination: VIPS[family] });
      });

      it('has one chance: what was passed on is taken in, and never passed on again', () => {
        former.own(INDEX, { uplink: 'eth0', mac: FORMER }, LONG_MS);
        former.write();
        const before = chance.counters()!;
        for (const ttl of [254, 255]) {
          const back = send(unknown(family, { ttl }));
          expect(back.filter(({ destination }) => destination === VIPS[family])).to.deep.equal([]);
        }
        const now = chance.counters()!;
        expect(now.taken_in.packets - before.taken_in.packets).to.equal(2n);
        expect(now.passed_on.packets - before.passed_on.packets).to.equal(0n);
      });

      it('is the director’s own affair where there is no former owner', () => {
        former.own(INDEX, undefined, LONG_MS);
        former.write();
        const before = chance.counters()!;
        const back = send(unknown(family), 1);
        expect(back[0]!.destination).to.not.equal(VIPS[family]);
        expect(chance.counters()!.returned.packets - before.returned.packets).to.equal(1n);
      });

      it('does not open a connection: one that does is forwarded at once, and is known from then on', () => {
        former.own(INDEX, { uplink: 'eth0', mac: FORMER }, LONG_MS);
        former.write();
        const opening = unknown(family, { flags: 'syn' });
        const [request] = send(opening, 1);
        expect(request).to.include({ source: VIPS[family], destination: REAL_SERVERS[family], flags: 'syn' });
        const answer = {
          source: REAL_SERVERS[family],
          sourcePort: NODE_PORT,
          destinationPort: request!.sourcePort,
          flags: 'syn ack' as const,
        };
        const [answered] = send(unknown(family, answer), 1);
        expect(answered).to.include({ source: VIPS[family], destination: CLIENTS[family], flags: 'syn ack' });
        const [more] = send({ ...opening, flags: 'ack' }, 1);
        expect(more).to.include({ source: VIPS[family], destination: REAL_SERVERS[family], flags: 'ack' });
      });
    });
  }

  it('goes to whoever the LAN knows as the owner while this node hands over', () => {
    const host = opened(new Rtnetlink({ netns: hostNetns }));
    const { index } = uplink;
    host.replaceNeighbour({ index, address: VIPS.ipv4, hardwareAddress: FORMER, state: 'permanent' });
    former.linger(INDEX);
    former.write();
    const [passed] = send(unknown('ipv4'), 1);
    expect(passed).to.include({ destinationMac: FORMER, ttl: 254, destination: VIPS.ipv4 });
  });

  describe('whose process', () => {
    const next = '02:00:00:00:00:0a';
    const to = () => send(unknown('ipv4'), 1)[0]!.destinationMac;
    const ownedBy = (more: Partial<FormerOwnersOptions> = {}, aliveMs = SHORT_MS) => {
      const owners = opened(new FormerOwners({ director: name, hostNetns, lives: LIVES, ...more }));
      owners.own(INDEX, { uplink: 'eth0', mac: FORMER }, aliveMs);
      return owners;
    };
    /** The loop of these tests may be late once, but not each time. */
    const staysTo = async (mac: string) => {
      while (to() !== mac) await sleep(20);
      await sleep(3 * SHORT_MS);
      while (to() !== mac) await sleep(20);
    };
    beforeEach(() => {
      const host = opened(new Rtnetlink({ netns: hostNetns }));
      host.replaceNeighbour({ index: uplink.index, address: VIPS.ipv4, hardwareAddress: next, state: 'permanent' });
    });

    it('lives goes to its director, also of what it owns since, and to whoever the LAN knows when it ends', async () => {
      const owners = ownedBy();
      owners.write();
      await staysTo(FORMER);
      owners.own(INDEX + 1, undefined, LONG_MS);
      owners.write();
      await staysTo(FORMER);
      owners.close();
      while (to() !== next) await sleep(20);
    });

    it('was too late once counts as dead, and as alive again when it looks', async () => {
      const owners = ownedBy();
      owners.write();
      let missed = false;
      while (!missed) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * SHORT_MS);
        await sleep(SHORT_MS);
        missed = to() === next;
      }
      owners.keep();
      await staysTo(FORMER);
      owners.close();
    });

    it('was too late for some of what it owns says all of it again', async () => {
      const owners = ownedBy();
      owners.own(INDEX + 1, undefined, MIDDLE_MS);
      owners.write();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * SHORT_MS);
      while (to() !== next) await sleep(20);
      const nftables = opened(new Nftables({ netns: hostNetns }));
      const isAlive = () =>
        nftables.element({ family: 'netdev', name: 'fairlead' }, 'alive', [INDEX + 1]) !== undefined;
      const until = performance.now() + 2 * MIDDLE_MS;
      while (performance.now() < until || !isAlive()) {
        owners.keep();
        await sleep(20);
      }
      owners.close();
      while (isAlive()) await sleep(20);
    });

    it('could not say so says it when it looks', async () => {
      const link = `/run/fl-chance-${process.pid}`;
      symlinkSync('/dev/null', link);
      const owners = ownedBy({ director: link });
      expect(() => owners.write())
        .to.throw(Error)
        .with.property('code', 'EINVAL');
      while (to() !== next) await sleep(20);
      rmSync(link);
      symlinkSync(`/run/netns/${name}`, link);
      owners.keep();
      await staysTo(FORMER);
      rmSync(link);
      owners.close();
    });

    it('could not write what it owns does not live on as the owner of what it owned before', async () => {
      const owners = ownedBy();
      owners.write();
      owners.own(INDEX, { uplink: 'eth0', mac: 'none' }, SHORT_MS);
      expect(() => owners.write()).to.throw(Error);
      while (to() !== next) await sleep(20);
      owners.close();
    });

    it('looks now and then lives for as long as that, where its signs are not heeded or cannot be given', async () => {
      // Rules that know nothing of such a life, as those of an earlier version; and a director that is not there.
      const life = { aliveMs: SHORT_MS + 1, everyMs: 20 };
      const unheeded = ownedBy({ lives: [...LIVES, life, life] }, life.aliveMs);
      const mute = ownedBy({ director: `${name}-none` });
      for (const owners of [unheeded, mute]) {
        owners.write();
        while (to() !== next) await sleep(20);
        while (to() !== FORMER) {
          owners.keep();
          owners.check();
        }
        owners.close();
      }
    });
  });

  it('lets requests of the other director in, though their source is routed to its own', () => {
    const request = { source: VIPS.ipv4, destination: HOSTS.ipv4, destinationPort: NODE_PORT, flags: 'syn' as const };
    // Nobody listens: refused by the host, which sends that to the VIP, into its own director.
    const refused = () => chance.counters()!.passed_to_lan.packets;
    const before = refused();
    former.linger(INDEX);
    former.write();
    send(unknown('ipv4', request));
    expect(refused() - before).to.equal(1n);
  });

  it('finds the rules in place when the next process comes, and who the former owner is', () => {
    former.own(INDEX, { uplink: 'eth0', mac: FORMER }, LONG_MS);
    former.write();
    const next = opened(new SecondChance({ director: name, hostNetns, lives: LIVES, heldSeconds: HELD_SECONDS }));
    expect(next.offer(['eth0'])).to.equal(0);
    expect(next.sync([{ index: INDEX, vips: Object.values(VIPS) }]).operations).to.equal(0);
    const nextFormer = opened(new FormerOwners({ director: name, hostNetns, lives: LIVES }));
    expect(nextFormer.list()).to.deep.equal([INDEX]);
    nextFormer.own(INDEX, undefined, LONG_MS);
    nextFormer.write();
    expect(send(unknown('ipv4'), 1)[0]).to.include({ destinationMac: FORMER });
    nextFormer.close();
  });

  it('follows VIPs that move, and is repaired', () => {
    const host = opened(new Rtnetlink({ netns: hostNetns }));
    const other = { index: uplink.index, address: VIPS.ipv4, hardwareAddress: '02:00:00:00:00:0a' };
    host.replaceNeighbour({ ...other, state: 'permanent' });
    former.own(INDEX, { uplink: 'eth0', mac: FORMER }, LONG_MS);
    former.write();
    const vips = Object.values(VIPS);
    const routed = [{ index: INDEX, vips }];
    expect(
      chance.update({ added: [{ index: 9, vips: [VIPS.ipv4] }], removed: [{ index: INDEX, vips: [VIPS.ipv4] }] }),
    ).to.deep.equal({ operations: 2 });
    const back = send(unknown('ipv4'), 1);
    expect(back[0]!.destinationMac, 'of a virtual router that is not owned').to.not.equal(FORMER);
    expect(chance.audit(routed).operations).to.equal(2);
    new NftCommand(hostNetns).run('delete table netdev fairlead\n');
    expect(chance.audit(routed).operations).to.be.greaterThan(2);
    former.check();
    held.hold();
    expect(send(unknown('ipv4'), 1)[0]).to.include({ destinationMac: FORMER });
  });

  it('is repaired after audits that found nothing', () => {
    const routed = [{ index: INDEX, vips: Object.values(VIPS) }];
    const nft = (netns: string, script: string) => new NftCommand(netns).run(`${script}\n`);
    const damages: [string, () => void][] = [
      ['a VIP', () => nft(hostNetns, `delete element netdev fairlead router4 { ${VIPS.ipv4} }`)],
      ['a chain of the host', () => nft(hostNetns, 'flush chain ip6 fairlead switch-own')],
      ['a chain of the director', () => nft(name, 'flush chain ip fairlead prerouting')],
      ['a way in the director', () => execFileSync('ip', ['-n', name, 'route', 'delete', CHANCE_GATEWAY.ipv4])],
      [
        'a rule of the host',
        () => execFileSync('ip', ['-n', hostNetns, '-6', 'rule', 'delete', 'fwmark', `${OFF_MARK}`]),
      ],
    ];
    chance.audit(routed);
    for (const [what, damage] of damages) {
      for (let quiet = 0; quiet < 2; quiet++) expect(chance.audit(routed).operations, 'nothing').to.equal(0);
      damage();
      expect(chance.audit(routed).operations, what).to.be.greaterThan(0);
    }
    expect(chance.audit(routed).operations).to.equal(0);
    former.check();
    held.hold();
  });

  it('asks for all VIPs when there is an interface to the LAN again, and keeps none while there is not', () => {
    const routed = [{ index: INDEX, vips: Object.values(VIPS) }];
    chance.offer([]);
    expect(chance.update({ added: [], removed: routed }).operations).to.equal(2);
    expect(chance.audit([]).operations).to.equal(0);
    expect(chance.wantsAll).to.equal(false);
    expect(chance.offer(['eth0'])).to.equal(0);
    expect(chance.wantsAll).to.equal(true);
    expect(chance.sync(routed).operations).to.equal(2);
    expect(chance.wantsAll).to.equal(false);
  });

  it('is held for IPv6 by the sockets, in rules that are made anew, too, and by transactions where these heed no signs', async () => {
    const holding = opened(new DeadMansSwitch({ director: name, hostNetns, seconds: HELD_SECONDS }));
    const nftables = opened(new Nftables({ netns: hostNetns }));
    const table = { family: 'ip6', name: 'fairlead' } as const;
    const isHeld = () => nftables.elements(table, 'held').length === 4;
    const generation = () => nftables.generation();
    holding.keepHolding(HELD_SECONDS * 100);
    const before = generation();
    await sleep(3_000 * HELD_SECONDS);
    // The loop of this test may be late once, but not each time.
    while (!isHeld()) await sleep(20);
    expect(generation(), 'transactions').to.equal(before);
    nftables.apply([{ kind: 'flush', table, set: 'held' }]);
    while (!isHeld()) await sleep(20);

    new NftCommand(hostNetns).run('flush chain ip6 fairlead switch-signs\n');
    while (isHeld()) await sleep(20);
    holding.check();
    expect(isHeld()).to.equal(true);
    expect(chance.audit([{ index: INDEX, vips: Object.values(VIPS) }]).operations).to.be.greaterThan(0);
    holding.close();
    former.check();
    expect(held.hold()).to.equal(true);
  });

  describe('after which nobody cares for this node any more', () => {
    beforeEach(() => {
      former.linger(INDEX);
      former.write();
    });

    it('is routed like anything else when nobody holds the dead man’s switch any more, over IPv6, too', async () => {
      const host = opened(new Rtnetlink({ netns: hostNetns }));
      const { index } = uplink;
      for (const address of Object.values(VIPS)) {
        host.replaceNeighbour({ index, address, hardwareAddress: FORMER, state: 'permanent' });
      }
      held.hold(1);
      for (const family of ['ipv4', 'ipv6'] as const) {
        const opening = () => send(unknown(family, { flags: 'syn' }), 1)[0]!;
        while (opening().destination !== VIPS[family]) await sleep(100);
        expect(opening(), family).to.include({ destinationMac: FORMER, destination: VIPS[family], ttl: 63 });
      }
    });

    it('and this node answers the other director’s requests itself again', () => {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const request = { source: VIPS[family], destination: HOSTS[family], destinationPort: NODE_PORT };
        const [refused] = send(unknown(family, { ...request, flags: 'syn' }), 1);
        expect(refused, family).to.include({ destinationMac: FORMER, destination: VIPS[family], flags: 'rst ack' });
      }
    });
  });
});
