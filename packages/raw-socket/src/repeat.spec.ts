/** Datagrams that are sent again and again, between sockets that need no rights and no network. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { constants, packDatagrams, RawSocket, type Repetition, sockaddrIn } from './index.js';
import { hear, localSocket, texts } from './local.spec.helpers.js';

const EVERY: Repetition = { everyMs: 5, withinMs: 60_000 };
const never = () => {
  throw new Error('nothing was missed');
};

describe('RawSocket.repeat', () => {
  let from: RawSocket;
  let to: RawSocket;
  const packed = (...data: string[]) =>
    packDatagrams(data.map((text) => ({ data: Buffer.from(text), address: to.getsockname() })));
  beforeEach(() => {
    from = localSocket();
    to = localSocket();
  });
  afterEach(() => {
    from.close();
    to.close();
  });

  it('sends all of it again and again, in its order', async () => {
    const heard = hear(to, 6);
    const repeated = from.repeat(packed('first', 'second'), EVERY, never);
    expect(texts((await heard).slice(0, 6))).to.deep.equal(['first', 'second', 'first', 'second', 'first', 'second']);
    repeated.end();
  });

  it('sends all of what is too much for one system call', async () => {
    const [sender, many, last] = [0, 1, 2].map(() => {
      const socket = new RawSocket({ domain: constants.AF_INET, type: constants.SOCK_DGRAM, protocol: 0 });
      socket.bind(sockaddrIn({ address: '127.0.0.1', port: 0 }));
      return socket;
    }) as [RawSocket, RawSocket, RawSocket];
    const datagram = (text: string, socket: RawSocket) => ({ data: Buffer.from(text), address: socket.getsockname() });
    const datagrams = [...new Array(1_024).fill(datagram('one of many', many)), datagram('behind', last)];
    sender.repeat(packDatagrams(datagrams), EVERY, never);
    expect(texts(await hear(last, 1))[0]).to.equal('behind');
    for (const socket of [sender, many, last]) socket.close();
  });

  it('does not send at once, and counts as sent when it was asked to', async () => {
    const askedAt = performance.now();
    const repeated = from.repeat(packed('later'), { everyMs: 50, withinMs: 60_000 }, never);
    const since = repeated.since();
    expect(since)
      .to.be.at.least(0)
      .and.at.most(performance.now() - askedAt);
    expect(to.receive()).to.deep.equal([]);
    await hear(to, 1);
    expect(repeated.since()).to.be.below(performance.now() - askedAt);
    repeated.end();
  });

  it('has memory of its own for what is sent', async () => {
    const memory = packed('as it was');
    const repeated = from.repeat(memory, EVERY, never);
    memory.fill(0);
    expect(texts(await hear(to, 1))).to.deep.equal(['as it was']);
    repeated.end();
  });

  it('sends nothing once it is ended, and still tells when it did last', async () => {
    const repeated = from.repeat(packed('once'), EVERY, never);
    await hear(to, 1);
    repeated.end();
    const since = repeated.since();
    repeated.end();
    to.receive();
    // Another one, begun later, has had several turns.
    const other = from.repeat(packed('other'), EVERY, never);
    expect(new Set(texts(await hear(to, 5)))).to.deep.equal(new Set(['other']));
    expect(repeated.since()).to.be.above(since);
    other.end();
  });

  it('repeats several at once, each until it is ended', async () => {
    const some = from.repeat(packed('some'), EVERY, never);
    const others = from.repeat(packed('others'), EVERY, never);
    expect(new Set(texts(await hear(to, 8)))).to.deep.equal(new Set(['some', 'others']));
    some.end();
    to.receive();
    expect(new Set(texts(await hear(to, 4)))).to.deep.equal(new Set(['others']));
    others.end();
  });

  it('says once that the kernel refused it, and tries no more', async () => {
    let missed = 0;
    const first = await new Promise<void>((resolve) => {
      from.repeat(packed('to nobody'), EVERY, () => {
        missed++;
        resolve();
      });
      to.close();
    });
    expect(first).to.equal(undefined);
    to = localSocket();
    const other = from.repeat(packed('to somebody'), EVERY, never);
    await hear(to, 5);
    expect(missed).to.equal(1);
    other.end();
  });

  it('sends nothing that would come too late, and says so', async () => {
    let resolve: () => void;
    const missed = new Promise<void>((done) => {
      resolve = done;
    });
    const repeated = from.repeat(packed('late'), { everyMs: 10, withinMs: 500 }, () => resolve());
    await hear(to, 1);
    to.receive();
    // A thread that stands still.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    await missed;
    expect(to.receive()).to.deep.equal([]);
    expect(repeated.since()).to.be.at.least(500);
    repeated.end();
  });

  it('can be ended by whoever is told that something was missed, and the socket closed', async () => {
    for (const end of [() => repeated.end(), () => from.close()]) {
      const missed = new Promise<void>((resolve) => {
        repeated = from.repeat(packed('to nobody'), EVERY, () => {
          end();
          resolve();
        });
        to.close();
      });
      await missed;
      to = localSocket();
    }
  });
  let repeated: ReturnType<RawSocket['repeat']>;

  it('ends with its socket, and tells when it sent last', async () => {
    const ended = from.repeat(packed('until it is closed'), EVERY, never);
    await hear(to, 1);
    from.close();
    expect(ended.since()).to.be.at.least(0);
    ended.end();
  });

  it('reports what onMissed throws as an uncaught exception', async () => {
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const thrown = once(process, 'uncaughtException');
    const refused = from.repeat(packed('to nobody'), EVERY, () => {
      throw new Error('a fault of the program');
    });
    to.close();
    expect((await thrown)[0]).to.have.property('message', 'a fault of the program');
    for (const listener of listeners) process.on('uncaughtException', listener);
    refused.end();
  });

  it('does not outlive its thread', async () => {
    const [module, address] = [new URL('./index.js', import.meta.url).href, [...to.getsockname()]];
    const source = `
      import { constants, packDatagrams, RawSocket } from '${module}';
      const socket = new RawSocket({ domain: constants.AF_UNIX, type: constants.SOCK_DGRAM, protocol: 0 });
      const datagram = { data: Buffer.from('of a worker'), address: Uint8Array.from(${JSON.stringify(address)}) };
      socket.repeat(packDatagrams([datagram]), { everyMs: 5, withinMs: 60_000 }, () => {});
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    await hear(to, 3);
    await worker.terminate();
    to.receive();
    const own = from.repeat(packed('of this thread'), EVERY, never);
    expect(new Set(texts(await hear(to, 5)))).to.deep.equal(new Set(['of this thread']));
    own.end();
  });

  it('sends what was sent too long ago before it was asked to no more', async () => {
    let missed!: () => void;
    const isMissed = new Promise<void>((resolve) => {
      missed = resolve;
    });
    const late = from.repeat(packed('late'), { everyMs: 5, withinMs: 60_000, agoMs: 60_000 }, missed);
    expect(late.since()).to.be.at.least(60_000);
    await isMissed;
    expect(to.receive()).to.deep.equal([]);
    late.end();
  });

  it('takes nothing for sent, where there is nothing to send', async () => {
    const repeated = from.repeat(packed(), { everyMs: 5, withinMs: 60_000, agoMs: 10_000 }, never);
    while (repeated.since() >= 10_000) await new Promise(setImmediate);
    repeated.end();
  });

  it('refuses what is not packed, and times that are no milliseconds', () => {
    const good = packed('x');
    const cases: [Uint8Array, Repetition, string][] = [
      [good.subarray(0, good.length - 1), EVERY, 'RangeError'],
      [good, { everyMs: 0, withinMs: 10 }, 'RangeError'],
      [good, { everyMs: 0.5, withinMs: 10 }, 'RangeError'],
      [good, { everyMs: 10, withinMs: -1 }, 'RangeError'],
      [good, { ...EVERY, agoMs: -1 }, 'RangeError'],
      [good, { ...EVERY, agoMs: Number.NaN }, 'RangeError'],
      [good, { ...EVERY, agoMs: '1' as never }, 'RangeError'],
    ];
    for (const [memory, repetition, name] of cases) {
      expect(() => from.repeat(memory, repetition, never), JSON.stringify(repetition))
        .to.throw()
        .with.property('name', name);
    }
    expect(() => from.repeat(good, EVERY, 'no function' as never)).to.throw(TypeError);
    from.close();
    expect(() => from.repeat(good, EVERY, never))
      .to.throw()
      .with.property('code', 'EBADF');
  });
});
