/** What a program does wrong is an exception that says so: never a crash, never a silently changed value. */
import { expect } from 'chai';
import {
  type BpfInstruction,
  constants as c,
  inNetns,
  netnsPath,
  packDatagrams,
  RawSocket,
  type SocketOptions,
} from './index.js';
import { localSocket } from './local.spec.helpers.js';
import { native } from './native.js';

const ACCEPT: BpfInstruction = { code: 0x06, jt: 0, jf: 0, k: 0xffffffff };
/** Wrong on purpose, past the compiler. */
const wrong = (value: unknown) => value as never;

describe('a wrong argument', () => {
  const valid: SocketOptions = { domain: c.AF_UNIX, type: c.SOCK_DGRAM, protocol: 0 };

  const options: [string, Record<string, unknown>, typeof TypeError | typeof RangeError][] = [
    ['a domain that is text', { domain: '1' }, TypeError],
    ['no domain', { domain: undefined }, TypeError],
    ['a fractional type', { type: 2.5 }, RangeError],
    ['a protocol that is NaN', { protocol: Number.NaN }, RangeError],
    ['a protocol beyond an int', { protocol: 2 ** 31 }, RangeError],
    ['a negative domain', { domain: -1 }, RangeError],
    ['a big integer', { protocol: 1n }, TypeError],
    ['a namespace that is a number', { netns: 7 }, TypeError],
    ['an empty namespace name', { netns: '' }, RangeError],
    ['a namespace name with a slash', { netns: 'a/b' }, RangeError],
    ['a namespace path with a null character', { netns: '/run/netns/a\0b' }, RangeError],
    ['a namespace path longer than the kernel takes', { netns: `/${'x'.repeat(5000)}` }, RangeError],
    ['a message size of zero', { messageSize: 0 }, RangeError],
    ['a huge message size', { messageSize: 2 ** 30 }, RangeError],
    ['a standstill of a second', { gatherMicroseconds: 1_000_000 }, RangeError],
    ['a batch of zero', { batch: 0 }, RangeError],
    ['a batch beyond 1,024', { batch: 1025 }, RangeError],
  ];
  for (const [name, part, kind] of options) {
    it(`of the constructor is refused: ${name}`, () => {
      expect(() => new RawSocket(wrong({ ...valid, ...part }))).to.throw(kind);
    });
  }

  const calls: [string, (s: RawSocket) => unknown, typeof TypeError | typeof RangeError][] = [
    ['bind without an address', (s) => s.bind(wrong(undefined)), TypeError],
    ['bind to text', (s) => s.bind(wrong('127.0.0.1')), TypeError],
    ['bind to an array', (s) => s.bind(wrong([1, 2])), TypeError],
    ['bind to words instead of bytes', (s) => s.bind(wrong(new Uint16Array(8))), TypeError],
    ['bind to a DataView', (s) => s.bind(wrong(new DataView(new ArrayBuffer(16)))), TypeError],
    ['bind to one byte', (s) => s.bind(Buffer.alloc(1)), RangeError],
    ['bind to more than a sockaddr_storage', (s) => s.bind(Buffer.alloc(129)), RangeError],
    ['connect to an object', (s) => s.connect(wrong({ length: 16 })), TypeError],
    ['send text', (s) => s.send(wrong('data')), TypeError],
    ['send to text', (s) => s.send(Buffer.alloc(1), wrong('somewhere')), TypeError],
    ['send with text for flags', (s) => s.send(Buffer.alloc(1), undefined, wrong('x')), TypeError],
    ['send with negative flags', (s) => s.send(Buffer.alloc(1), undefined, -1), RangeError],
    ['sendBatch of one buffer', (s) => s.sendBatch(wrong(Buffer.alloc(4))), TypeError],
    ['sendBatch of text', (s) => s.sendBatch(wrong(['a'])), TypeError],
    ['sendBatch of a sparse array', (s) => s.sendBatch(new Array(3)), TypeError],
    ['sendPacked of text', (s) => s.sendPacked(wrong('packed')), TypeError],
    ['sendPacked of half a header', (s) => s.sendPacked(Buffer.alloc(3)), RangeError],
    ['sendPacked of less than it says', (s) => s.sendPacked(Uint8Array.of(16, 0, 1, 0, 1)), RangeError],
    [
      'a datagram to pack that is too long',
      () => packDatagrams([{ data: new Uint8Array(65_536), address: new Uint8Array(2) }]),
      RangeError,
    ],
    ['receive of no messages', (s) => s.receive(0), RangeError],
    ['receive of half a message', (s) => s.receive(0.5), RangeError],
    ['poll for a negative time', (s) => s.poll(-1), RangeError],
    ['poll for ever', (s) => s.poll(Number.POSITIVE_INFINITY), RangeError],
    ['setsockopt with a fraction', (s) => s.setsockopt(1, 2, 0.5), RangeError],
    ['setsockopt with 33 bits', (s) => s.setsockopt(1, 2, 2 ** 32), RangeError],
    ['setsockopt with true', (s) => s.setsockopt(1, 2, wrong(true)), TypeError],
    ['setsockopt without a value', (s) => s.setsockopt(1, 2, wrong(undefined)), TypeError],
    ['getsockopt of a negative length', (s) => s.getsockopt(1, 2, -1), RangeError],
    ['getsockopt of a gigabyte', (s) => s.getsockopt(1, 2, 2 ** 30), RangeError],
    ['an empty filter', (s) => s.attachFilter([]), RangeError],
    ['a filter of 4,097 instructions', (s) => s.attachFilter(new Array(4097).fill(ACCEPT)), RangeError],
    ['a filter with a jump of 256', (s) => s.attachFilter([{ ...ACCEPT, jt: 256 }]), RangeError],
    ['a filter with a 33-bit operand', (s) => s.attachFilter([{ ...ACCEPT, k: 2 ** 32 }]), RangeError],
    ['a filter that is not an array', (s) => s.attachFilter(wrong(Buffer.alloc(8))), TypeError],
    ['a listener that is not a function', (s) => s.onMessages(wrong('listener')), TypeError],
    ['no listener', (s) => s.onMessages(wrong(undefined)), TypeError],
    ['an error listener that is not a function', (s) => s.onMessages(() => {}, wrong(7)), TypeError],
  ];
  for (const [name, call, kind] of calls) {
    it(`is refused: ${name}`, () => {
      const socket = localSocket();
      expect(() => call(socket)).to.throw(kind);
      socket.close();
    });
  }

  it('is refused: inNetns without a function, and names that are none', () => {
    expect(() => inNetns('/proc/self/ns/net', wrong(undefined))).to.throw(TypeError, 'fn must be a function');
    for (const name of ['', '.', '..', 'a/b', 'a\0b', 'x'.repeat(256)]) {
      expect(() => netnsPath(name), JSON.stringify(name)).to.throw(RangeError);
    }
    expect(() => netnsPath(wrong(undefined))).to.throw(TypeError);
  });
});

describe('after close()', () => {
  it('every method throws EBADF, and close() is quiet', () => {
    const socket = localSocket();
    const address = socket.getsockname();
    socket.close();
    socket.close();
    expect(socket.closed).to.equal(true);
    expect(socket.fd).to.equal(-1);
    const calls: Record<string, () => unknown> = {
      bind: () => socket.bind(address),
      connect: () => socket.connect(address),
      getsockname: () => socket.getsockname(),
      setsockopt: () => socket.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 4096),
      getsockopt: () => socket.getsockopt(c.SOL_SOCKET, c.SO_RCVBUF),
      attachFilter: () => socket.attachFilter([ACCEPT]),
      send: () => socket.send(Buffer.from('x'), address),
      sendBatch: () => socket.sendBatch([Buffer.from('x')], address),
      sendPacked: () => socket.sendPacked(packDatagrams([{ data: Buffer.from('x'), address }])),
      receive: () => socket.receive(),
      absorb: () => socket.absorb({ address, data: address }),
      poll: () => socket.poll(0),
      onMessages: () => socket.onMessages(() => {}),
      'onMessages(null)': () => socket.onMessages(null),
      ref: () => socket.ref(),
      unref: () => socket.unref(),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect(call, name).to.throw(Error, 'EBADF').that.includes({ code: 'EBADF', errno: -9 });
    }
  });

  it('a descriptor number that the kernel gave to someone else is left alone', () => {
    const first = localSocket();
    const { fd } = first;
    first.close();
    const second = localSocket();
    expect(second.fd, 'the lowest free number is used again').to.equal(fd);
    first.close();
    expect(second.getsockname().length).to.be.greaterThan(2);
    second.close();
  });
});

describe('the addon itself', () => {
  const make = () => new native.Socket(c.AF_UNIX, c.SOCK_DGRAM, 0, undefined, 100, 1, 0);

  it('refuses methods on objects that are not its sockets', () => {
    const prototype = native.Socket.prototype as unknown as Record<string, () => unknown>;
    const foreign = [{}, Object.create(prototype), [], () => {}, new Date(), 7, undefined];
    for (const name of Object.getOwnPropertyNames(prototype).filter((key) => key !== 'constructor')) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
      for (const self of foreign) {
        const call = () => (descriptor.get ?? descriptor.value).call(self);
        expect(call, name).to.throw(TypeError);
      }
    }
  });

  it('refuses to be called without new', () => {
    expect(() => (native.Socket as unknown as () => void)()).to.throw(TypeError, 'class');
  });

  it('checks that the memory it is lent is large enough', () => {
    const socket = make();
    const memory = new Uint8Array(512 + 128 + 104);
    expect(socket.receive(1, 0, memory, new Int32Array(4))).to.equal(0);
    expect(() => socket.receive(1, 0, memory.subarray(8), new Int32Array(4))).to.throw(RangeError);
    expect(() => socket.receive(1, 0, memory, new Int32Array(3))).to.throw(RangeError);
    expect(() => socket.receive(1, 0, memory, wrong(new Float32Array(4)))).to.throw(TypeError);
    expect(() => socket.receive(1, 0, new Uint8Array(memory.buffer, 0, 0), new Int32Array(4))).to.throw(RangeError);
    expect(() => socket.receive(1, 0, new Uint8Array(2048).subarray(1), new Int32Array(4))).to.throw(RangeError);
    socket.close();
  });

  it('checks the length of a filter program', () => {
    const socket = make();
    for (const length of [0, 4, 12, 4097 * 8]) {
      expect(() => socket.attachFilter(new Uint8Array(length)), `${length} bytes`).to.throw(RangeError);
    }
    socket.close();
  });
});

describe('arguments that change while they are read', () => {
  it('a getter that closes the socket ends sendBatch with EBADF', () => {
    const socket = localSocket();
    const frames = [Buffer.from('a'), Buffer.from('b')];
    Object.defineProperty(frames, 1, {
      get() {
        socket.close();
        return Buffer.from('b');
      },
    });
    expect(() => socket.sendBatch(frames, Buffer.alloc(16))).to.throw(Error, 'EBADF');
  });

  it('a getter that takes an earlier frame away sends an empty one, not freed memory', () => {
    const [from, to] = [localSocket(), localSocket()];
    const first = new Uint8Array(100_000).fill(1);
    const frames: Uint8Array[] = [first, Buffer.from('b')];
    Object.defineProperty(frames, 1, {
      get() {
        structuredClone(first, { transfer: [first.buffer] });
        return Buffer.from('b');
      },
    });
    expect(from.sendBatch(frames, to.getsockname())).to.equal(2);
    expect(to.receive().map(({ data }) => data.length)).to.deep.equal([0, 1]);
    from.close();
    to.close();
  });
});
