/** Every packet that a speaker puts on the LAN, as it comes out of a cable, byte by byte; and what Wireshark says to them. */

import { encodeAddress, familyOf } from '@fairlead/netlink';
import { inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import type { ChecksumForm } from '../vrrp/advertisement.js';
import { VrrpTransport } from '../vrrp/transport.js';
import { Cable } from './cable.spec.helpers.js';
import { internetChecksum } from './checksum.js';
import { verdicts, whyNoTshark } from './tshark.spec.helpers.js';

const VIPS = ['10.77.0.200', 'fd00:77::c8'];
const HERE = '02000000000a';
const THERE = '020000000064';
const ALL = 'ffffffffffff';
/** Addresses as packets have them. */
const VIP4 = '0a4d00c8';
const ASKER4 = '0a4d0064';
const VIP6 = 'fd0000770000000000000000000000c8';
const ASKER6 = 'fd000077000000000000000000000064';
const NOBODY6 = '0'.repeat(32);
const ALL_NODES = 'ff020000000000000000000000000001';
const GROUP = 'ff0200000000000000000001ff0000c8';
const ARP = '0806 0001 0800 06 04';
/** To the shortest frame there is. */
const PADDING = '00'.repeat(18);
const IPV6 = (length: string) => `86dd 60000000 ${length} 3a ff`;

const bytes = (...parts: string[]) => Buffer.from(parts.join('').replaceAll(' ', ''), 'hex');

const announced = {
  'the request form of an announcement': bytes(ALL, HERE, ARP, '0001', HERE, VIP4, ALL, VIP4, PADDING),
  'the reply form of an announcement': bytes(ALL, HERE, ARP, '0002', HERE, VIP4, HERE, VIP4, PADDING),
  'an unsolicited neighbour advertisement': bytes(
    ...['333300000001', HERE, IPV6('0020'), VIP6, ALL_NODES],
    ...['88 00 5816 20000000', VIP6, '02 01', HERE],
  ),
};
const asked = {
  'the question who has an IPv4 address': bytes(
    ALL,
    HERE,
    ARP,
    '0001',
    HERE,
    '00000000',
    '0'.repeat(12),
    VIP4,
    PADDING,
  ),
  'the question who has an IPv6 address': bytes(
    ...['3333ff0000c8', HERE, IPV6('0018'), NOBODY6, GROUP, '87 00 7ba0 00000000', VIP6],
  ),
};
const arpAnswer = bytes(THERE, HERE, ARP, '0002', HERE, VIP4, THERE, ASKER4, PADDING);
const ndpAnswer = bytes(...[THERE, HERE, IPV6('0020'), VIP6, ASKER6], ...['88 00 193e 60000000', VIP6, '02 01', HERE]);
const solicitation = (to: string, group: string, checksum: string, option: string) =>
  bytes(to, THERE, IPV6(option ? '0020' : '0018'), ASKER6, group, '87 00', checksum, '00000000', VIP6, option);
/** Questions of others, and the answers. */
const answered: Record<string, [question: Buffer, answer: Buffer]> = {
  'a broadcast ARP request': [bytes(ALL, THERE, ARP, '0001', THERE, ASKER4, '0'.repeat(12), VIP4, PADDING), arpAnswer],
  'a unicast ARP request': [bytes(HERE, THERE, ARP, '0001', THERE, ASKER4, HERE, VIP4, PADDING), arpAnswer],
  'an ARP probe': [
    bytes(ALL, THERE, ARP, '0001', THERE, '00000000', '0'.repeat(12), VIP4, PADDING),
    bytes(THERE, HERE, ARP, '0002', HERE, VIP4, THERE, '00000000', PADDING),
  ],
  'a neighbour solicitation': [solicitation('3333ff0000c8', GROUP, '7a57', `0101${THERE}`), ndpAnswer],
  'a probe of a neighbour that it knows (NUD)': [solicitation(HERE, VIP6, '7ae4', `0101${THERE}`), ndpAnswer],
  'such a probe without a source link-layer address': [solicitation(HERE, VIP6, '7e51', ''), ndpAnswer],
  'one who wants the address for itself (DAD)': [
    bytes('3333ff0000c8', THERE, IPV6('0018'), NOBODY6, GROUP, '87 00 7ba0 00000000', VIP6),
    announced['an unsolicited neighbour advertisement'],
  ],
};

/** From 10.77.0.11, fd00:77::11 or fe80::a to .12 or the group, for virtual router 7. */
const advertised: [string, 'ipv4' | 'ipv6', 'unicast' | 'multicast', string][] = [
  ['ipv4', 'ipv4', 'unicast', `${THERE}${HERE} 0800 45 00 0020 IDID 4000 ff 70 CKCK 0a4d000b 0a4d000c`],
  ['ipv4', 'ipv4', 'multicast', `01005e000012${HERE} 0800 45 00 0020 IDID 4000 ff 70 CKCK 0a4d000b e0000012`],
  [
    'ipv6',
    'ipv6',
    'unicast',
    `${THERE}${HERE} 86dd 6FLOWLAB 0018 70 ff ${address('fd00:77::11')}${address('fd00:77::12')}`,
  ],
  [
    'ipv6',
    'ipv6',
    'multicast',
    `333300000012${HERE} 86dd 6FLOWLAB 0018 70 ff ${address('fe80::a')}${address('ff02::12')}`,
  ],
].map(([, family, mode, header]) => [`VRRP over ${family}, ${mode}`, family, mode, header]) as never;
const messages = {
  ipv4: { unicast: `31 07 fe 01 000a c5d7 ${VIP4}`, multicast: `31 07 fe 01 000a c5d7 ${VIP4}` },
  ipv6: { unicast: `31 07 fe 01 000a d711 ${VIP6}`, multicast: `31 07 fe 01 000a d484 ${VIP6}` },
};

function address(text: string): string {
  return Buffer.from(encodeAddress(text)).toString('hex');
}

describe('on the LAN there is', function () {
  this.timeout(60_000);
  let cable: Cable;
  beforeEach(() => {
    cable = new Cable((it) => {
      for (const [end, number, local] of [
        ['here', 11, 'a'],
        ['there', 12, 'b'],
      ] as const) {
        it.ip(end, `address add 10.77.0.${number}/24 dev eth0`);
        it.ip(end, `address add fd00:77::${number}/64 dev eth0 nodad`);
        it.ip(end, `address add fe80::${local}/64 dev eth0 nodad`);
      }
    });
  });
  afterEach(() => {
    expect(cable.errors).to.deep.equal([]);
    cable.close();
  });

  const arrival = (expected: Buffer) => cable.next((frame) => frame.equals(expected));

  it('what announces a VIP, byte by byte', async () => {
    const arrived = Promise.all(Object.values(announced).map(arrival));
    cable.own(VIPS);
    await arrived;
    // Two forms and an advertisement for each VIP, and nothing else of ours.
    const ours = cable.frames.filter((frame) => frame.includes(bytes(VIP4)) || frame.includes(bytes(VIP6)));
    expect(new Set(ours.map((frame) => frame.toString('hex')))).to.deep.equal(
      new Set(Object.values(announced).map((frame) => frame.toString('hex'))),
    );
  });

  it('what asks whether another station has a VIP, byte by byte', async () => {
    const arrived = Promise.all(Object.values(asked).map(arrival));
    cable.own(VIPS);
    await arrived; // a second later
  });

  for (const [what, [question, answer]] of Object.entries(answered)) {
    it(`the answer to ${what}, byte by byte, and none while it is not the owner`, async () => {
      cable.own(VIPS, 'eth0', { repeatAfterMilliseconds: [], refreshSeconds: 0 });
      await arrival(announced['an unsolicited neighbour advertisement']);
      cable.frames.length = 0;
      cable.isOwner = false;
      const refused = cable.handled((frame) => frame.equals(question));
      cable.send(question);
      await refused;
      cable.isOwner = true;
      const arrived = arrival(answer);
      cable.send(question);
      await arrived;
      expect(cable.frames.filter((frame) => frame.equals(answer))).to.have.length(1);
    });
  }

  for (const [what, family, mode, header] of advertised) {
    it(`${what}, byte by byte`, async () => {
      const frame = await advertisement(family, mode);
      const pattern = new RegExp(
        `^${`${header}${messages[family][mode]}`
          .replaceAll(' ', '')
          .replace('IDID', '[0-9a-f]{4}')
          .replace('CKCK', '[0-9a-f]{4}')
          .replace('FLOWLAB', '0[0-9a-f]{6}')}$`,
      );
      expect(frame.toString('hex')).to.match(pattern);
      if (family === 'ipv4') expect(internetChecksum(frame.subarray(14, 34))).to.equal(0);
    });
  }

  async function advertisement(
    family: 'ipv4' | 'ipv6',
    mode: 'unicast' | 'multicast',
    checksum: ChecksumForm = 'rfc9568',
  ): Promise<Buffer> {
    const protocolAt = family === 'ipv4' ? 23 : 20;
    const sent = cable.next((frame) => frame[protocolAt] === 112);
    const faults: string[] = [];
    const transport = new VrrpTransport({
      mode,
      onReceived: () => {},
      onFault: (fault) => faults.push(fault),
      onError: (error) => faults.push(error.message),
    });
    transport.configure({
      uplinks: [{ name: 'eth0', index: cable.index('here', 'eth0'), addresses: ['10.77.0.11', 'fe80::a'] }],
      self: ['10.77.0.11', 'fd00:77::11'],
      peers: ['10.77.0.12', 'fd00:77::12'],
    });
    const addresses = VIPS.filter((vip) => familyOf(vip) === family).map((vip) => encodeAddress(vip));
    try {
      const advertisement = { virtualRouterId: 7, priority: 254, intervalMs: 100, addresses };
      inNetns(cable.here, () => transport.send([{ advertisement, checksum }], { family, uplink: 'eth0' }));
      return await sent;
    } finally {
      transport.close();
    }
  }

  const why = whyNoTshark();
  (why ? it.skip : it)(`nothing that Wireshark complains of${why ? ` [skipped: ${why}]` : ''}`, async () => {
    const frames: [string, Buffer, string][] = [
      ...Object.entries(announced).map(([what, frame]) => [what, frame] as const),
      ...Object.entries(asked).map(([what, frame]) => [what, frame] as const),
      ...Object.entries(answered).map(([what, [, answer]]) => [`the answer to ${what}`, answer] as const),
    ].map(([what, frame]) => [what, frame, frame[12] === 0x08 ? 'eth:ethertype:arp' : 'eth:ethertype:ipv6:icmpv6']);
    for (const [what, family, mode] of advertised) {
      const layers = family === 'ipv4' ? 'eth:ethertype:ip:vrrp' : 'eth:ethertype:ipv6:vrrp';
      frames.push([what, await advertisement(family, mode), layers]);
    }
    // By default it takes the checksum over IPv4 for RFC 5798's, as keepalived does; RFC 9568 says that it is as in version 2.
    const told = verdicts(
      frames.map(([, frame]) => frame),
      ['vrrp.v3_checksum_as_in_v2:TRUE'],
    );
    expect(told.map(({ protocols, complaints }, index) => [frames[index]![0], protocols, complaints])).to.deep.equal(
      frames.map(([what, , layers]) => [what, layers, []]),
    );
    const asKeepalived = await advertisement('ipv4', 'unicast', 'rfc5798');
    expect(verdicts([asKeepalived])).to.deep.equal([{ protocols: 'eth:ethertype:ip:vrrp', complaints: [] }]);
    // It does look: a wrong checksum is found, in each of the protocols that have one.
    const wrong = frames
      .filter(([, frame]) => frame[12] !== 0x08 || frame[13] !== 0x06)
      .map(([, frame]) => {
        const copy = Buffer.from(frame);
        copy[copy.length - 1]! ^= 0xff;
        return copy;
      });
    for (const { complaints } of verdicts(wrong, ['vrrp.v3_checksum_as_in_v2:TRUE'])) {
      expect(complaints.join()).to.match(/checksum/i);
    }
  });
});
