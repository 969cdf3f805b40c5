/** Questions over connections of their own, to servers in this process or to nobody. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { runNode } from './child.spec.helpers.js';
import { type Exchange, exchange, type SystemError, sockaddrIn, sockaddrIn6 } from './index.js';

interface Outcome {
  error: SystemError | undefined;
  answer: string;
}

const never = () => {
  throw new Error('this was given up');
};
const openFds = () => readdirSync('/proc/self/fd').length;

describe('exchange', function () {
  this.timeout(60_000); // processes, on a machine that may be busy
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  /** The address of a server that treats each connection so. */
  async function listen(onConnection: (socket: Socket) => void, host = '127.0.0.1'): Promise<Buffer> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.on('close', () => sockets.delete(socket));
      onConnection(socket);
    });
    server.listen({ port: 0, host, backlog: 4_096 });
    await once(server, 'listening');
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return addressOf(server);
  }

  function addressOf(server: Server): Buffer {
    const { address, port, family } = server.address() as AddressInfo;
    return family === 'IPv6' ? sockaddrIn6({ address, port }) : sockaddrIn({ address, port });
  }

  async function refusing(): Promise<Buffer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = addressOf(server);
    await new Promise((resolve) => server.close(resolve));
    return address;
  }

  const question = (address: Uint8Array, enough = 1, request = 'what?'): Exchange => ({
    address,
    request: Buffer.from(request),
    enough,
  });
  const ask = (asked: Exchange) =>
    new Promise<Outcome>((resolve) => void exchange(asked, (error, answer) => resolve({ error, answer })));
  /** A server that sends one piece after the other, each once the one before has gone. */
  const pieces =
    (...texts: string[]) =>
    (socket: Socket) => {
      const rest = [...texts];
      const next = () => {
        const text = rest.shift();
        if (text !== undefined) socket.write(text, 'latin1', () => setImmediate(next));
      };
      socket.setNoDelay().resume();
      next();
    };

  for (const host of ['127.0.0.1', '::1']) {
    it(`sends the request to ${host}, and has the answer byte by byte`, async () => {
      let request = '';
      const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, index) => index));
      const address = await listen((socket) => {
        socket.setEncoding('latin1').on('data', (text) => {
          request += text;
          if (request.endsWith('?')) socket.write(bytes, 'latin1');
        });
      }, host);
      expect(await ask(question(address, 256))).to.deep.equal({ error: undefined, answer: bytes });
      expect(request).to.equal('what?');
    });
  }

  it('waits for enough of an answer that comes in pieces', async () => {
    const address = await listen(pieces('a', 'bc', 'def', 'g'));
    const { error, answer } = await ask(question(address, 6));
    expect(error).to.equal(undefined);
    expect(answer).to.match(/^abcdefg?$/);
  });

  it('has as much as is there when that is more than enough, but 1,024 bytes at most', async () => {
    const address = await listen((socket) => socket.write('x'.repeat(5_000)));
    for (const enough of [1, 1_024]) {
      const { error, answer } = await ask(question(address, enough));
      expect(error).to.equal(undefined);
      expect(answer.length).to.be.within(enough, 1_024);
    }
  });

  it('has less than enough when the other end closes the connection', async () => {
    for (const text of ['', 'HT']) {
      const address = await listen((socket) => socket.resume().end(text));
      expect(await ask(question(address, 13))).to.deep.equal({ error: undefined, answer: text });
    }
  });

  it('asks nothing and waits for nothing, where the connection says enough', async () => {
    let heard = '';
    const closed = new Promise<void>((resolve) => {
      void listen((socket) => {
        socket.on('data', (data) => {
          heard += data;
        });
        socket.on('end', () => resolve());
      }).then((address) => exchange(question(address, 0, ''), () => {}));
    });
    await closed;
    expect(heard).to.equal('');
  });

  it('sends the whole of a long request to somebody who does not read at first', async () => {
    const request = 'x'.repeat(65_536);
    let length = 0;
    const address = await listen((socket) => {
      socket.pause();
      socket.on('data', (data) => {
        length += data.length;
        if (length === request.length) socket.write('!');
      });
      setImmediate(() => socket.resume());
    });
    expect(await ask(question(address, 1, request))).to.deep.equal({ error: undefined, answer: '!' });
  });

  it('tells what is refused, whether or not there is something to send, and never from within the call', async () => {
    const address = await refusing();
    for (const request of ['', 'what?']) {
      let returned = false;
      const told = new Promise<SystemError | undefined>((resolve) => {
        exchange(question(address, 0, request), (error, answer) => {
          expect(returned).to.equal(true);
          expect(answer).to.equal('');
          resolve(error);
        });
        returned = true;
      });
      expect(await told).to.include({ code: 'ECONNREFUSED', errno: -111, syscall: 'connect' });
    }
  });

  it('tells a reset', async () => {
    const address = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { error, answer } = await ask(question(address));
    expect(error).to.include({ code: 'ECONNRESET', errno: -104, syscall: 'read' });
    expect(answer).to.equal('');
  });

  it('tells that there is no such family of sockets', async () => {
    const address = Buffer.alloc(16, 0xee);
    expect((await ask(question(address))).error).to.include({ code: 'EAFNOSUPPORT', syscall: 'socket' });
  });

  it('closes a connection whose answer it has read with a FIN, not with a reset', async () => {
    const ended = new Promise<string>((resolve) => {
      void listen((socket) => {
        socket.on('end', () => resolve('end')).on('error', ({ message }) => resolve(message));
        pieces('answer')(socket);
      }).then((address) => ask(question(address, 6)));
    });
    expect(await ended).to.equal('end');
  });

  describe('that is given up', () => {
    const stages: [string, (now: () => void) => (socket: Socket) => void][] = [
      ['when it is connected', (now) => () => now()],
      ['when the request has come', (now) => (socket) => socket.once('data', () => now())],
      ['when a part of the answer has come', (now) => (socket) => socket.resume().write('HT', () => setImmediate(now))],
      ['when the answer is there', (now) => (socket) => socket.resume().write('x'.repeat(100), () => now())],
    ];
    for (const [stage, treat] of stages) {
      it(`${stage}, is closed and tells nothing`, async () => {
        let giveUp = () => {};
        const closed = new Promise<void>((resolve) => {
          void listen((socket) => {
            socket.on('end', resolve).on('error', () => resolve());
            treat(() => giveUp())(socket.resume());
          }).then((address) => {
            giveUp = exchange(question(address, 50), never);
          });
        });
        await closed;
        giveUp();
      });
    }

    it('at once, or when it has failed at once, tells nothing', async () => {
      const server = await listen(() => {});
      for (const address of [server, await refusing(), Buffer.alloc(16, 0xee)]) {
        const giveUp = exchange(question(address), never);
        giveUp();
        giveUp();
      }
      await new Promise(setImmediate);
    });

    it('by its own callback, or after it, is given up in vain, and another one is left alone', async () => {
      const address = await listen(pieces('answer'));
      let other!: Promise<Outcome>;
      await new Promise<void>((resolve) => {
        const giveUp = exchange(question(address), () => {
          giveUp();
          other = ask(question(address, 6));
          giveUp();
          resolve();
        });
      });
      expect((await other).answer).to.equal('answer');
    });

    it('by the callback of another one that ended in the same turn, tells nothing', async () => {
      const address = await listen(() => {});
      const told: number[] = [];
      const all = Array.from({ length: 200 }, (_, index) =>
        exchange(question(address, 0), () => {
          told.push(index);
          for (const giveUp of all) giveUp();
        }),
      );
      while (told.length === 0) await new Promise(setImmediate);
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      expect(told).to.have.lengthOf(1);
    });
  });

  it('is done a thousand times at once, and leaves no descriptor behind', async () => {
    const address = await listen((socket) => socket.on('data', () => socket.end('answer')));
    await ask(question(address));
    await new Promise(setImmediate);
    const before = openFds();
    const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => ask(question(address, 6))));
    for (const outcome of outcomes) expect(outcome).to.deep.equal({ error: undefined, answer: 'answer' });
    // Those of the server are closed a little later.
    while (openFds() > before) await new Promise(setImmediate);
  });

  it('refuses what it cannot send, and what it cannot wait for', async () => {
    const address = await refusing();
    const good = question(address);
    const cases: [Partial<Record<keyof Exchange, unknown>>, string][] = [
      [{ address: '127.0.0.1' }, 'TypeError'],
      [{ address: Buffer.alloc(1) }, 'RangeError'],
      [{ address: Buffer.alloc(129) }, 'RangeError'],
      [{ request: 'text' }, 'TypeError'],
      [{ request: undefined }, 'TypeError'],
      [{ request: Buffer.alloc(65_537) }, 'RangeError'],
      [{ enough: -1 }, 'RangeError'],
      [{ enough: 1_025 }, 'RangeError'],
      [{ enough: 0.5 }, 'RangeError'],
      [{ enough: undefined }, 'TypeError'],
    ];
    const before = openFds();
    for (const [part, name] of cases) {
      expect(() => exchange({ ...good, ...part } as Exchange, never), JSON.stringify(part))
        .to.throw()
        .with.property('name', name);
    }
    expect(() => exchange(good, 'no function' as never)).to.throw(TypeError);
    expect(openFds()).to.equal(before);
  });

  /** A server of the child that keeps nobody waiting for its own end. */
  const SERVER = `
    import { createServer } from 'node:net';
    import { once } from 'node:events';
    const serve = async (treat) => {
      const server = createServer((socket) => { socket.unref().on('error', () => {}); treat(socket); });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      server.unref();
      return raw.sockaddrIn(server.address());
    };
    const asked = (address, enough = 1) => ({ address, request: Buffer.from('what?'), enough });
  `;

  it('tells that there are no descriptors left', async () => {
    const { code, stdout, stderr } = await runNode(
      `${SERVER}
      const address = await serve((socket) => socket.on('data', () => socket.write('answer')));
      const ask = () => new Promise((resolve) => raw.exchange(asked(address), (error, answer) => resolve(error ?? answer)));
      await ask();
      const all = [];
      try { for (;;) all.push(unix()); } catch {}
      const { code, syscall } = await ask();
      console.log(code, syscall);
      for (const s of all) s.close();
      console.log(await ask());
    `,
      { wrapper: ['prlimit', '--nofile=100:100'] },
    );
    expect({ code, stdout, stderr }).to.deep.equal({ code: 0, stdout: 'EMFILE socket\nanswer\n', stderr: '' });
  });

  it('keeps the program alive until it is told or given up, and no longer', async () => {
    const { code, stdout, stderr } = await runNode(`${SERVER}
      const silent = await serve((socket) => { socket.resume(); given(); });
      const answering = await serve((socket) => socket.on('data', () => setTimeout(() => socket.write('answer'), 50).unref()));
      raw.exchange(asked(answering), (error, answer) => console.log(answer));
      const giveUp = raw.exchange(asked(silent), () => console.log('told'));
      const given = () => setTimeout(() => { console.log('given up'); giveUp(); }, 200).unref();
      process.on('exit', () => console.log('exit'));
      for (let i = 0; i < 5; i++) { gc(); await tick(); }
    `);
    expect({ code, stdout, stderr }).to.deep.equal({ code: 0, stdout: 'answer\ngiven up\nexit\n', stderr: '' });
  });

  it('reports what its callback throws as an uncaught exception, and goes on with the others', async () => {
    const { code, stdout, stderr } = await runNode(`${SERVER}
      const address = await serve(() => {});
      process.on('uncaughtException', ({ message }) => console.log('caught', message));
      for (const text of ['first', 'second', 'third']) {
        raw.exchange(asked(address, 0), () => { throw new Error(text); });
      }
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.equal('caught first\ncaught second\ncaught third\n');
  });

  it('may be under way, or be told, when the program ends', async () => {
    for (const end of [
      'setTimeout(() => process.exit(7), 50)',
      'raw.exchange(asked(address, 0), () => process.exit(7))',
    ]) {
      const { code, stderr } = await runNode(`${SERVER}
        const address = await serve(() => {});
        for (let i = 0; i < 20; i++) raw.exchange(asked(address), () => {});
        for (let i = 0; i < 20; i++) raw.exchange(asked(address, 0), () => {});
        ${end};
      `);
      expect({ code, stderr }).to.deep.equal({ code: 7, stderr: '' });
    }
  });

  it('ends with its worker: under way, between two, or busy in a callback', async () => {
    const { code, stdout, stderr } = await runNode(`${SERVER}
      let accepted = 0;
      const address = [...await serve((socket) => { accepted++; socket.resume().on('close', () => accepted--); })];
      const before = openFds();
      const ends = ["postMessage('')", "exchange(0, () => { postMessage(''); for (;;); })", "exchange(0, () => process.exit())",
        "exchange(0, () => { throw new Error('of a worker'); })", "give.forEach((giveUp) => giveUp()); postMessage('')"];
      for (const end of ends) {
        const worker = new Worker(PRELUDE + \`
          import { parentPort } from 'node:worker_threads';
          const postMessage = (message) => parentPort.postMessage(message);
          const exchange = (enough, done = () => {}) =>
            raw.exchange({ address: Uint8Array.from(\${JSON.stringify(address)}), request: Buffer.from('what?'), enough }, done);
          const give = Array.from({ length: 20 }, () => exchange(1));
          setTimeout(() => { \${end}; }, 20);
        \`, { eval: true, type: 'module' });
        worker.on('error', ({ message }) => console.log(message));
        await Promise.race(['message', 'exit'].map((event) => new Promise((resolve) => worker.once(event, resolve))));
        await worker.terminate();
      }
      while (accepted > 0) await tick();
      for (let i = 0; i < 5; i++) { gc(); await tick(); }
      console.log(openFds() - before < 5);
    `);
    expect({ code, stdout, stderr }).to.deep.equal({ code: 0, stdout: 'of a worker\ntrue\n', stderr: '' });
  });

  it('returns its memory', async () => {
    const { code, stdout, stderr } = await runNode(`${SERVER}
      const address = await serve((socket) => socket.on('data', () => socket.end('answer')));
      const nowhere = raw.sockaddrIn({ address: '127.0.0.1', port: 1 });
      const ask = (enough) => new Promise((resolve) => raw.exchange(asked(address, enough), resolve));
      async function work(rounds) {
        for (let i = 0; i < rounds; i++) {
          if (i % 10 === 0) await ask(6);
          raw.exchange(asked(address), () => {})();
          raw.exchange(asked(nowhere), () => {});
          if (i % 100 === 0) { await tick(); gc(); }
        }
        for (let i = 0; i < 5; i++) { gc(); await tick(); }
        return process.memoryUsage().rss;
      }
      await work(2000);
      const before = await work(2000);
      console.log(Math.round((await work(6000) - before) / 2 ** 20));
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    // 6,000 exchanges of 1.2 KiB would be 7 MiB.
    expect(Number(stdout)).to.be.lessThan(4);
  });
});
