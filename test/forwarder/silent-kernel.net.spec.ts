/**
 * What the kernel of a node that forwards for VIPs does about them by itself, with no speaker running: it never answers for one, whoever
 * asks and however, and uses none as a source, of questions to neighbours or of connections of its own. On the owner and elsewhere.
 */
import { execFileSync } from 'node:child_process';
import { type Link, Rtnetlink } from '@fairlead/netlink';
import { constants, inNetns, RawSocket, sockaddrLl } from '@fairlead/raw-socket';
import {
  arpProbe,
  decodeArpFrame,
  decodeNdpFrame,
  ndpProbe,
  parseMac,
  SolicitedNodeGroups,
  vipKey,
} from '@fairlead/speaker';
import { expect } from 'chai';
import { Speaker } from './speaker.js';
import { type Node, PLAIN_NODE_PORT, Topology } from './topology.js';

const VIP = '10.77.0.200';
const VIP6 = 'fd00:77::200';
const IPV4 = vipKey(VIP) as number;
const IPV6 = vipKey(VIP6) as string;
const SERVED_PORT = 80;
const CLIENT_PORT = 8081;
/** Of the host's interface to its director. */
const TO_DIRECTOR = ['169.254.77.1', 'fe80::4d:1'];

describe('the kernel of a host that forwards for VIPs', function () {
  this.timeout(60_000);
  const prefix = `fl-silent-${process.pid}`;
  const topology = new Topology(prefix);
  const speakers: Speaker[] = [];
  const sockets: { close(): void }[] = [];
  /** What nodes have sent, whole frames. */
  const sent: { from: Node; frame: Buffer }[] = [];
  const waiting = new Set<() => void>();
  let asker: RawSocket;
  let askerMac: Buffer;

  before(async function () {
    this.timeout(300_000);
    await topology.start();
    await topology.client.listen(CLIENT_PORT);
    for (const node of topology.nodes) speakers.push(new Speaker(node, 'nftables'));
    for (const speaker of speakers) {
      const realServers = (index: number) =>
        topology.nodes.map(({ addresses }) => ({ address: addresses[index]!, port: PLAIN_NODE_PORT, weight: 1 }));
      const common = { port: SERVED_PORT, protocol: 'tcp', scheduler: 'rr' } as const;
      speaker.program({
        vips: [VIP, VIP6],
        virtualServers: [VIP, VIP6].map((address, index) => ({ ...common, address, realServers: realServers(index) })),
      });
    }
    speakers[0]!.claim();
    for (const node of topology.nodes) {
      listenAtItsPort(node);
      joinGroup(node);
    }
    askerMac = macOf(topology.client.netns);
    asker = packetSocket(topology.client.netns, 'eth0');
  });

  after(async function () {
    this.timeout(60_000);
    for (const socket of [...sockets, ...speakers]) socket.close();
    await topology.stop();
  });

  function packetSocket(netns: string, name: string): RawSocket {
    const socket = new RawSocket({ domain: constants.AF_PACKET, type: constants.SOCK_RAW, protocol: 0, netns });
    sockets.push(socket);
    socket.setsockopt(constants.SOL_PACKET, constants.PACKET_IGNORE_OUTGOING, 1);
    socket.bind(sockaddrLl({ ifindex: linkOf(netns, name).index, protocol: constants.ETH_P_ALL }));
    return socket;
  }

  function listenAtItsPort(from: Node): void {
    packetSocket(`${prefix}-lan`, from.name).onMessages((messages) => {
      for (const { data: frame } of messages) sent.push({ from, frame });
      for (const look of [...waiting]) look();
    });
  }

  /** As a speaker does, so that solicitations for the VIP reach the kernel. */
  function joinGroup(node: Node): void {
    const groups = new SolicitedNodeGroups(linkOf(node.netns, 'eth0').index);
    sockets.push(groups);
    groups.add([IPV6]);
    inNetns(node.netns, () => groups.join());
  }

  function macOf(netns: string): Buffer {
    return parseMac(linkOf(netns, 'eth0').address);
  }

  function linkOf(netns: string, name: string): Link {
    const links = new Rtnetlink({ netns });
    try {
      return links.link(name)!;
    } finally {
      links.close();
    }
  }

  /** Frames by which a node says that it has a VIP: as a sender of ARP, as a source or target of Neighbour Discovery. */
  function claims(): string[] {
    return sent.flatMap(({ from, frame }) => {
      const arp = decodeArpFrame(frame);
      if (arp?.senderIp === IPV4) return [`${from.name}: ARP from the VIP`];
      const ndp = decodeNdpFrame(frame);
      if (ndp?.sourceIp === IPV6) return [`${from.name}: Neighbour Discovery from the VIP`];
      return ndp?.kind === 'advertisement' && ndp.target === IPV6 ? [`${from.name}: an advertisement of the VIP`] : [];
    });
  }

  function ip(node: Node, command: string): string {
    return execFileSync('ip', ['-n', node.netns, ...command.split(' ')], { encoding: 'utf8' });
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        const look = () => {
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
      });
    }
  }

  it('answers nobody who asks all for a VIP', async () => {
    for (const vip of [VIP, VIP6]) {
      expect(await topology.client.failure(vip, SERVED_PORT), vip).to.be.oneOf(['ETIMEDOUT', 'EHOSTUNREACH']);
    }
    expect(claims()).to.deep.equal([]);
  });

  it('answers nobody who asks this host for a VIP, on the owner or elsewhere', async () => {
    for (const node of topology.nodes) {
      const mac = macOf(node.netns);
      const [own, own6] = node.addresses.map(vipKey) as [number, string];
      const toIt = (frame: Buffer) => {
        mac.copy(frame, 0);
        return frame;
      };
      // Whoever answers the last of these has done with the first.
      asker.sendBatch([arpProbe(IPV4, askerMac), arpProbe(own, askerMac)].map(toIt));
      asker.sendBatch([toIt(ndpProbe(IPV6, askerMac)), ndpProbe(own6, askerMac)]);
      const answers = (frame: Buffer) => {
        const ndp = decodeNdpFrame(frame);
        return [decodeArpFrame(frame)?.senderIp === own, ndp?.kind === 'advertisement' && ndp.target === own6];
      };
      for (const family of [0, 1]) {
        await until(() => sent.some(({ from, frame }) => from === node && answers(frame)[family]));
      }
    }
    expect(claims()).to.deep.equal([]);
  });

  for (const [family, vip, index] of [
    ['IPv4', VIP, 0],
    ['IPv6', VIP6, 1],
  ] as const) {
    it(`asks its neighbours under addresses of its own when it forwards for a VIP (${family})`, async () => {
      topology.announce(vip, speakers[0]!.node, [topology.client, ...topology.nodes]);
      sent.length = 0;
      for (const node of topology.nodes) ip(node, 'neigh flush dev eth0');
      expect(Object.keys(await topology.client.askMany(6, vip, SERVED_PORT))).to.have.members(['n1', 'n2', 'n3']);
      const questions = sent.filter(({ from, frame }) => {
        const arp = decodeArpFrame(frame);
        return from === topology.nodes[0] && (arp?.operation === 1 || decodeNdpFrame(frame)?.kind === 'solicitation');
      });
      expect(questions.length, 'the owner had to ask').to.be.at.least(1);
      expect(claims()).to.deep.equal([]);
    });

    it(`connects under addresses of its own, to a VIP too, on the owner and elsewhere (${family})`, async () => {
      const client = index === 0 ? '10.77.0.100' : 'fd00:77::100';
      for (const node of topology.nodes) {
        expect((await node.ask(client, CLIENT_PORT)).seen, `${node.name} to a client`).to.equal(node.addresses[index]);
        await node.ask(vip, SERVED_PORT);
        const [route] = JSON.parse(ip(node, `-j route get ${vip}`)) as [{ prefsrc: string }];
        expect(route.prefsrc, `${node.name} to the VIP`).to.be.oneOf([...node.addresses, TO_DIRECTOR[index]]);
      }
      expect(claims()).to.deep.equal([]);
    });
  }
});
