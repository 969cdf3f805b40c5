import { expect } from 'chai';
import fc from 'fast-check';
import { internetChecksum, ipv6PseudoHeader } from './checksum.js';
import { parseMac } from './mac.js';
import {
  advertisementTo,
  decodeNdpFrame,
  solicitedNodeGroup,
  unsolicitedAdvertisement,
  unsolicitedAdvertisements,
} from './ndp.js';

const MAC = parseMac('02:00:00:00:00:0a');
const ASKER_MAC = parseMac('02:00:00:00:00:64');
const VIP = 'fd0000770000000000000000000000c8';
const ASKER = 'fd000077000000000000000000000064';

/** Captured from Linux 6.18: fd00:77::64 asks for fd00:77::c8. */
const SOLICITATION = Buffer.from(
  '3333ff0000c802000000006486dd6000000000203afffd000077000000000000000000000064ff0200000000000000000001ff0000c8' +
    '87007a5700000000fd0000770000000000000000000000c80101020000000064',
  'hex',
);
/** Captured from Linux 6.18: duplicate address detection for fd00:77::c9, with a nonce (RFC 7527). */
const PROBE = Buffer.from(
  '3333ff0000c902000000006486dd6000000000203aff00000000000000000000000000000000ff0200000000000000000001ff0000c9' +
    '8700183000000000fd0000770000000000000000000000c90e011eed2a8a0bee',
  'hex',
);

/** The captured solicitation with a change, and a checksum that is right for it. */
function changed(change: (frame: Buffer) => void): Buffer {
  const frame = Buffer.from(SOLICITATION);
  change(frame);
  const message = frame.subarray(54);
  message.writeUInt16BE(0, 2);
  const header = ipv6PseudoHeader(frame.subarray(22, 38), frame.subarray(38, 54), message.length, 58);
  message.writeUInt16BE(internetChecksum(header, message), 2);
  return frame;
}

describe('Neighbour Discovery', () => {
  it('reads a solicitation as Linux sends it', () => {
    expect(decodeNdpFrame(SOLICITATION)).to.deep.equal({
      kind: 'solicitation',
      sourceMac: ASKER_MAC,
      sourceIp: ASKER,
      target: VIP,
      linkLayer: ASKER_MAC,
    });
  });

  it('reads a probe for a duplicate address as Linux sends it', () => {
    expect(decodeNdpFrame(PROBE)).to.deep.include({ sourceIp: '0'.repeat(32), linkLayer: undefined });
  });

  it('answers a solicitation to the asker alone, solicited and overriding', () => {
    expect(advertisementTo(decodeNdpFrame(SOLICITATION)!, MAC).toString('hex')).to.equal(
      '02000000006402000000000a86dd6000000000203afffd0000770000000000000000000000c8fd000077000000000000000000000064' +
        '8800193e60000000fd0000770000000000000000000000c8020102000000000a',
    );
  });

  it('answers where the frame came from when the asker does not tell its hardware address', () => {
    const asked = decodeNdpFrame(SOLICITATION)!;
    const answer = advertisementTo({ ...asked, linkLayer: undefined }, MAC);
    expect(answer.subarray(0, 6)).to.deep.equal(ASKER_MAC);
  });

  it('tells all nodes when the asker has no address yet, and when nobody asked', () => {
    const announcement = unsolicitedAdvertisement(VIP, MAC);
    expect(announcement.toString('hex')).to.equal(
      '33330000000102000000000a86dd6000000000203afffd0000770000000000000000000000c8ff020000000000000000000000000001' +
        '8800581620000000fd0000770000000000000000000000c8020102000000000a',
    );
    expect(advertisementTo({ ...decodeNdpFrame(PROBE)!, target: VIP }, MAC)).to.deep.equal(announcement);
  });

  it('announces many addresses as it announces each of them', () => {
    const address = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
    fc.assert(
      fc.property(fc.array(address), (ips) => {
        expect(unsolicitedAdvertisements(ips, MAC)).to.deep.equal(ips.map((ip) => unsolicitedAdvertisement(ip, MAC)));
      }),
    );
  });

  it('reads what it writes', () => {
    expect(decodeNdpFrame(unsolicitedAdvertisement(VIP, MAC))).to.deep.equal({
      kind: 'advertisement',
      sourceMac: MAC,
      sourceIp: VIP,
      target: VIP,
      linkLayer: MAC,
    });
  });

  it('knows the group that is asked for an address', () => {
    expect(solicitedNodeGroup(VIP)).to.equal('ff0200000000000000000001ff0000c8');
  });

  const invalid: [string, Buffer][] = [
    ['crossed a router', changed((frame) => frame.writeUInt8(254, 21))],
    ['is another message of ICMPv6', changed((frame) => frame.writeUInt8(128, 54))],
    ['has a code', changed((frame) => frame.writeUInt8(1, 55))],
    ['asks for a group', changed((frame) => frame.writeUInt8(0xff, 62))],
    ['has an option without length', changed((frame) => frame.writeUInt8(0, 79))],
    ['has an option that is cut off', changed((frame) => frame.writeUInt8(2, 79))],
    ['has no address but a hardware address', changed((frame) => frame.fill(0, 22, 38))],
    ['is an advertisement of nobody', changed((frame) => frame.fill(0, 22, 38).writeUInt8(136, 54))],
    ['is not IPv6', changed((frame) => frame.writeUInt16BE(0x0800, 12))],
    ['is longer than its frame', changed((frame) => frame.writeUInt16BE(40, 18))],
    ['is cut off', SOLICITATION.subarray(0, 77)],
  ];
  for (const [what, frame] of invalid) {
    it(`ignores what ${what}`, () => expect(decodeNdpFrame(frame)).to.equal(undefined));
  }

  it('ignores a probe for an address that is not sent to its group', () => {
    const frame = changed((bytes) => {
      bytes.fill(0, 22, 38);
      bytes.write('ff020000000000000000000000000001', 38, 'hex');
      bytes[78] = 14;
    });
    expect(decodeNdpFrame(frame)).to.equal(undefined);
  });

  it('ignores a frame in which any bit of the message was flipped', () => {
    fc.assert(
      fc.property(fc.nat(32 * 8 - 1), (bit) => {
        const frame = Buffer.from(SOLICITATION);
        frame[54 + (bit >> 3)]! ^= 1 << (bit & 7);
        return decodeNdpFrame(frame) === undefined;
      }),
    );
  });

  it('survives any bytes', () => {
    const head = SOLICITATION.subarray(0, 54);
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeNdpFrame(Buffer.concat([head, bytes]))));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeNdpFrame(Buffer.from(bytes))));
  });
});
