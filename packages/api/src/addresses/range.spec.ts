import { expect } from 'chai';
import fc from 'fast-check';
import { AddressError, addressBits, formatAddress, parseAddress } from './address.js';
import { anyAddress, anyRange } from './arbitraries.spec.helpers.js';
import {
  type AddressRange,
  cidrOf,
  contains,
  formatRange,
  intersection,
  mergeRanges,
  overlaps,
  parseRange,
  size,
} from './range.js';

describe('parseRange', () => {
  const good: [string, string, string, bigint][] = [
    ['192.0.2.0/28', '192.0.2.0', '192.0.2.15', 16n],
    ['192.0.2.7/32', '192.0.2.7', '192.0.2.7', 1n],
    ['0.0.0.0/0', '0.0.0.0', '255.255.255.255', 1n << 32n],
    ['192.0.2.250-192.0.3.4', '192.0.2.250', '192.0.3.4', 11n],
    ['192.0.2.1 - 192.0.2.2', '192.0.2.1', '192.0.2.2', 2n],
    ['192.0.2.1-192.0.2.1', '192.0.2.1', '192.0.2.1', 1n],
    ['2001:db8::/64', '2001:db8::', '2001:db8::ffff:ffff:ffff:ffff', 1n << 64n],
    ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 1n << 128n],
    ['2001:db8::1-2001:db8::10', '2001:db8::1', '2001:db8::10', 16n],
  ];
  for (const [text, first, last, count] of good) {
    it(`reads ${text}`, () => {
      const range = parseRange(text);
      expect([formatAddress(range.first), formatAddress(range.last), size(range)]).to.deep.equal([first, last, count]);
    });
  }

  const bad: [string, RegExp][] = [
    ['192.0.2.7', /single address .* write 192\.0\.2\.7\/32/],
    ['2001:db8::7', /write 2001:db8::7\/128/],
    ['192.0.2.5/28', /write 192\.0\.2\.0\/28 for the whole block or 192\.0\.2\.5-192\.0\.2\.15/],
    ['192.0.2.0/33', /prefix length is "33", it has to be a number from 0 to 32/],
    ['192.0.2.0/', /prefix length is ""/],
    ['192.0.2.0/08', /prefix length is "08"/],
    ['192.0.2.0/255.255.255.0', /prefix length is "255/],
    ['2001:db8::/129', /from 0 to 128/],
    ['100.200.300.400/24', /300 is greater than 255/],
    ['192.0.2.10-192.0.2.1', /ends before it begins; write 192\.0\.2\.1-192\.0\.2\.10/],
    ['192.0.2.10-20', /"20" is not an IP address/],
    ['192.0.2.1-2001:db8::1', /begins with an ipv4 and ends with an ipv6/],
    ['192.0.2.1-192.0.2.3-192.0.2.5', /not an IP address/],
    ['', /not an IP address/],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseRange(text)).to.throw(AddressError, message);
    });
  }
});

describe('ranges', () => {
  it('are read back from their canonical text', () => {
    fc.assert(
      fc.property(anyRange, (range) => {
        expect(parseRange(formatRange(range))).to.deep.equal(range);
      }),
    );
  });

  it('are written as a CIDR whenever they are one', () => {
    fc.assert(
      fc.property(anyAddress, fc.nat(128), (address, length) => {
        const prefixLength = length % (addressBits(address.family) + 1);
        expect(formatRange(cidrOf(address, prefixLength))).to.match(new RegExp(`/${prefixLength}$`));
      }),
    );
  });

  it('overlap exactly when they have an intersection, which both contain', () => {
    fc.assert(
      fc.property(anyRange, anyRange, (a, b) => {
        const shared = intersection(a, b);
        expect(overlaps(a, b)).to.equal(shared !== undefined);
        expect(overlaps(a, b)).to.equal(overlaps(b, a));
        for (const end of shared ? [shared.first, shared.last] : []) {
          expect(contains(a, end) && contains(b, end)).to.equal(true);
        }
        if (contains(a, b.first)) expect(shared).to.not.equal(undefined);
      }),
    );
  });

  it('are merged where they touch or overlap, and hold the same addresses', () => {
    const texts = ['192.0.2.2/32', '192.0.2.0/31', '192.0.2.8/30', '192.0.2.9-192.0.2.20', '::/120', '::100/120'];
    expect(mergeRanges(texts.map(parseRange)).map(formatRange)).to.deep.equal([
      '192.0.2.0-192.0.2.2',
      '192.0.2.8-192.0.2.20',
      '::/119',
    ]);
    fc.assert(
      fc.property(fc.array(anyRange), anyAddress, (ranges, address) => {
        const merged = mergeRanges(ranges);
        const has = (list: AddressRange[]) => list.some((range) => contains(range, address));
        expect(has(merged)).to.equal(has(ranges));
        for (const end of ranges.flatMap((range) => [range.first, range.last])) {
          expect(merged.filter((range) => contains(range, end))).to.have.length(1);
        }
      }),
    );
  });

  it('contain their ends and nothing of the other family', () => {
    const range = parseRange('0.0.0.0-0.0.0.9');
    expect(contains(range, parseAddress('0.0.0.0'))).to.equal(true);
    expect(contains(range, parseAddress('0.0.0.9'))).to.equal(true);
    expect(contains(range, parseAddress('0.0.0.10'))).to.equal(false);
    expect(contains(range, parseAddress('::5'))).to.equal(false);
  });
});
