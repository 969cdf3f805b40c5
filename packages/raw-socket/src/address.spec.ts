import { expect } from 'chai';
import fc from 'fast-check';
import {
  constants as c,
  parseSockaddrIn,
  parseSockaddrIn6,
  parseSockaddrLl,
  parseSockaddrNl,
  sockaddrIn,
  sockaddrIn6,
  sockaddrLl,
  sockaddrNl,
} from './index.js';

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

describe('socket addresses', () => {
  it('have the layout of the kernel headers (little endian)', function () {
    if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) this.skip();
    const hex = (bytes: Buffer) => bytes.toString('hex');
    expect(hex(sockaddrNl({ pid: 0x01020304, groups: 5 }))).to.equal('100000000403020105000000');
    expect(hex(sockaddrNl())).to.equal('100000000000000000000000');
    const hardwareAddress = Buffer.from('02aabbccddee', 'hex');
    expect(hex(sockaddrLl({ ifindex: 258, protocol: c.ETH_P_ARP, hardwareAddress }))).to.equal(
      '1100080602010000000000' + '06' + '02aabbccddee0000',
    );
    expect(hex(sockaddrIn({ address: '10.77.0.1', port: 8080 }))).to.equal('02001f900a4d00010000000000000000');
    expect(hex(sockaddrIn6({ address: 'fe80::1', port: 8080, flowInfo: 0x12345, scopeId: 3 }))).to.equal(
      '0a001f9000012345fe80000000000000000000000000000103000000',
    );
  });

  it('parse to what they were made from', () => {
    fc.assert(
      fc.property(u32, u32, (pid, groups) => {
        expect(parseSockaddrNl(sockaddrNl({ pid, groups }))).to.deep.equal({ pid, groups });
      }),
    );
    fc.assert(
      fc.property(u32, u16, fc.uint8Array({ maxLength: 8 }), (ifindex, protocol, hardwareAddress) => {
        const parsed = parseSockaddrLl(sockaddrLl({ ifindex, protocol, hardwareAddress }));
        expect(parsed).to.include({ ifindex, protocol, hardwareType: 0, packetType: 0 });
        expect([...parsed.hardwareAddress]).to.deep.equal([...hardwareAddress]);
      }),
    );
    fc.assert(
      fc.property(fc.ipV4(), u16, (address, port) => {
        expect(parseSockaddrIn(sockaddrIn({ address, port }))).to.deep.equal({ address, port });
      }),
    );
    fc.assert(
      fc.property(fc.ipV6(), u16, u32, u32, (address, port, flowInfo, scopeId) => {
        const parsed = parseSockaddrIn6(sockaddrIn6({ address, port, flowInfo, scopeId }));
        // The URL parser is the oracle for the canonical text.
        const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
        expect(parsed).to.deep.equal({ address: canonical, port, flowInfo, scopeId });
      }),
    );
  });

  it('write IPv6 as RFC 5952 says', () => {
    const table: [string, string][] = [
      ['::', '::'],
      ['::1', '::1'],
      ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['1::', '1::'],
      ['::ffff:192.0.2.1', '::ffff:c000:201'],
      ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ];
    for (const [text, canonical] of table) {
      expect(parseSockaddrIn6(sockaddrIn6({ address: text })).address).to.equal(canonical);
    }
  });

  it('understand what the kernel sends: 18 bytes for Ethernet, and a hardware address that they own', () => {
    const kernel = Buffer.concat([sockaddrLl({ ifindex: 7, protocol: c.ETH_P_ARP })]).subarray(0, 18);
    kernel.set([1, 0, c.PACKET_BROADCAST, 6, 1, 2, 3, 4, 5, 6], 8);
    const parsed = parseSockaddrLl(kernel);
    expect(parsed.packetType).to.equal(c.PACKET_BROADCAST);
    kernel.fill(0);
    expect([...parsed.hardwareAddress]).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it('refuse what is not an address of their family', () => {
    for (const address of ['', '10.0.0', '010.0.0.1', '10.0.0.1 ', '::1', 'localhost']) {
      expect(() => sockaddrIn({ address }), address)
        .to.throw(RangeError)
        .with.property('code', 'ERR_INVALID_IP_ADDRESS');
    }
    for (const address of ['', ':::', '10.0.0.1', 'fe80::1%eth0', '1:2:3:4:5:6:7:8:9']) {
      expect(() => sockaddrIn6({ address }), address).to.throw(RangeError);
    }
    expect(() => sockaddrIn({ address: '10.0.0.1', port: 65_536 })).to.throw(RangeError);
    expect(() => sockaddrLl({ ifindex: 1, protocol: 1, hardwareAddress: new Uint8Array(9) })).to.throw(RangeError);
    expect(() => parseSockaddrNl(sockaddrIn({ address: '10.0.0.1' }))).to.throw(RangeError, 'sockaddr_nl');
    expect(() => parseSockaddrIn(sockaddrNl())).to.throw(RangeError, 'sockaddr_in');
    expect(() => parseSockaddrLl(Buffer.alloc(0))).to.throw(RangeError, 'sockaddr_ll');
    expect(() => parseSockaddrLl(Buffer.alloc(1))).to.throw(RangeError, 'sockaddr_ll');
    expect(() => parseSockaddrIn6(sockaddrIn6({ address: '::1' }).subarray(0, 27))).to.throw(RangeError);
  });
});
