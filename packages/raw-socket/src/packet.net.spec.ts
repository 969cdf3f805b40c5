/** AF_PACKET and raw IP sockets across a veth pair. */
import { expect } from 'chai';
import {
  type BpfInstruction,
  constants as c,
  type Message,
  parseSockaddrIn,
  parseSockaddrIn6,
  parseSockaddrLl,
  RawSocket,
  sockaddrIn,
  sockaddrIn6,
  sockaddrLl,
} from './index.js';
import { createLan, type Host, ip, type Lan } from './lan.spec.helpers.js';
import { hear } from './local.spec.helpers.js';

const BROADCAST = Buffer.alloc(6, 0xff);

/** An Ethernet frame with an ARP request; `number` is the address asked for. */
function arpRequest(sender: Host, number: number): Buffer {
  const frame = Buffer.alloc(42);
  BROADCAST.copy(frame, 0);
  sender.hardwareAddress.copy(frame, 6);
  frame.writeUInt16BE(c.ETH_P_ARP, 12);
  frame.set([0, 1, 8, 0, 6, 4, 0, 1], 14);
  sender.hardwareAddress.copy(frame, 22);
  frame.writeUInt32BE(0x0a000001, 28);
  frame.writeUInt32BE(number, 38);
  return frame;
}

const target = (message: Message): number => message.data.readUInt32BE(38);

/** Nothing but ARP requests whose target address has an even last byte. */
const EVEN_ARP_REQUESTS: BpfInstruction[] = [
  { code: 0x28, jt: 0, jf: 0, k: 12 }, //              ldh [12]       EtherType
  { code: 0x15, jt: 0, jf: 6, k: 0x0806 }, //          jeq ARP        else drop
  { code: 0x28, jt: 0, jf: 0, k: 20 }, //              ldh [20]       operation
  { code: 0x15, jt: 0, jf: 4, k: 1 }, //               jeq request    else drop
  { code: 0x30, jt: 0, jf: 0, k: 41 }, //              ldb [41]       last byte of the target
  { code: 0x54, jt: 0, jf: 0, k: 1 }, //               and 1
  { code: 0x15, jt: 0, jf: 1, k: 0 }, //               jeq 0          else drop
  { code: 0x06, jt: 0, jf: 0, k: 0xffffffff }, //      accept
  { code: 0x06, jt: 0, jf: 0, k: 0 }, //               drop
];

describe('sockets on a LAN', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  let lan: Lan;
  const sockets: RawSocket[] = [];
  before(() => {
    lan = createLan();
  });
  after(() => lan.remove());
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
  });

  function packetSocket({ netns, ifindex }: Host, filter?: BpfInstruction[]): RawSocket {
    const socket = new RawSocket({ domain: c.AF_PACKET, type: c.SOCK_RAW, protocol: 0, netns });
    sockets.push(socket);
    if (filter) socket.attachFilter(filter);
    socket.bind(sockaddrLl({ ifindex, protocol: c.ETH_P_ARP }));
    return socket;
  }

  function internetSocket(domain: number, protocol: number, { netns }: Host): RawSocket {
    const socket = new RawSocket({ domain, type: c.SOCK_RAW, protocol, netns });
    sockets.push(socket);
    return socket;
  }

  it('see ARP frames of the other side, with who sent them and how', async () => {
    const [left, right] = [packetSocket(lan.left), packetSocket(lan.right)];
    const heard = hear(right, 1);
    const frame = arpRequest(lan.left, 0x0a000063);
    expect(left.send(frame)).to.equal(42);
    const [message] = await heard;
    expect(message!.data).to.deep.equal(frame);
    expect(parseSockaddrLl(message!.address)).to.deep.equal({
      ifindex: lan.right.ifindex,
      protocol: c.ETH_P_ARP,
      hardwareType: 1,
      packetType: c.PACKET_BROADCAST,
      hardwareAddress: lan.left.hardwareAddress,
    });
  });

  it('make the Ethernet header themselves on SOCK_DGRAM, from the address', async () => {
    const right = packetSocket(lan.right);
    const left = new RawSocket({ domain: c.AF_PACKET, type: c.SOCK_DGRAM, protocol: 0, netns: lan.left.netns });
    sockets.push(left);
    const { ifindex } = lan.left;
    const heard = hear(right, 1);
    const frame = arpRequest(lan.left, 0x0a000063);
    left.send(frame.subarray(14), sockaddrLl({ ifindex, protocol: c.ETH_P_ARP, hardwareAddress: BROADCAST }));
    expect((await heard)[0]!.data).to.deep.equal(frame);
  });

  it('lose none of 20,000 frames that come in batches while they listen', async () => {
    const total = 20_000;
    const [left, right] = [packetSocket(lan.left), packetSocket(lan.right, EVEN_ARP_REQUESTS)];
    right.setsockopt(c.SOL_SOCKET, c.SO_RCVBUFFORCE, 64 * 2 ** 20);
    const heard = hear(right, total);
    for (let sent = 0; sent < total; ) {
      const frames = Array.from({ length: 500 }, (_, index) => arpRequest(lan.left, (sent + index) * 2));
      expect(left.sendBatch(frames)).to.equal(500);
      sent += 500;
      if (sent % 5000 === 0) await new Promise(setImmediate);
    }
    const messages = await heard;
    expect(messages.map(target)).to.deep.equal(Array.from({ length: total }, (_, index) => index * 2));
    const [seen, dropped] = new Uint32Array(
      new Uint8Array(right.getsockopt(c.SOL_PACKET, c.PACKET_STATISTICS, 8)).buffer,
    );
    expect({ seen, dropped }).to.deep.equal({ seen: total, dropped: 0 });
  });

  it('see only what their filter lets in', async () => {
    const left = packetSocket(lan.left);
    const right = packetSocket(lan.right, EVEN_ARP_REQUESTS);
    const heard = hear(right, 3);
    const reply = arpRequest(lan.left, 2);
    reply.writeUInt16BE(2, 20);
    const frames = [1, 2, 3, 4, 5].map((number) => arpRequest(lan.left, number));
    expect(left.sendBatch([reply, ...frames, arpRequest(lan.left, 100)])).to.equal(7);
    expect((await heard).map(target)).to.deep.equal([2, 4, 100]);
  });

  it('report ENETDOWN once when their interface goes down, and hear again when it is up', async () => {
    const other = createLan(); // its IPv6 addresses do not survive this
    const [left, right] = [packetSocket(other.left), packetSocket(other.right)];
    const errors: string[] = [];
    const up = () => ip('-n', other.right.netns, 'link', 'set', 'eth0', 'up');
    const heard = new Promise<void>((resolve) => {
      right.onMessages(
        () => errors.length > 0 && resolve(),
        ({ code, syscall }) => {
          errors.push(`${code} ${syscall}`);
          up();
        },
      );
    });
    ip('-n', other.right.netns, 'link', 'set', 'eth0', 'down');
    // Frames are lost until the carrier is back: so send until one is heard.
    const timer = setInterval(() => left.send(arpRequest(other.left, 1)), 10);
    await heard;
    clearInterval(timer);
    expect(errors).to.deep.equal(['ENETDOWN recvmmsg']);
    other.remove();
  });

  it('exchange IPv4 packets of protocol 112, the TTL of which a control message tells', async () => {
    const left = internetSocket(c.AF_INET, c.IPPROTO_VRRP, lan.left);
    const right = internetSocket(c.AF_INET, c.IPPROTO_VRRP, lan.right);
    left.setsockopt(c.IPPROTO_IP, c.IP_TTL, 255);
    right.setsockopt(c.IPPROTO_IP, c.IP_RECVTTL, 1);
    right.setsockopt(c.IPPROTO_IP, c.IP_PKTINFO, 1);
    const heard = hear(right, 1);
    left.send(Buffer.from('advertisement'), sockaddrIn({ address: '10.0.0.2' }));
    const [message] = await heard;
    expect(message!.data.subarray(20).toString()).to.equal('advertisement');
    expect(message!.data[9], 'protocol in the IPv4 header').to.equal(112);
    expect(parseSockaddrIn(message!.address)).to.deep.equal({ address: '10.0.0.1', port: 0 });
    const control = new Map(message!.control.map(({ level, type, data }) => [`${level} ${type}`, data]));
    expect(control.get(`${c.IPPROTO_IP} ${c.IP_TTL}`)?.readInt32LE()).to.equal(255);
    const packetInfo = control.get(`${c.IPPROTO_IP} ${c.IP_PKTINFO}`)!; // ifindex, local, destination
    expect(packetInfo.readInt32LE(0)).to.equal(lan.right.ifindex);
    expect([...packetInfo.subarray(8, 12)]).to.deep.equal([10, 0, 0, 2]);
  });

  it('hear IPv4 multicast that they joined on an interface', async () => {
    const left = internetSocket(c.AF_INET, c.IPPROTO_VRRP, lan.left);
    const right = internetSocket(c.AF_INET, c.IPPROTO_VRRP, lan.right);
    const group = [224, 0, 0, 18];
    const mreqn = (host: Host) => Buffer.concat([Buffer.from([...group, 0, 0, 0, 0]), i32(host.ifindex)]);
    left.setsockopt(c.IPPROTO_IP, c.IP_MULTICAST_IF, mreqn(lan.left));
    right.setsockopt(c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, mreqn(lan.right));
    const heard = hear(right, 1);
    left.send(Buffer.from('to all routers'), sockaddrIn({ address: group.join('.') }));
    expect((await heard)[0]!.data.subarray(20).toString()).to.equal('to all routers');
  });

  it('tell the hop limit and the destination of IPv6 packets', async () => {
    const left = internetSocket(c.AF_INET6, c.IPPROTO_VRRP, lan.left);
    const right = internetSocket(c.AF_INET6, c.IPPROTO_VRRP, lan.right);
    right.setsockopt(c.IPPROTO_IPV6, c.IPV6_RECVHOPLIMIT, 1);
    right.setsockopt(c.IPPROTO_IPV6, c.IPV6_RECVPKTINFO, 1);
    const heard = hear(right, 2);
    for (const hops of [255, 64]) {
      left.setsockopt(c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS, hops);
      left.send(Buffer.from(`hops ${hops}`), sockaddrIn6({ address: 'fd00::2' }));
    }
    const seen = (await heard).map(({ data, address, control, flags }) => {
      expect(flags).to.equal(0);
      expect(parseSockaddrIn6(address).address).to.equal('fd00::1');
      const find = (wanted: number) =>
        control.find(({ level, type }) => level === c.IPPROTO_IPV6 && type === wanted)!.data;
      expect(find(c.IPV6_PKTINFO).subarray(0, 16).toString('hex')).to.equal(`fd00${'0'.repeat(27)}2`);
      expect(find(c.IPV6_PKTINFO).readInt32LE(16)).to.equal(lan.right.ifindex);
      return `${data} as ${find(c.IPV6_HOPLIMIT).readInt32LE()}`;
    });
    expect(seen).to.deep.equal(['hops 255 as 255', 'hops 64 as 64']);
  });

  it('read their error queue out, instead of waking up for ever', async () => {
    const socket = new RawSocket({ domain: c.AF_INET, type: c.SOCK_DGRAM, protocol: 0, netns: lan.left.netns });
    sockets.push(socket);
    socket.setsockopt(c.IPPROTO_IP, c.IP_RECVERR, 1);
    const codes: string[] = [];
    const report = new Promise<Message>((resolve) => {
      socket.onMessages(
        ([message]) => resolve(message!),
        ({ code }) => codes.push(code),
      );
    });
    // Nobody listens there: an ICMP error comes back, as a pending error and as a message of the error queue.
    socket.send(Buffer.from('anyone?'), sockaddrIn({ address: '10.0.0.2', port: 9 }));
    const message = await report;
    expect(codes).to.deep.equal(['ECONNREFUSED']);
    expect(message.flags & c.MSG_ERRQUEUE).to.equal(c.MSG_ERRQUEUE);
    expect(message.data.toString()).to.equal('anyone?');
    expect(message.control.some(({ type }) => type === c.IP_RECVERR)).to.equal(true);
  });
});

function i32(value: number): Buffer {
  return Buffer.from(new Int32Array([value]).buffer);
}
