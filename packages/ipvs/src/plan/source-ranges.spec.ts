import { type AddressRange, contains, formatAddress, parseAddress, parseRange } from '@fairlead/api';
import { expect } from 'chai';
import fc from 'fast-check';
import { parseSourceRanges } from './source-ranges.js';

describe('source ranges', () => {
  it('come out by family, canonical and ascending', () => {
    expect(parseSourceRanges(['192.0.2.0/24', ' 10.0.0.0/8', 'FD00:0::/16', '9.9.9.9/32'])).to.deep.equal({
      ipv4: ['9.9.9.9/32', '10.0.0.0/8', '192.0.2.0/24'],
      ipv6: ['fd00::/16'],
      invalid: [],
    });
  });

  it('may have bits beyond their prefix, as kube-proxy allows', () => {
    expect(parseSourceRanges(['10.1.2.3/8', 'fd00::1/64'])).to.deep.include({
      ipv4: ['10.0.0.0/8'],
      ipv6: ['fd00::/64'],
    });
  });

  it('let everyone of a family in when one of them is everyone', () => {
    expect(parseSourceRanges(['10.0.0.0/8', '0.0.0.0/0'])).to.deep.include({ ipv4: undefined, ipv6: [] });
    expect(parseSourceRanges(['::/0'])).to.deep.include({ ipv4: [], ipv6: undefined });
  });

  for (const text of [
    '',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '010.0.0.0/8',
    'fd00::/129',
    '1.2.3.4-1.2.3.9',
    'all',
  ]) {
    it(`let nobody in by "${text}"`, () => {
      expect(parseSourceRanges([text])).to.deep.equal({ ipv4: [], ipv6: [], invalid: [text] });
      expect(parseSourceRanges([text, '10.0.0.0/8']).ipv4).to.deep.equal(['10.0.0.0/8']);
    });
  }

  const cidr = fc
    .tuple(
      fc.constantFrom('10.0.0.0', '10.0.0.128', '10.0.1.0', '172.16.0.7', '0.0.0.0'),
      fc.integer({ min: 1, max: 32 }),
    )
    .map(([address, prefix]) => `${address}/${prefix}`);

  it('never overlap, and let in whom the given ones let in', () => {
    const address = fc.constantFrom(
      '10.0.0.1',
      '10.0.0.129',
      '10.0.1.9',
      '10.200.0.1',
      '172.16.0.7',
      '172.16.0.8',
      '192.0.2.1',
    );
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 8 }), address, (texts, text) => {
        const client = parseAddress(text);
        const ranges = (parseSourceRanges(texts).ipv4 ?? []).map(parseRange);
        expect(ranges.filter((range) => contains(range, client)).length).to.equal(
          texts.some((given) => contains(blockOf(given), client)) ? 1 : 0,
        );
      }),
    );
  });

  it('are the same in whatever order they are given', () => {
    fc.assert(
      fc.property(fc.uniqueArray(cidr, { maxLength: 8 }), (texts) => {
        expect(parseSourceRanges([...texts].reverse())).to.deep.equal(parseSourceRanges(texts));
      }),
    );
  });
});

/** By arithmetic other than that of the code under test. */
function blockOf(text: string): AddressRange {
  const [address = '', prefix = ''] = text.split('/');
  const size = 2 ** (32 - Number(prefix));
  const first = Math.floor(Number(parseAddress(address).value) / size) * size;
  return parseRange(
    `${formatAddress({ family: 'ipv4', value: first })}-${formatAddress({ family: 'ipv4', value: first + size - 1 })}`,
  );
}
