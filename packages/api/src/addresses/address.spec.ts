import { isIPv4, isIPv6 } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import { AddressError, addressOf, compareAddresses, formatAddress, isAddress, parseAddress } from './address.js';
import { anyAddress, anyIpv6Text } from './arbitraries.spec.helpers.js';

describe('parseAddress', () => {
  const good: [string, bigint, string?][] = [
    ['0.0.0.0', 0n],
    ['10.0.0.1', 0x0a000001n],
    ['255.255.255.255', 0xffffffffn],
    ['::', 0n],
    ['::1', 1n],
    ['1::', 1n << 112n],
    ['2001:db8::1', 0x20010db8000000000000000000000001n],
    ['2001:DB8:0:0:0:0:0:1', 0x20010db8000000000000000000000001n, '2001:db8::1'],
    ['1:2:3:4:5:6:7:8', 0x00010002000300040005000600070008n],
    ['1:2:3:4:5:6:7::', 0x00010002000300040005000600070000n, '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', 0x00000002000300040005000600070008n, '0:2:3:4:5:6:7:8'],
    ['::ffff:192.0.2.1', 0xffffc0000201n],
    ['64:ff9b::192.0.2.33', 0x0064ff9b0000000000000000c0000221n, '64:ff9b::c000:221'],
    ['0001:0000::', 1n << 112n, '1::'],
  ];
  for (const [text, value, canonical] of good) {
    it(`reads ${text}`, () => {
      const address = parseAddress(text);
      expect(BigInt(address.value)).to.equal(value);
      expect(address.family).to.equal(text.includes(':') ? 'ipv6' : 'ipv4');
      expect(formatAddress(address)).to.equal(canonical ?? text);
    });
  }

  const bad: [string, RegExp][] = [
    ['', /four decimal numbers/],
    ['10.1', /four decimal numbers/],
    ['1', /four decimal numbers/],
    ['1.2.3.4.5', /four decimal numbers/],
    ['010.1.1.1', /"010" has a leading zero/],
    ['0x10.1.1.1', /"0x10" is not a decimal number/],
    ['1.2.3.', /"" is not a decimal number/],
    ['1.2.3.256', /256 is greater than 255/],
    ['1.2.3.99999999999999999999', /greater than 255/],
    ['1.2.3.-4', /not a decimal number/],
    [' 1.2.3.4', /not a decimal number/],
    ['1.2.3.4\n', /not a decimal number/],
    ['٣.2.3.4', /not a decimal number/],
    [':', /a group is empty/],
    [':::', /a group is empty/],
    ['1::2::3', /"::" may occur once/],
    ['1:2:3:4:5:6:7', /7 groups/],
    ['1:2:3:4:5:6:7:8:9', /9 groups/],
    ['1:2:3:4::5:6:7:8', /none left/],
    ['12345::', /"12345" is not a group/],
    ['g::', /"g" is not a group/],
    ['fe80::1%eth0', /zone/],
    ['::1.2.3', /four decimal numbers/],
    ['::1.2.3.04', /leading zero/],
    ['1.2.3.4::', /not a group/],
    ['::1.2.3.4:5', /not a group/],
    ['1:2:3:4:5:6:7:1.2.3.4', /9 groups/],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseAddress(text))
        .to.throw(AddressError, message)
        .with.property('code', 'FL_BAD_ADDRESS');
      expect(isAddress(text)).to.equal(false);
    });
  }

  it('accepts what node:net accepts, zones apart, and nothing else', () => {
    const noise = fc.oneof(
      anyIpv6Text,
      fc.ipV4Extended(),
      fc.string({ unit: fc.constantFrom(...'0123456789abcf:.'), maxLength: 24 }),
    );
    fc.assert(
      fc.property(noise, (text) => {
        expect(isAddress(text)).to.equal((isIPv4(text) || isIPv6(text)) && !text.includes('%'), text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('formatAddress', () => {
  it('is read back as the same address', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(parseAddress(formatAddress(address))).to.deep.equal(address);
      }),
    );
  });

  it('writes IPv6 as the URL standard does (RFC 5952), mapped IPv4 apart', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        fc.pre(address.family === 'ipv6' && BigInt(address.value) >> 32n !== 0xffffn);
        const text = formatAddress(address);
        expect(`[${text}]`).to.equal(new URL(`http://[${text}]/`).hostname);
      }),
    );
  });
});

describe('compareAddresses', () => {
  it('sorts IPv4 before IPv6 and by number within a family', () => {
    const sorted = ['9.0.0.0', '10.0.0.0', '200.0.0.0', '::', '::9', '::10', 'ff00::'];
    const shuffled = [...sorted].reverse().map(parseAddress);
    expect(shuffled.sort(compareAddresses).map(formatAddress)).to.deep.equal(sorted);
  });
});

describe('addressOf', () => {
  it('refuses numbers that the family has not', () => {
    expect(() => addressOf('ipv4', 1n << 32n)).to.throw(RangeError);
    expect(() => addressOf('ipv6', -1n)).to.throw(RangeError);
    expect(addressOf('ipv4', 0xffffffffn)).to.deep.equal({ family: 'ipv4', value: 0xffffffff });
  });
});
