/** Transactions against a kernel in memory: what is sent, and what its answers mean. */
import { expect } from 'chai';
import { Encoder } from '../attribute.js';
import { acknowledgement, answer, FakeTransport, fakeSystemError, refusal } from '../fake-transport.js';
import { type NetlinkMessage, NLM_F_ACK } from '../message.js';
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END } from '../netfilter/nfnetlink.js';
import { NftError } from './errors.js';
import { Nftables } from './nftables.js';

const table = { family: 'inet', name: 't' } as const;
const GET_SET = 0x0a0a;
const NEW_SET = 0x0a09;
const NEW_ELEMENT = 0x0a0c;
/** ipv4_addr . inet_proto . inet_service */
const TYPE = (((7 << 6) | 12) << 6) | 13;

const declaration = Buffer.concat([
  Buffer.from([1, 0, 0, 0]),
  new Encoder().string(1, 't').string(2, 's').u32be(3, 0).u32be(4, TYPE).bytes(),
]);

/** A kernel that knows every set, and asks `judge` about the rest. */
function open(judge: (request: NetlinkMessage) => Buffer[] = (request) => [acknowledgement(request)]) {
  const transport: FakeTransport = new FakeTransport((request) =>
    request.type === GET_SET
      ? [answer(request, { type: NEW_SET, payload: declaration }), acknowledgement(request)]
      : judge(request),
  );
  return { transport, nftables: new Nftables({ transport }) };
}

const keys = (count: number) => Array.from({ length: count }, (_, i) => ({ key: ['10.0.0.1', 'tcp', i] }));
const thrown = (call: () => void): NftError => {
  try {
    call();
  } catch (error) {
    return error as NftError;
  }
  throw new Error('nothing was thrown');
};

describe('Nftables.apply', () => {
  it('sends begin, elements and end in one datagram, and asks for an acknowledgement of the last elements', () => {
    const { transport, nftables } = open();
    nftables.apply([
      { kind: 'flush', table, set: 's' },
      { kind: 'add', table, set: 's', elements: keys(150) },
    ]);
    const sent = transport.requests.filter(({ type }) => type !== GET_SET);
    expect(transport.sends).to.equal(2);
    expect(sent.map(({ type }) => type)).to.deep.equal([
      NFNL_MSG_BATCH_BEGIN,
      0x0a0e,
      NEW_ELEMENT,
      NEW_ELEMENT,
      NFNL_MSG_BATCH_END,
    ]);
    expect(sent.map(({ flags }) => (flags & NLM_F_ACK) !== 0)).to.deep.equal([false, false, false, true, false]);
    // struct nfgenmsg of begin and end: the resource is the subsystem, in network order.
    expect(sent[0]!.payload.toString('hex')).to.equal('0000000a');
    expect(sent[2]!.payload.subarray(0, 4).toString('hex')).to.equal('01000000');
  });

  it('sends nothing for nothing', () => {
    const { transport, nftables } = open();
    nftables.apply([]);
    nftables.apply([{ kind: 'add', table, set: 's', elements: [] }]);
    expect(transport.requests.filter(({ type }) => type !== GET_SET)).to.deep.equal([]);
  });

  it('makes room for a transaction that exceeds the send buffer, rather than dividing it', () => {
    const { transport, nftables } = open();
    transport.sendBufferBytes = 1_000;
    nftables.apply([{ kind: 'add', table, set: 's', elements: keys(1_000) }]);
    expect(transport.sends).to.equal(2);
    expect(transport.sendBufferBytes).to.be.greaterThan(20_000);
  });

  it('refuses what this process may not send at once, and sends none of it', () => {
    const { transport, nftables } = open();
    transport.growSendBuffer = () => {
      throw fakeSystemError('EPERM', 'setsockopt');
    };
    const error = thrown(() => nftables.apply([{ kind: 'add', table, set: 's', elements: keys(1_000) }]));
    expect(error.code).to.equal('FL_TRANSACTION_TOO_LARGE');
    expect(transport.sends).to.equal(1);
  });

  it('says that the whole was refused when the kernel refuses its beginning', () => {
    const { nftables } = open((request) => (request.type === NFNL_MSG_BATCH_BEGIN ? [refusal(request, 1)] : []));
    const error = thrown(() => nftables.apply([{ kind: 'add', table, set: 's', elements: keys(1) }]));
    expect(error).to.be.instanceOf(NftError);
    expect(error.code).to.equal('EPERM');
    expect(error.failures).to.deep.equal([]);
  });

  it('names the elements of a refused message where the kernel does not tell which one', () => {
    const { nftables } = open((request) => (request.type === NEW_ELEMENT ? [refusal(request, 23)] : []));
    const error = thrown(() => nftables.apply([{ kind: 'add', table, set: 's', elements: keys(3) }]));
    expect(error.message).to.contain('one of 3 from 10.0.0.1 . tcp . 0: ENFILE: the set is full');
    expect(error.failures[0]).to.include({ operation: 0 }).and.not.have.property('element');
  });

  it('keeps the code when answers were lost, as the outcome is unknown then', () => {
    const { transport, nftables } = open((request) => {
      if (request.type === NFNL_MSG_BATCH_END) transport.queue(fakeSystemError('ENOBUFS'));
      return [];
    });
    const error = thrown(() => nftables.apply([{ kind: 'add', table, set: 's', elements: keys(1) }]));
    expect(error.code).to.equal('ENOBUFS');
    expect(error).not.to.be.instanceOf(NftError);
  });
});

describe('Nftables.elements', () => {
  it('gives up on a set in which elements keep being there twice', () => {
    const list = new Encoder();
    list.string(1, 't').string(2, 's');
    list.nest(3, () => {
      for (let i = 0; i < 2; i++) {
        list.nest(1, () => list.nest(1, () => list.binary(1, Buffer.from('0a0000010600000000500000', 'hex'))));
      }
    });
    const payload = Buffer.concat([Buffer.from([1, 0, 0, 0]), list.bytes()]);
    const done = { type: 3, flags: 2, payload: Buffer.alloc(4) };
    const { nftables } = open((request) => [
      answer(request, { type: NEW_ELEMENT, flags: 2, payload }),
      answer(request, done),
    ]);
    expect(thrown(() => nftables.elements(table, 's')).code).to.equal('FL_DUMP_INTERRUPTED');
  });
});
