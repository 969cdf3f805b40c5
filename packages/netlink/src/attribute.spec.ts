import { expect } from 'chai';
import fc from 'fast-check';
import { Attributes, decodeAttributes, Encoder, NLA_F_NESTED } from './attribute.js';
import { MalformedMessageError } from './errors.js';

function hex(encoder: Encoder): string {
  return encoder.bytes().toString('hex');
}

describe('Encoder', () => {
  const cases: [string, (e: Encoder) => void, string][] = [
    ['u8, padded to 4', (e) => e.u8(21, 0xb0), '05001500b0000000'],
    ['u16 in host order', (e) => e.u16(1, 2), '0600010002000000'],
    ['u16 in network order', (e) => e.u16be(4, 80), '0600040000500000'],
    ['u32 in host order', (e) => e.u32(15, 1000), '08000f00e8030000'],
    ['u32 in network order', (e) => e.u32be(9, 0xffffff00), '08000900ffffff00'],
    ['a negative s32', (e) => e.s32(4, -1), '08000400ffffffff'],
    ['u64', (e) => e.u64(4, 1n << 40n), '0c00040000000000' + '00010000'],
    ['a string with its NUL', (e) => e.string(2, 'IPVS'), '090002004950565300000000'],
    ['an empty string', (e) => e.string(2, ''), '0500020000000000'],
    ['binary', (e) => e.binary(3, Buffer.from('0a000064', 'hex')), '080003000a000064'],
    ['empty binary', (e) => e.binary(3, Buffer.alloc(0)), '04000300'],
    ['raw bytes, padded', (e) => e.raw(Buffer.from('010203', 'hex')), '01020300'],
    ['a nest', (e) => e.nest(1, (n) => n.u16(1, 10)), '0c000100' + '060001000a000000'],
    ['an empty nest', (e) => e.nest(7, () => {}), '04000700'],
  ];
  for (const [what, write, expected] of cases) {
    it(`writes ${what}`, () => {
      const encoder = new Encoder();
      write(encoder);
      expect(hex(encoder)).to.equal(expected);
    });
  }

  it('keeps what it has when it grows', () => {
    const encoder = new Encoder(4);
    encoder.nest(1, (nest) => {
      for (let i = 0; i < 100; i++) nest.u32(2, i);
    });
    const [outer] = decodeAttributes(encoder.bytes());
    expect(decodeAttributes(outer!.data).map(({ data }) => data.readUInt32LE())).to.deep.equal([...Array(100).keys()]);
  });

  it('refuses an attribute and a nest of more than 65535 bytes', () => {
    const big = Buffer.alloc(40_000);
    expect(() => new Encoder().binary(1, Buffer.alloc(65_532))).to.throw(RangeError, '65535');
    expect(() => new Encoder().nest(1, (nest) => nest.binary(1, big).binary(1, big))).to.throw(RangeError, '65535');
  });
});

describe('decodeAttributes', () => {
  it('masks the nested flag', () => {
    const bytes = new Encoder().nest(1 | NLA_F_NESTED, (nest) => nest.u8(3, 1)).bytes();
    expect(decodeAttributes(bytes).map(({ type }) => type)).to.deep.equal([1]);
    expect(new Attributes(bytes).nest(1)?.u8(3)).to.equal(1);
  });

  it('accepts a last attribute without its padding', () => {
    expect(decodeAttributes(Buffer.from('05000100ff', 'hex'))[0]!.data).to.deep.equal(Buffer.from([0xff]));
  });

  for (const [what, bytes] of [
    ['a length of 0 (which would never end)', '00000100'],
    ['a length below the header', '03000100'],
    ['a length beyond the end', '0c00010000000000'],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(() => decodeAttributes(Buffer.from(bytes, 'hex'))).to.throw(MalformedMessageError);
    });
  }

  it('returns what was encoded', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(0x3fff), fc.uint8Array({ maxLength: 50 }))), (list) => {
        const encoder = new Encoder();
        for (const [type, data] of list) encoder.binary(type, data);
        const decoded = decodeAttributes(encoder.bytes());
        expect(decoded.map(({ type, data }) => [type, [...data]])).to.deep.equal(list.map(([t, d]) => [t, [...d]]));
      }),
    );
  });

  it('ends on any bytes, and complains in one way only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeAttributes(Buffer.from(bytes));
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessageError);
        }
      }),
    );
  });
});

describe('Attributes', () => {
  const attributes = new Attributes(
    new Encoder().u8(1, 7).u16be(2, 443).u64(3, 5n).string(4, 'eth0').binary(5, Buffer.from('no end')).bytes(),
  );

  it('reads each type', () => {
    expect(attributes.u8(1)).to.equal(7);
    expect(attributes.u16be(2)).to.equal(443);
    expect(attributes.u64(3)).to.equal(5n);
    expect(attributes.string(4)).to.equal('eth0');
  });

  it('reads a string without its NUL', () => {
    expect(attributes.string(5)).to.equal('no end');
  });

  it('has nothing for what is absent', () => {
    expect(attributes.has(9)).to.equal(false);
    expect([attributes.u32(9), attributes.string(9), attributes.nest(9), attributes.binary(9)]).to.deep.equal([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('refuses an attribute that is too short for its type', () => {
    expect(() => attributes.u32(2)).to.throw(MalformedMessageError, 'attribute 2 has 2 bytes instead of 4');
  });
});
