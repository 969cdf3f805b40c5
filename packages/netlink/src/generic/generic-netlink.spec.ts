import { expect } from 'chai';
import fc from 'fast-check';
import { Attributes } from '../attribute.js';
import { MalformedMessageError, NetlinkError } from '../errors.js';
import { acknowledgement, answer, FakeTransport, refusal } from '../fake-transport.js';
import { encodeMessages } from '../message.js';
import { decodeFamily, decodeGenericMessage, encodeGetFamily, GenericNetlink } from './generic-netlink.js';

/** The answer to GETFAMILY nlctrl on Linux 6.18, without most of its operations. */
const NLCTRL = Buffer.from(
  '01020000' +
    '0b0002006e6c6374726c0000' +
    '06000100' +
    '10000000' +
    '0800030002000000' +
    '0800040000000000' +
    '080005000a000000' +
    '18000600' +
    '14000100' +
    '0800010003000000' +
    '080002000e000000' +
    '1c000700' +
    '18000100' +
    '0800020010000000' +
    '0b0001006e6f7469667900' +
    '00',
  'hex',
);

describe('generic netlink', () => {
  it('asks for a family byte by byte as captured', () => {
    const { type, body } = encodeGetFamily('IPVS', '');
    const bytes = encodeMessages([{ type, flags: 5, sequence: 0x1000, payload: body }]);
    expect(bytes.toString('hex')).to.equal('2000000010000500001000000000000003010000090002004950565300000000');
  });

  it('reads number, version and groups of a family', () => {
    const netlink = new GenericNetlink({
      transport: new FakeTransport((request) => [
        answer(request, { type: 0x10, payload: NLCTRL }),
        acknowledgement(request),
      ]),
    });
    expect(netlink.family('nlctrl')).to.deep.equal({
      id: 0x10,
      name: 'nlctrl',
      version: 2,
      maxAttribute: 10,
      groups: new Map([['notify', 0x10]]),
    });
  });

  it('knows no family that the kernel does not have, but does not hide other refusals', () => {
    let errno = 2;
    const netlink = new GenericNetlink({ transport: new FakeTransport((request) => [refusal(request, errno)]) });
    expect(netlink.family('IPVS')).to.equal(undefined);
    errno = 1;
    expect(() => netlink.family('IPVS')).to.throw(NetlinkError, 'find generic netlink family IPVS: EPERM');
  });

  it('ends on any bytes, and complains in one way only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const payload = Buffer.concat([Buffer.from('01020000', 'hex'), Buffer.from(bytes)]);
        try {
          decodeFamily(decodeGenericMessage({ type: 16, flags: 0, sequence: 0, port: 0, payload }));
          expect(new Attributes(Buffer.from(bytes)).has(1)).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessageError);
        }
      }),
    );
  });
});
