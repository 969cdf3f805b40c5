import { constants } from 'node:os';
import { expect } from 'chai';
import type { Request } from './batch.js';
import { NetlinkError } from './errors.js';
import { acknowledgement, answer, FakeTransport, fakeSystemError, multipart, refusal } from './fake-transport.js';
import { encodeMessages, type NetlinkMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR } from './message.js';
import { NetlinkSocket } from './socket.js';

const payload = (value: number) => Buffer.from([value, 0, 0, 0]);
const ask = (value = 1): Request => ({ type: 0x20, body: payload(value), operation: `ask ${value}` });
const values = (messages: NetlinkMessage[]) => messages.map((message) => message.payload[0]);

function open(transport: FakeTransport): NetlinkSocket {
  return new NetlinkSocket({ protocol: 0, transport });
}

describe('NetlinkSocket.request', () => {
  it('asks for an acknowledgement and returns what comes before it', () => {
    const transport = new FakeTransport((request) => [
      answer(request, { type: 0x21, payload: payload(7) }),
      acknowledgement(request),
    ]);
    expect(values(open(transport).request(ask()))).to.deep.equal([7]);
    expect(transport.requests[0]!.flags & NLM_F_ACK).to.equal(NLM_F_ACK);
  });

  it('throws a refusal with operation, code and explanation', () => {
    const socket = open(new FakeTransport((request) => [refusal(request, 19, 'Invalid output device')]));
    expect(() => socket.request(ask(3)))
      .to.throw(NetlinkError, 'ask 3: ENODEV: no such device (kernel: Invalid output device)')
      .that.includes({ code: 'ENODEV', operation: 'ask 3', extack: 'Invalid output device' });
  });

  it('skips answers to earlier requests', () => {
    let earlier: NetlinkMessage | undefined;
    const transport = new FakeTransport((request) => {
      if (!earlier) {
        earlier = request;
        return [];
      }
      return [refusal(earlier, 17), acknowledgement(request)];
    });
    const socket = open(transport);
    expect(() => socket.request({ ...ask(), timeoutMs: 1 })).to.throw(NetlinkError);
    expect(socket.request(ask())).to.deep.equal([]);
  });

  it('skips messages for another port, and everything that the kernel did not send', () => {
    const transport = new FakeTransport((request) => {
      const forged = encodeMessages([
        { type: 0x21, flags: 0, sequence: request.sequence, port: 99, payload: payload(1) },
      ]);
      transport.queue(forged, {
        data: answer(request, { type: 0x21, payload: payload(2) }),
        fromKernel: false,
        truncated: false,
      });
      return [answer(request, { type: 0x21, payload: payload(3) }), acknowledgement(request)];
    });
    expect(values(open(transport).request(ask()))).to.deep.equal([3]);
  });

  it('gives up when no answer comes', () => {
    const socket = open(new FakeTransport(() => []));
    expect(() => socket.request({ ...ask(), timeoutMs: 5 }))
      .to.throw(NetlinkError, 'ask 1: ETIMEDOUT: the kernel did not answer in time')
      .that.includes({ code: 'ETIMEDOUT' });
  });

  it('surfaces lost answers as ENOBUFS, and works again afterwards', () => {
    let lose = true;
    const transport = new FakeTransport((request) => {
      if (lose) transport.queue(fakeSystemError('ENOBUFS'));
      return [acknowledgement(request)];
    });
    const socket = open(transport);
    expect(() => socket.request(ask()))
      .to.throw(NetlinkError, 'read the state again')
      .that.includes({ code: 'ENOBUFS' });
    lose = false;
    expect(socket.request(ask())).to.deep.equal([]);
  });

  it('tells a refusal of the same name from lost answers, by what it means for the request where that says so', () => {
    const socket = open(new FakeTransport((request) => [refusal(request, constants.errno.ENOBUFS)]));
    expect(() => socket.request(ask())).to.throw(NetlinkError, 'ask 1: ENOBUFS: the kernel has no room for it');
    const reasons = { ENOBUFS: 'the table is full' };
    expect(() => socket.request({ ...ask(), reasons })).to.throw(NetlinkError, 'ask 1: ENOBUFS: the table is full');
  });

  it('refuses a truncated datagram', () => {
    const transport = new FakeTransport((request) => {
      transport.queue({ data: acknowledgement(request), fromKernel: true, truncated: true });
      return [];
    });
    expect(() => open(transport).request(ask()))
      .to.throw(NetlinkError)
      .that.includes({ code: 'FL_NETLINK_TRUNCATED' });
  });

  it('wraps a failing send', () => {
    const transport = new FakeTransport(() => {
      throw fakeSystemError('EBADF', 'sendto');
    });
    expect(() => open(transport).request(ask()))
      .to.throw(NetlinkError)
      .that.includes({ code: 'EBADF' });
  });
});

describe('NetlinkSocket.dump', () => {
  it('collects all parts until the end', () => {
    const part = (request: NetlinkMessage, value: number) =>
      answer(request, { type: 0x21, flags: 2, payload: payload(value) });
    const transport = new FakeTransport((request) => [
      part(request, 1),
      Buffer.concat([part(request, 2), part(request, 3)]),
      multipart(request, [{ type: 0x21, payload: payload(4) }]),
    ]);
    expect(values(open(transport).dump(ask()))).to.deep.equal([1, 2, 3, 4]);
    expect(transport.requests[0]!.flags & (NLM_F_DUMP | NLM_F_ACK)).to.equal(NLM_F_DUMP);
  });

  it('begins again when the table changed meanwhile', () => {
    let attempt = 0;
    const transport = new FakeTransport((request) => {
      attempt++;
      return [
        multipart(request, [{ type: 0x21, payload: payload(attempt) }], { flags: attempt < 3 ? NLM_F_DUMP_INTR : 0 }),
      ];
    });
    expect(values(open(transport).dump(ask()))).to.deep.equal([3]);
  });

  it('gives up on a table that never stands still', () => {
    const socket = open(new FakeTransport((request) => [multipart(request, [], { flags: NLM_F_DUMP_INTR })]));
    expect(() => socket.dump(ask()))
      .to.throw(NetlinkError, 'ask 1')
      .that.includes({ code: 'FL_DUMP_INTERRUPTED' });
  });

  it('throws the error that ends a dump', () => {
    const socket = open(new FakeTransport((request) => [multipart(request, [], { errno: -2 })]));
    expect(() => socket.dump(ask()))
      .to.throw(NetlinkError)
      .that.includes({ code: 'ENOENT' });
  });

  it('leaves nothing of a failed dump behind', () => {
    const transport = new FakeTransport((request) => [Buffer.from('00'), multipart(request, [])]);
    expect(() => open(transport).dump(ask())).to.throw('malformed');
    expect(transport.receive()).to.deep.equal([]);
  });
});

describe('NetlinkSocket.batch', () => {
  it('sends everything at once and asks for one acknowledgement, at the end', () => {
    const transport = new FakeTransport();
    expect(open(transport).batch([ask(1), ask(2), ask(3)])).to.deep.equal([]);
    expect(transport.sends).to.equal(1);
    expect(transport.requests.map((request) => request.flags & NLM_F_ACK)).to.deep.equal([0, 0, NLM_F_ACK]);
  });

  it('does nothing for nothing', () => {
    const transport = new FakeTransport();
    expect(open(transport).batch([])).to.deep.equal([]);
    expect(transport.sends).to.equal(0);
  });

  it('tells which ones were refused, the last included', () => {
    const transport = new FakeTransport((request) =>
      [2, 4].includes(request.payload[0]!) ? [refusal(request, 17, 'taken')] : [acknowledgement(request)],
    );
    const failures = open(transport).batch([ask(1), ask(2), ask(3), ask(4)]);
    expect(failures.map(({ index, error }) => [index, error.code, error.operation, error.extack])).to.deep.equal([
      [1, 'EEXIST', 'ask 2', 'taken'],
      [3, 'EEXIST', 'ask 4', 'taken'],
    ]);
  });

  it('divides what does not fit the send buffer', () => {
    const transport = new FakeTransport((request) =>
      request.payload[0] === 9 ? [refusal(request, 22)] : [acknowledgement(request)],
    );
    transport.sendBufferBytes = 4 * 20 * 2; // half of it is used: four messages
    const failures = open(transport).batch(Array.from({ length: 10 }, (_, i) => ask(i)));
    expect(transport.sends).to.equal(3);
    expect(failures.map(({ index }) => index)).to.deep.equal([9]);
  });

  it('divides so that the refusals of all fit the receive buffer', () => {
    const transport = new FakeTransport((request) => [refusal(request, 1)]);
    transport.receiveBufferBytes = 5 * 2048;
    expect(open(transport).batch(Array.from({ length: 12 }, (_, i) => ask(i)))).to.have.length(12);
    expect(transport.sends).to.equal(3);
  });

  it('sends a message that alone exceeds the limit by itself', () => {
    const transport = new FakeTransport();
    transport.sendBufferBytes = 10;
    open(transport).batch([ask(), ask()]);
    expect(transport.sends).to.equal(2);
  });

  it('writes requests straight into the datagram, and names those only that were refused', () => {
    const named: number[] = [];
    const transport = new FakeTransport((request) =>
      request.payload[0] === 2 ? [refusal(request, 17)] : [acknowledgement(request)],
    );
    const failures = open(transport).batch({
      length: 4,
      header: () => ({ type: 0x20 }),
      write: (encoder, index) => encoder.word(index),
      operation: (index) => {
        named.push(index);
        return `ask ${index}`;
      },
    });
    expect(values(transport.requests)).to.deep.equal([0, 1, 2, 3]);
    expect(failures.map(({ index, error }) => [index, error.operation])).to.deep.equal([[2, 'ask 2']]);
    // The last one stands for the whole, should that fail.
    expect(named).to.deep.equal([3, 2]);
  });

  it('sends nothing when one of the requests cannot be written', () => {
    const transport = new FakeTransport();
    const broken = {
      length: 2,
      header: () => ({ type: 0x20 }),
      operation: () => '',
      write: (_: unknown, index: number) => {
        if (index === 1) throw new RangeError('no such port');
      },
    };
    expect(() => open(transport).batch(broken)).to.throw(RangeError);
    expect(transport.sends).to.equal(0);
  });

  it('throws when refusals were lost', () => {
    const transport = new FakeTransport((request) => {
      if (request.flags & NLM_F_ACK) transport.queue(fakeSystemError('ENOBUFS'));
      return [];
    });
    expect(() => open(transport).batch([ask(1), ask(2)]))
      .to.throw(NetlinkError, '2 requests up to "ask 2"')
      .that.includes({ code: 'ENOBUFS' });
  });
});

describe('NetlinkSocket.subscribe', () => {
  function listen(): { transport: FakeTransport; got: number[]; errors: string[] } {
    const transport = new FakeTransport();
    const got: number[] = [];
    const errors: string[] = [];
    new NetlinkSocket({ protocol: 0, groups: [1], transport }).subscribe(
      (messages) => got.push(...values(messages).map(Number)),
      (error) => errors.push((error as NetlinkError).code),
    );
    return { transport, got, errors };
  }
  const notification = (value: number) =>
    encodeMessages([{ type: 0x10, flags: 0, sequence: 0, payload: payload(value) }]);

  it('delivers notifications in order', () => {
    const { transport, got } = listen();
    transport.notify(Buffer.concat([notification(1), notification(2)]));
    transport.notify(notification(3));
    expect(got).to.deep.equal([1, 2, 3]);
  });

  it('reports lost and malformed notifications and goes on', () => {
    const { transport, got, errors } = listen();
    transport.notify(fakeSystemError('ENOBUFS'));
    transport.notify(Buffer.from('0000000000000000', 'hex'));
    transport.notify(notification(4));
    expect(errors).to.deep.equal(['ENOBUFS', 'FL_NETLINK_MALFORMED']);
    expect(got).to.deep.equal([4]);
  });

  it('empties the queue before it reports lost notifications, as the kernel drops all until then', () => {
    const transport = new FakeTransport();
    let queued: unknown[] | undefined;
    new NetlinkSocket({ protocol: 0, groups: [1], transport }).subscribe(
      () => {},
      () => {
        queued = transport.receive();
      },
    );
    transport.queue(notification(1), notification(2));
    transport.notify(fakeSystemError('ENOBUFS'));
    expect(queued).to.deep.equal([]);
  });

  it('is for sockets with groups, which then do not ask', () => {
    const asking = open(new FakeTransport());
    expect(() =>
      asking.subscribe(
        () => {},
        () => {},
      ),
    ).to.throw(TypeError, 'groups');
    const listening = new NetlinkSocket({ protocol: 0, groups: [1], transport: new FakeTransport() });
    expect(() => listening.request(ask())).to.throw(TypeError, 'ask on another one');
  });
});
