import { expect } from 'chai';
import fc from 'fast-check';
import {
  ARP_REPLY,
  ARP_REQUEST,
  arpReplyTo,
  decodeArpFrame,
  encodeArpFrame,
  gratuitousArp,
  gratuitousReplies,
  gratuitousRequests,
} from './arp.js';
import { parseMac } from './mac.js';

const MAC = parseMac('02:00:00:00:00:0a');
const OTHER = parseMac('02:00:00:00:00:0b');
const VIP = 0x0a4d00c8; // 10.77.0.200
const ASKER = 0x0a4d0064; // 10.77.0.100

const octets = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Buffer.from(bytes));
const ipv4 = fc.nat(0xffffffff);
const frames = fc.record({
  destination: octets,
  source: octets,
  operation: fc.nat(0xffff),
  senderMac: octets,
  senderIp: ipv4,
  targetMac: octets,
  targetIp: ipv4,
});

describe('ARP frames', () => {
  it('announces in both forms, byte for byte as RFC 5227 and Linux expect', () => {
    const [request, reply] = gratuitousArp(VIP, MAC);
    expect(request.toString('hex')).to.equal(
      `ffffffffffff02000000000a08060001080006040001${'02000000000a'}0a4d00c8ffffffffffff0a4d00c8${'00'.repeat(18)}`,
    );
    expect(reply.toString('hex')).to.equal(
      `ffffffffffff02000000000a08060001080006040002${'02000000000a'}0a4d00c8${'02000000000a'}0a4d00c8${'00'.repeat(18)}`,
    );
  });

  it('answers a request to the one who asked, in a frame long enough for Ethernet', () => {
    const bytes = arpReplyTo(
      { operation: ARP_REQUEST, senderMac: OTHER, senderIp: ASKER, targetMac: Buffer.alloc(6), targetIp: VIP },
      MAC,
    );
    expect(bytes).to.have.length(60);
    expect(decodeArpFrame(bytes)).to.deep.equal({
      destination: OTHER,
      source: MAC,
      operation: ARP_REPLY,
      senderMac: MAC,
      senderIp: VIP,
      targetMac: OTHER,
      targetIp: ASKER,
    });
  });

  it('announces many addresses as it announces each of them', () => {
    const ips = [VIP, 0, 0xffffffff];
    expect(gratuitousRequests(ips, MAC)).to.deep.equal(ips.map((ip) => gratuitousArp(ip, MAC)[0]));
    expect(gratuitousReplies(ips, MAC)).to.deep.equal(ips.map((ip) => gratuitousArp(ip, MAC)[1]));
  });

  it('survives encoding and decoding unchanged', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeArpFrame(encodeArpFrame(frame))).to.deep.equal(frame);
      }),
    );
  });

  it('refuses every truncated frame, and anything else never throws', () => {
    const [whole] = gratuitousArp(VIP, MAC);
    for (let length = 0; length < 42; length++)
      expect(decodeArpFrame(whole.subarray(0, length)), `${length}`).to.equal(undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void decodeArpFrame(Buffer.from(bytes))));
  });

  for (const [what, offset, value] of [
    ['another ethertype', 12, 0x0800],
    ['another hardware type', 14, 6],
    ['another protocol type', 16, 0x86dd],
    ['other address lengths', 18, 0x0610],
  ] as const) {
    it(`refuses ${what}`, () => {
      const [bytes] = gratuitousArp(VIP, MAC);
      bytes.writeUInt16BE(value, offset);
      expect(decodeArpFrame(bytes)).to.equal(undefined);
    });
  }
});
