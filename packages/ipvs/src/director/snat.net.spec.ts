/**
 * SNAT to the VIP where ports run out: more connections to one real server than a source address has ports.
 * A client and a host, joined by a cable; the real server is an address on that cable where nobody listens.
 */
import { writeFileSync } from 'node:fs';
import { Conntrack, Rtnetlink } from '@fairlead/netlink';
import { constants, createNetns, deleteNetns, inNetns, listNetns, RawSocket, sockaddrIn } from '@fairlead/raw-socket';
import { expect } from 'chai';
import { createForwarder } from '../create-forwarder.js';
import { HostRoutes } from '../routes/host-routes.js';
import { OwnerRules } from '../routes/owner-rules.js';
import { Director } from './director.js';

const hostNetns = `fl-snat-h-${process.pid}`;
const clientNetns = `fl-snat-c-${process.pid}`;
const name = `fl-snat-d-${process.pid}`;
const VIP = '10.77.0.200';
const HOST = '10.77.0.11';
const REAL_SERVER = '10.77.0.99';
const FIRST = '10.77.0.100';
const SECOND = '10.77.0.101';
/** The kernel picks a port from these for a connection that has one of them. */
const PORTS = { first: 1024, last: 65_535 };
const IPPROTO_UDP = 17;
const PORT = 53;

describe('SNAT to a VIP', function () {
  this.timeout(120_000);
  const closing: { close(): void }[] = [];
  const opened = <T extends { close(): void }>(thing: T): T => {
    closing.push(thing);
    return thing;
  };
  let director: Director;

  before(() => {
    for (const netns of [hostNetns, clientNetns]) createNetns(netns);
    inNetns(hostNetns, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
    const host = opened(new Rtnetlink({ netns: hostNetns }));
    const client = opened(new Rtnetlink({ netns: clientNetns }));
    const end = host.addVeth({ name: 'eth0', peer: { name: 'eth0', netns: clientNetns } });
    const other = client.link('eth0')!;
    host.setLink(end.index, { up: true });
    client.setLink(other.index, { up: true });
    host.addAddress({ index: end.index, address: HOST, prefixLength: 24 });
    for (const address of [FIRST, SECOND]) client.addAddress({ index: other.index, address, prefixLength: 24 });
    // No answer will come, and nobody has to be asked for a hardware address.
    const known = { hardwareAddress: other.address, state: 'permanent' } as const;
    host.replaceNeighbour({ index: end.index, address: REAL_SERVER, ...known });
    client.replaceNeighbour({ index: other.index, address: VIP, hardwareAddress: end.address, state: 'permanent' });

    director = opened(Director.ensure({ name, hostNetns }));
    // None shall end by itself, however slow the machine.
    inNetns(name, () => writeFileSync('/proc/sys/net/netfilter/nf_conntrack_udp_timeout', '600'));
    const desired = {
      vips: [VIP],
      virtualServers: [
        {
          address: VIP,
          port: PORT,
          protocol: 'udp' as const,
          scheduler: 'rr',
          realServers: [{ address: REAL_SERVER, port: 30_053, weight: 1 }],
        },
      ],
    };
    director.sync(desired);
    opened(createForwarder({ kind: 'nftables', director: name })).sync(desired);
    opened(new HostRoutes({ hostNetns })).sync([{ index: 0, vips: [VIP] }]);
    opened(new OwnerRules({ hostNetns })).claim(0);
  });
  after(() => {
    for (const thing of closing) thing.close();
    for (const netns of [hostNetns, clientNetns, name]) if (listNetns().includes(netns)) deleteNetns(netns);
  });

  /** A datagram to the VIP from each of these ports: as many connections. */
  const ask = (from: string, first: number, last: number) => {
    const { AF_INET: domain, SOCK_RAW: type } = constants;
    const socket = new RawSocket({ domain, type, protocol: IPPROTO_UDP, netns: clientNetns });
    try {
      socket.bind(sockaddrIn({ address: from, port: 0 }));
      const to = sockaddrIn({ address: VIP, port: 0 });
      const frames = Array.from({ length: last - first + 1 }, (_, n) => {
        const frame = Buffer.alloc(8); // source, destination, length, no checksum
        frame.writeUInt16BE(first + n, 0);
        frame.writeUInt16BE(PORT, 2);
        frame.writeUInt16BE(8, 4);
        return frame;
      });
      for (let sent = 0; sent < frames.length; ) {
        try {
          sent += socket.sendBatch(frames.slice(sent, sent + 256), to);
        } catch (error) {
          if (!['ENOBUFS', 'EAGAIN'].includes((error as { code?: string }).code ?? '')) throw error;
          socket.poll(1); // the cable is full
        }
      }
    } finally {
      socket.close();
    }
  };

  it('lasts for every port that an address has, says so when none is left, and goes on when some are free again', () => {
    const all = PORTS.last - PORTS.first + 1;
    // A slow machine loses some on the way; those that are there already stay.
    for (let round = 0; round < 20 && director.counters().connections.entries < all; round++) {
      ask(FIRST, PORTS.first, PORTS.last);
    }
    const full = director.counters();
    expect(full.connections).to.include({ entries: all, insertFailed: 0, dropped: 0 });
    expect(Number(full.rules.snat_connections.packets)).to.equal(all);

    ask(SECOND, 40_000, 40_099);
    const { connections } = director.counters();
    expect(connections.entries).to.equal(all);
    expect(connections.insertFailed + connections.dropped, 'counted').to.be.at.least(100);

    const conntrack = opened(new Conntrack({ netns: name }));
    expect(conntrack.delete({ original: { source: FIRST } })).to.equal(all);
    ask(SECOND, 40_000, 40_099);
    expect(director.counters().connections.entries).to.equal(100);
  });
});
