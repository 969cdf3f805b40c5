import { AsyncLocalStorage } from 'node:async_hooks';
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { constants as c, packDatagrams, packetProtocol, RawSocket, sockaddrIn, sockaddrNl } from './index.js';
import { hear, localSocket, texts } from './local.spec.helpers.js';

const openFds = () => readdirSync('/proc/self/fd').length;

describe('RawSocket', () => {
  let from: RawSocket;
  let to: RawSocket;
  beforeEach(() => {
    from = localSocket();
    to = localSocket();
  });
  afterEach(() => {
    from.close();
    to.close();
  });

  describe('send and receive', () => {
    it('carry datagrams in order, with the sender', () => {
      expect(from.send(Buffer.from('first'), to.getsockname())).to.equal(5);
      from.connect(to.getsockname());
      expect(from.send(Buffer.from('second'))).to.equal(6);
      const messages = to.receive();
      expect(texts(messages)).to.deep.equal(['first', 'second']);
      expect(messages[0]!.address).to.deep.equal(from.getsockname());
      expect(messages[0]).to.include({ flags: 0 });
      expect(messages[0]!.control).to.deep.equal([]);
    });

    it('receive nothing when nothing is there', () => {
      expect(to.receive()).to.deep.equal([]);
    });

    it('carry packed datagrams to different destinations, over and over, as far as none is refused', () => {
      const other = localSocket();
      const packed = packDatagrams([
        { data: Buffer.from('one'), address: to.getsockname() },
        { data: Buffer.from('two'), address: other.getsockname() },
        { data: new Uint8Array(0), address: to.getsockname() },
      ]);
      for (let round = 0; round < 2; round++) {
        expect(from.sendPacked(packed)).to.equal(3);
        expect(texts(to.receive())).to.deep.equal(['one', '']);
        expect(texts(other.receive())).to.deep.equal(['two']);
      }
      const gone = other.getsockname();
      other.close();
      const two = [
        { data: Buffer.from('a'), address: to.getsockname() },
        { data: Buffer.from('b'), address: gone },
      ];
      expect(from.sendPacked(packDatagrams(two))).to.equal(1);
      expect(texts(to.receive())).to.deep.equal(['a']);
      expect(() => from.sendPacked(packDatagrams(two.slice(1))))
        .to.throw(Error)
        .with.property('code', 'ECONNREFUSED');
      expect(from.sendPacked(packDatagrams([]))).to.equal(0);
    });

    it('carry as many packed datagrams as there are', async () => {
      to.close();
      to = localSocket({ gatherMicroseconds: 1 });
      const address = to.getsockname();
      const numbers = Array.from({ length: 200 }, (_, n) => `${n}`);
      const heard = hear(to, 200);
      let left = numbers;
      while (left.length > 0) {
        left = left.slice(from.sendPacked(packDatagrams(left.map((text) => ({ data: Buffer.from(text), address })))));
        await new Promise(setImmediate); // a socket of this kind has room for ten
      }
      expect(texts(await heard)).to.deep.equal(numbers);
    });

    it('carry an empty datagram', () => {
      expect(from.send(new Uint8Array(0), to.getsockname())).to.equal(0);
      expect(to.receive().map(({ data }) => data.length)).to.deep.equal([0]);
    });

    it('take part of a larger memory as it is', () => {
      from.send(Buffer.from('..part..').subarray(2, 6), to.getsockname());
      expect(texts(to.receive())).to.deep.equal(['part']);
    });

    it('leave what is beyond max for later', () => {
      for (const text of ['a', 'b', 'c']) from.send(Buffer.from(text), to.getsockname());
      expect(texts(to.receive(2))).to.deep.equal(['a', 'b']);
      expect(texts(to.receive(2))).to.deep.equal(['c']);
    });

    it('let a message be looked at first with MSG_PEEK', () => {
      from.send(Buffer.from('x'), to.getsockname());
      expect(texts(to.receive(1, c.MSG_PEEK))).to.deep.equal(['x']);
      expect(texts(to.receive())).to.deep.equal(['x']);
    });

    it('give every message memory of its own', () => {
      from.send(Buffer.from('kept for long'), to.getsockname());
      const [kept] = to.receive();
      const address = Buffer.from(kept!.address);
      for (let round = 0; round < 100; round++) {
        from.send(Buffer.from('overwrites it'), to.getsockname());
        to.receive()[0]!.data.fill(0);
      }
      expect(kept!.data.toString()).to.equal('kept for long');
      expect(kept!.address).to.deep.equal(address);
      expect(kept!.data.buffer.byteLength, 'not a view of something larger').to.equal(kept!.data.length);
    });

    it('say MSG_TRUNC when a datagram was longer than messageSize', () => {
      const small = localSocket({ messageSize: 10 });
      from.send(Buffer.alloc(11, 'x'), small.getsockname());
      from.send(Buffer.alloc(10, 'y'), small.getsockname());
      const [cut, whole] = small.receive();
      expect(cut).to.include({ flags: c.MSG_TRUNC });
      expect(cut!.data.toString()).to.equal('x'.repeat(10));
      expect(whole).to.include({ flags: 0 });
      expect(whole!.data.toString()).to.equal('y'.repeat(10));
      from.send(Buffer.alloc(1000, 'x'), small.getsockname());
      expect(small.receive(1, c.MSG_TRUNC)[0]!.data.toString(), 'asked for the true length').to.equal('x'.repeat(10));
      small.close();
    });

    it('work between sockets of different messageSize and batch, in turn', () => {
      const sizes = [1, 7, 8, 9, 4000, 100_000];
      const sockets = sizes.map((messageSize) => localSocket({ messageSize, batch: (messageSize % 5) + 1 }));
      from.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, 1_000_000);
      for (let round = 0; round < 3; round++) {
        for (const [index, socket] of sockets.entries()) {
          const data = Buffer.alloc(sizes[index]!, `${round}`);
          from.send(data, socket.getsockname());
          from.send(data, socket.getsockname());
          const messages = [...socket.receive(), ...socket.receive()];
          expect(messages.map((message) => message.data)).to.deep.equal([data, data]);
        }
      }
      for (const socket of sockets) socket.close();
    });

    it('bring control messages', () => {
      to.setsockopt(c.SOL_SOCKET, c.SO_TIMESTAMPNS, 1);
      const SO_PASSCRED = 16;
      to.setsockopt(c.SOL_SOCKET, SO_PASSCRED, 1);
      for (const text of ['a', 'b']) from.send(Buffer.from(text), to.getsockname());
      for (const { control } of to.receive()) {
        const SCM_CREDENTIALS = 2;
        expect(control.map(({ level, type }) => [level, type])).to.have.deep.members([
          [c.SOL_SOCKET, c.SCM_TIMESTAMPNS],
          [c.SOL_SOCKET, SCM_CREDENTIALS],
        ]);
        const credentials = control.find(({ type }) => type === SCM_CREDENTIALS)!.data;
        const ids = [...new Int32Array(new Uint8Array(credentials).buffer)];
        expect(ids).to.deep.equal([process.pid, process.getuid!(), process.getgid!()]);
        expect(control.find(({ type }) => type === c.SCM_TIMESTAMPNS)!.data).to.have.length(16);
      }
    });
  });

  describe('sendBatch', () => {
    it('sends in order, more than one system call takes', () => {
      const netlink = () => {
        const socket = new RawSocket({ domain: c.AF_NETLINK, type: c.SOCK_RAW, protocol: 2 /* NETLINK_USERSOCK */ });
        socket.bind(sockaddrNl());
        return socket;
      };
      const [a, b] = [netlink(), netlink()];
      const frames = Array.from({ length: 150 }, (_, index) => Buffer.from(`frame ${index}`));
      expect(a.sendBatch(frames, b.getsockname())).to.equal(150);
      const heard = [...b.receive(), ...b.receive(), ...b.receive()];
      expect(texts(heard)).to.deep.equal(frames.map(String));
      a.close();
      b.close();
    });

    it('tells how many went when the kernel took no more, and throws EAGAIN when it takes none', () => {
      // A local socket queues net.unix.max_dgram_qlen datagrams, then refuses.
      const frames = new Array<Buffer>(5000).fill(Buffer.from('x'));
      const went = from.sendBatch(frames, to.getsockname());
      expect(went).to.be.greaterThan(0).and.lessThan(5000);
      expect(() => from.sendBatch(frames, to.getsockname()))
        .to.throw(Error, 'EAGAIN')
        .with.property('code', 'EAGAIN');
      expect(() => from.send(frames[0]!, to.getsockname()))
        .to.throw(Error, 'EAGAIN')
        .with.property('code', 'EAGAIN');
      let heard = 0;
      for (let batch = to.receive(); batch.length > 0; batch = to.receive()) heard += batch.length;
      expect(heard).to.equal(went);
    });

    it('sends nothing of nothing', () => {
      expect(from.sendBatch([])).to.equal(0);
    });
  });

  describe('poll', () => {
    it('is true at once when something is there', () => {
      from.send(Buffer.from('x'), to.getsockname());
      expect(to.poll(60_000)).to.equal(true);
    });

    it('is false when the time is over, and not before', () => {
      const before = performance.now();
      expect(to.poll(30)).to.equal(false);
      expect(performance.now() - before).to.be.at.least(29);
      expect(to.poll(0)).to.equal(false);
    });
  });

  describe('options', () => {
    it('are set from a number and from bytes, and read back', () => {
      from.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 100_000);
      expect(from.getsockopt(c.SOL_SOCKET, c.SO_RCVBUF).readInt32LE()).to.equal(200_000); // the kernel doubles it
      from.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, Buffer.from(new Int32Array([50_000]).buffer));
      expect(from.getsockopt(c.SOL_SOCKET, c.SO_RCVBUF).readInt32LE()).to.equal(100_000);
    });

    it('are as long as the kernel made them', () => {
      expect(from.getsockopt(c.SOL_SOCKET, c.SO_TYPE, 100)).to.have.length(4);
      expect(from.getsockopt(c.SOL_SOCKET, c.SO_TYPE, 2)).to.have.length(2);
    });

    it('say that the socket is close-on-exec and non-blocking', () => {
      const flags = Number.parseInt(
        /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${from.fd}`, 'utf8'))![1]!,
        8,
      );
      expect(flags & 0o4000, 'O_NONBLOCK').to.equal(0o4000);
      expect(flags & 0o2000000, 'O_CLOEXEC').to.equal(0o2000000);
    });
  });

  describe('onMessages', () => {
    it('hears what comes later, in order', async () => {
      const heard = hear(to, 3);
      for (const text of ['a', 'b', 'c']) from.send(Buffer.from(text), to.getsockname());
      expect(texts(await heard)).to.deep.equal(['a', 'b', 'c']);
    });

    it('gives at most a batch to one call, and the rest to the next', async () => {
      const small = localSocket({ batch: 2 });
      const sizes: number[] = [];
      for (const text of ['a', 'b', 'c', 'd', 'e']) from.send(Buffer.from(text), small.getsockname());
      await new Promise<void>((resolve) => {
        small.onMessages((messages) => {
          sizes.push(messages.length);
          if (sizes.length === 3) resolve();
        });
      });
      expect(sizes).to.deep.equal([2, 2, 1]);
      small.close();
    });

    it('hears nothing after null, and what waited meanwhile when it listens again', async () => {
      const first = hear(to, 1);
      from.send(Buffer.from('a'), to.getsockname());
      await first;
      to.onMessages(() => expect.fail('the listener was taken away'));
      to.onMessages(null);
      to.onMessages(null);
      from.send(Buffer.from('b'), to.getsockname());
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      expect(texts(await hear(to, 1))).to.deep.equal(['b']);
    });

    it('replaces one listener by the next', async () => {
      to.onMessages(() => expect.fail('the first listener was replaced'));
      const heard = hear(to, 1);
      from.send(Buffer.from('x'), to.getsockname());
      expect(texts(await heard)).to.deep.equal(['x']);
    });

    it('may close the socket, or replace the listener, inside the listener', async () => {
      for (const text of ['a', 'b']) from.send(Buffer.from(text), to.getsockname());
      const small = localSocket({ batch: 1 });
      for (const text of ['a', 'b']) from.send(Buffer.from(text), small.getsockname());
      const second = new Promise<string[]>((resolve) => {
        small.onMessages(() => small.onMessages((messages) => resolve(texts(messages))));
      });
      let calls = 0;
      await new Promise<void>((resolve) => {
        to.onMessages(() => {
          calls++;
          to.close();
          resolve();
        });
      });
      expect(await second).to.deep.equal(['b']);
      expect(calls).to.equal(1);
      small.close();
    });

    it('closes another socket that is about to be heard, which then stays silent', async () => {
      const [a, b] = [localSocket(), localSocket()];
      let calls = 0;
      const closeBoth = () => {
        calls++;
        a.close();
        b.close();
      };
      a.onMessages(closeBoth);
      b.onMessages(closeBoth);
      from.send(Buffer.from('x'), a.getsockname());
      from.send(Buffer.from('x'), b.getsockname());
      while (calls === 0) await new Promise(setImmediate);
      await new Promise(setImmediate);
      expect(calls).to.equal(1);
    });

    it('runs the listener where onMessages was called, for AsyncLocalStorage', async () => {
      const storage = new AsyncLocalStorage<string>();
      const seen = new Promise((resolve) => {
        storage.run('here', () => to.onMessages(() => resolve(storage.getStore())));
      });
      from.send(Buffer.from('x'), to.getsockname());
      expect(await seen).to.equal('here');
    });

    it('runs microtasks and ticks between two listeners', async () => {
      const order: string[] = [];
      const small = localSocket({ batch: 1 });
      for (const text of ['a', 'b']) from.send(Buffer.from(text), small.getsockname());
      await new Promise<void>((resolve) => {
        small.onMessages(([message]) => {
          order.push(`${message!.data}`);
          process.nextTick(() => order.push('tick'));
          void Promise.resolve().then(() => order.push('microtask'));
          if (order.length > 2) resolve();
        });
      });
      small.close();
      expect(order.slice(0, 4)).to.deep.equal(['a', 'tick', 'microtask', 'b']);
    });

    it('gives a pending error to onError, and goes on listening', async () => {
      // A datagram to a closed port makes the socket that sent it fail once: the same road as ENETDOWN of a packet socket.
      const open = (address: Uint8Array) => {
        const socket = new RawSocket({ domain: c.AF_INET, type: c.SOCK_DGRAM, protocol: 0 });
        socket.bind(address);
        return socket;
      };
      const ofAnyPort = sockaddrIn({ address: '127.77.0.1', port: 0 });
      const [socket, closed] = [open(ofAnyPort), open(ofAnyPort)];
      const there = closed.getsockname();
      closed.close();
      socket.connect(there);
      const beAnswered = () => {
        const peer = open(there);
        peer.send(Buffer.from('x'), socket.getsockname());
        peer.close();
      };
      const heard: string[] = [];
      await new Promise<void>((resolve) => {
        socket.onMessages(
          () => {
            heard.push('message');
            if (heard.length === 2) socket.send(Buffer.from('x'));
            if (heard.length === 4) resolve();
          },
          ({ code, syscall }) => {
            heard.push(`${code} ${syscall}`);
            beAnswered();
          },
        );
        socket.send(Buffer.from('x'));
      });
      expect(heard).to.deep.equal(['ECONNREFUSED recvmmsg', 'message', 'ECONNREFUSED recvmmsg', 'message']);
      socket.close();
    });
  });

  it('closes its descriptor, listening or not: 2,000 sockets leave none behind', async () => {
    const before = openFds();
    for (let index = 0; index < 2000; index++) {
      const socket = localSocket();
      if (index % 2 === 0) socket.onMessages(() => {});
      socket.close();
      if (index % 100 === 0) await new Promise(setImmediate);
    }
    for (let index = 0; index < 100; index++) {
      expect(() => new RawSocket({ domain: c.AF_UNIX, type: 99, protocol: 0 })).to.throw();
      expect(
        () => new RawSocket({ domain: c.AF_UNIX, type: c.SOCK_DGRAM, protocol: 0, netns: '/proc/self/ns/uts' }),
      ).to.throw();
    }
    expect(openFds()).to.equal(before);
  });

  it('gives AF_PACKET protocols in network order', () => {
    expect(packetProtocol(c.ETH_P_ARP)).to.equal(0x0608);
    expect(packetProtocol(0x86dd)).to.equal(0xdd86);
  });
});
