import { expect } from 'chai';
import fc from 'fast-check';
import { MalformedMessageError } from './errors.js';
import { decodeAddress, decodeHardwareAddress, encodeAddress, encodeHardwareAddress, familyOf } from './ip.js';

describe('IP addresses', () => {
  const table: [text: string, bytes: string, canonical?: string][] = [
    ['10.0.0.100', '0a000064'],
    ['255.255.255.255', 'ffffffff'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fe80::', 'fe800000000000000000000000000000'],
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
    ['2001:DB8:0:0:1:0:0:1', '20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:7:0', '00010002000300040005000600070000'],
    ['0:2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['1::8', '00010000000000000000000000000008'],
    ['::ffff:10.1.2.3', '00000000000000000000ffff0a010203'],
    ['::ffff:a01:203', '00000000000000000000ffff0a010203', '::ffff:10.1.2.3'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221', '64:ff9b::c000:221'],
  ];
  for (const [text, bytes, canonical] of table) {
    it(`${text} is ${bytes}${canonical ? `, canonically ${canonical}` : ''}`, () => {
      expect(encodeAddress(text).toString('hex')).to.equal(bytes);
      expect(decodeAddress(Buffer.from(bytes, 'hex'), familyOf(text))).to.equal(canonical ?? text);
    });
  }

  for (const text of ['', '10.0.0', '10.0.0.256', '010.0.0.1', '1::2::3', 'fe80::1%eth0', ':1', 'host']) {
    it(`refuses "${text}"`, () => {
      expect(() => encodeAddress(text)).to.throw(TypeError, 'is not an IPv4 or IPv6 address');
    });
  }

  it('refuses an address of the other family', () => {
    expect(() => encodeAddress('::1', 'ipv4')).to.throw(TypeError, '"::1" is not an ipv4 address');
  });

  it('round-trips any 16 and any 4 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (data) => {
        // Many zero groups, or the interesting texts hardly ever come up.
        const bytes = Buffer.from(data.map((byte) => (byte < 128 ? 0 : byte)));
        expect(encodeAddress(decodeAddress(bytes, 'ipv6')).equals(bytes)).to.equal(true);
        const four = bytes.subarray(0, 4);
        expect(encodeAddress(decodeAddress(four, 'ipv4')).equals(four)).to.equal(true);
      }),
    );
  });

  it('refuses too few bytes', () => {
    expect(() => decodeAddress(Buffer.alloc(4), 'ipv6')).to.throw(MalformedMessageError);
  });
});

describe('hardware addresses', () => {
  it('round-trip', () => {
    expect(encodeHardwareAddress('02:00:5E:00:01:ff').toString('hex')).to.equal('02005e0001ff');
    expect(decodeHardwareAddress(Buffer.from('02005e0001ff', 'hex'))).to.equal('02:00:5e:00:01:ff');
    expect(decodeHardwareAddress(Buffer.alloc(0))).to.equal('');
  });

  it('are refused when malformed', () => {
    for (const text of ['', '02:00:00:00:00', '2:0:0:0:0:1', '02-00-00-00-00-01']) {
      expect(() => encodeHardwareAddress(text)).to.throw(TypeError, 'is not a hardware address');
    }
  });
});
