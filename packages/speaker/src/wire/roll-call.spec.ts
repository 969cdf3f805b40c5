import { expect } from 'chai';
import { ARP_REQUEST, decodeArpFrame } from './arp.js';
import { BROADCAST_MAC, formatMac, parseMac } from './mac.js';
import { decodeNdpFrame } from './ndp.js';
import { rollCall } from './roll-call.js';

const OWN = { mac: parseMac('02:00:00:00:00:0a'), addresses: ['fe80::a', '10.77.0.10'] };
const MAC = parseMac('02:00:00:00:00:0b');
const STATIONS = [
  { ip: 0x0a4d000b, name: 'n1', mac: MAC },
  { ip: 0x0a4d000c, name: 'n2' },
  { ip: 'fd00007700000000000000000000000b', name: 'n1' },
];

describe('the asking of witnesses', () => {
  for (const [widely, first] of [
    [false, MAC],
    [true, BROADCAST_MAC],
  ] as const) {
    it(`goes to ${widely ? 'everybody' : 'where they were'}, and tells them where this node is`, () => {
      const [arp, ndp] = rollCall(STATIONS, OWN, widely);
      const asked = arp!.map((frame) => decodeArpFrame(frame)!);
      expect(asked.map(({ operation, senderIp, targetIp }) => [operation, senderIp, targetIp])).to.deep.equal([
        [ARP_REQUEST, 0x0a4d000a, 0x0a4d000b],
        [ARP_REQUEST, 0x0a4d000a, 0x0a4d000c],
      ]);
      expect(asked.map(({ destination }) => formatMac(destination))).to.deep.equal([
        formatMac(first),
        formatMac(BROADCAST_MAC),
      ]);
      expect(ndp!.map((frame) => decodeNdpFrame(frame)?.target)).to.deep.equal([STATIONS[2]!.ip]);
    });
  }

  it('is by nobody where this node has no address, and not done where nobody is to be asked', () => {
    const [arp] = rollCall(STATIONS.slice(0, 1), { ...OWN, addresses: [] }, true);
    expect(decodeArpFrame(arp![0]!)).to.include({ senderIp: 0, targetIp: 0x0a4d000b });
    expect(rollCall([], OWN, true)).to.deep.equal([]);
  });
});
