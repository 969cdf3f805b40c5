import { expect } from 'chai';
import fc from 'fast-check';
import { MalformedMessageError } from './errors.js';
import { decodeMessages, decodeStatus, encodeMessages, type NetlinkMessage } from './message.js';

const anyMessage = fc.record({
  type: fc.nat(0xffff),
  flags: fc.nat(0xffff),
  sequence: fc.nat(0xffffffff),
  port: fc.nat(0xffffffff),
  payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
});

describe('encodeMessages', () => {
  it('writes the request of a captured GETFAMILY byte by byte', () => {
    const payload = Buffer.from('03010000090002004950565300000000', 'hex');
    expect(encodeMessages([{ type: 0x10, flags: 5, sequence: 0x1000, payload }]).toString('hex')).to.equal(
      '20000000100005000010000000000000' + '03010000090002004950565300000000',
    );
  });

  it('pads between messages but does not count the padding', () => {
    const message = { type: 1, flags: 0, sequence: 1, payload: Buffer.from([9]) };
    const bytes = encodeMessages([message, message]);
    expect(bytes.length).to.equal(40);
    expect([bytes.readUInt32LE(0), bytes.readUInt32LE(20)]).to.deep.equal([17, 17]);
  });
});

describe('decodeMessages', () => {
  it('returns what was encoded, however many share the datagram', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 10 }), (messages) => {
        expect(decodeMessages(encodeMessages(messages))).to.deep.equal(messages);
      }),
    );
  });

  it('refuses a datagram cut anywhere but between messages', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 4 }), fc.nat(), (messages, at) => {
        const bytes = encodeMessages(messages);
        const cut = bytes.subarray(0, at % bytes.length);
        let whole: NetlinkMessage[] = [];
        try {
          whole = decodeMessages(cut);
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessageError);
        }
        expect(messages.slice(0, whole.length)).to.deep.equal(whole);
      }),
    );
  });

  for (const [what, bytes] of [
    ['a header that is cut', '1000000010'],
    ['a length of 0 (which would never end)', '00000000100005000010000000000000'],
    ['a length beyond the end', '14000000100005000010000000000000'],
    ['a length near 2^32', 'ffffffff100005000010000000000000'],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(() => decodeMessages(Buffer.from(bytes, 'hex'))).to.throw(MalformedMessageError);
    });
  }
});

describe('decodeStatus', () => {
  const status = (bytes: string) => decodeStatus(decodeMessages(Buffer.from(bytes, 'hex'))[0]!);

  it('reads a captured acknowledgement', () => {
    const ack = '2400000002000001' + '1a100000bd020000' + '00000000' + '5c0000001c0005001a10000000000000';
    expect(status(ack)).to.deep.equal({ errno: 0 });
  });

  it('reads a captured refusal that echoes the whole request', () => {
    const header = '8000000002000000' + '36100000bd020000' + 'efffffff';
    expect(status(`${header}6c0000001c000500${'00'.repeat(100)}`)).to.deep.equal({ errno: -17 });
  });

  const explanation = '08000100' + '6e6f2100'; // "no!"
  it('finds the explanation behind the header of a capped request', () => {
    const echoed = '5c0000001c0005001a10000000000000';
    expect(status(`2c00000002000003${'00'.repeat(8)}eaffffff${echoed}${explanation}`)).to.deep.equal({
      errno: -22,
      extack: 'no!',
    });
  });

  it('finds where in the request the kernel objects', () => {
    const echoed = '5c0000001c0005001a10000000000000';
    const offset = '08000200' + '2c000000';
    expect(status(`2c00000002000003${'00'.repeat(8)}eaffffff${echoed}${offset}`)).to.deep.equal({
      errno: -22,
      attributeOffset: 44,
    });
  });

  it('finds the explanation behind a whole request', () => {
    const echoed = '130000001c0005001a10000000000000aabbcc00';
    expect(status(`3000000002000002${'00'.repeat(8)}eaffffff${echoed}${explanation}`)).to.deep.equal({
      errno: -22,
      extack: 'no!',
    });
  });

  it('reads the error and the explanation at the end of a dump', () => {
    expect(status(`1c00000003000202${'00'.repeat(8)}feffffff${explanation}`)).to.deep.equal({
      errno: -2,
      extack: 'no!',
    });
    expect(status(`1000000003000200${'00'.repeat(8)}`)).to.deep.equal({ errno: 0 });
  });

  it('never does anything but return or refuse', () => {
    fc.assert(
      fc.property(anyMessage, fc.constantFrom(2, 3), (message, type) => {
        try {
          expect(decodeStatus({ ...message, type }).errno).to.be.a('number');
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessageError);
        }
      }),
    );
  });
});
