/** Datagrams that a listener is not called for, between sockets that need no rights and no network. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type Absorbed, constants as c, type Message, RawSocket, type SystemError, sockaddrIn } from './index.js';
import { hear, localSocket, texts } from './local.spec.helpers.js';

const said = Buffer.from('as ever 1');
/** All but the last byte counts. */
const MASK = Uint8Array.from(said, (_, index) => (index < said.length - 1 ? 0xff : 0));

describe('RawSocket.absorb', () => {
  let from: RawSocket;
  let to: RawSocket;
  let address: Buffer;
  beforeEach(() => {
    from = localSocket();
    to = localSocket();
    address = from.getsockname();
  });
  afterEach(() => {
    from.close();
    to.close();
  });

  const send = (...data: string[]) => {
    for (const text of data) from.send(Buffer.from(text), to.getsockname());
  };

  it('keeps what comes again from the listener, and tells when that was', async () => {
    const absorbed = to.absorb({ address, data: said });
    const heard = hear(to, 1);
    const startedAt = performance.now();
    send('as ever 1', 'as ever 1', 'something else');
    expect(texts(await heard)).to.deep.equal(['something else']);
    const since = absorbed.since()!;
    expect(since).to.be.at.least(0);
    expect(since).to.be.below(performance.now() - startedAt);
    expect(absorbed.since(), 'it has been asked').to.equal(undefined);
  });

  it('hands on what is behind a datagram of another kind, in its order', async () => {
    const absorbed = to.absorb({ address, data: said });
    const heard = hear(to, 3);
    send('as ever 1', 'first', 'as ever 1', 'last');
    expect(texts(await heard)).to.deep.equal(['first', 'as ever 1', 'last']);
    expect(absorbed.since()).to.be.a('number');
  });

  it('takes no other sender, length or content for the same', async () => {
    const absorbed = to.absorb({ address, data: said });
    const other = localSocket();
    const heard = hear(to, 4);
    other.send(said, to.getsockname());
    send('as ever 2', 'as ever', 'as ever 1 and more');
    expect(await heard).to.have.length(4);
    expect(absorbed.since()).to.equal(undefined);
    other.close();
  });

  it('compares what the mask has ones for', async () => {
    const absorbed = to.absorb({ address, data: said }, MASK);
    const heard = hear(to, 1);
    send('as ever 2', 'As ever 1');
    expect(texts(await heard)).to.deep.equal(['As ever 1']);
    expect(absorbed.since()).to.be.a('number');
  });

  it('knows a hundred apart, in whatever order they come and go', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `router ${n}`);
    const absorbed = names.map((name) => to.absorb({ address, data: Buffer.from(name) }));
    const came = () => names.filter((_, n) => absorbed[n]!.since() !== undefined);
    // A socket of this kind has room for ten.
    const hearAll = async (some: readonly string[]) => {
      for (const name of some) {
        const heard = hear(to, 1);
        send(name, '.');
        await heard;
      }
    };
    await hearAll(names);
    expect(came()).to.deep.equal(names);
    for (const [n, one] of absorbed.entries()) if (n % 3 > 0) one.end();
    absorbed[1] = to.absorb({ address, data: Buffer.from('router 1') });
    await hearAll(['router 99', 'router 0', 'router 50', 'router 1']);
    expect(came()).to.deep.equal(['router 0', 'router 1', 'router 99']);
  });

  it('is over when it is ended, or the socket is closed', async () => {
    const absorbed = to.absorb({ address, data: said });
    absorbed.end();
    absorbed.end();
    const heard = hear(to, 1);
    send('as ever 1');
    expect(texts(await heard)).to.deep.equal(['as ever 1']);
    const another = to.absorb({ address, data: said });
    to.close();
    expect([absorbed.since(), another.since()]).to.deep.equal([undefined, undefined]);
    another.end();
  });

  it('still tells, once the socket is closed, what came until then', async () => {
    const [absorbed, ended] = [to.absorb({ address, data: said }), to.absorb({ address, data: Buffer.from('other') })];
    const heard = hear(to, 1);
    const startedAt = performance.now();
    send('other', 'as ever 1', '.');
    await heard;
    to.close();
    ended.end();
    expect(absorbed.since()).to.be.within(0, performance.now() - startedAt);
    expect([absorbed.since(), ended.since()]).to.deep.equal([undefined, undefined]);
  });

  it('does not lose an error that the kernel tells once', async () => {
    const client = new RawSocket({ domain: c.AF_INET, type: c.SOCK_DGRAM, protocol: 0 });
    const nobody = new RawSocket({ domain: c.AF_INET, type: c.SOCK_DGRAM, protocol: 0 });
    nobody.bind(sockaddrIn({ address: '127.0.0.1' }));
    client.connect(nobody.getsockname());
    nobody.close();
    client.absorb({ address, data: said });
    const error = new Promise<SystemError>((resolve) => client.onMessages(() => {}, resolve));
    client.send(said);
    expect((await error).code).to.equal('ECONNREFUSED');
    client.close();
  });

  it('refuses what it cannot compare', () => {
    const message = (length: number): Pick<Message, 'address' | 'data'> => ({ address, data: Buffer.alloc(length) });
    expect(() => to.absorb(message(2_049))).to.throw(RangeError, '2048');
    expect(() => to.absorb(message(9), new Uint8Array(8))).to.throw(RangeError, 'mask');
    expect(() => to.absorb({ address: Buffer.alloc(200), data: said })).to.throw(RangeError, 'address');
  });

  it('tells once when it has not come for so long, and not while it comes', async () => {
    const absorbed = to.absorb({ address, data: said });
    to.onMessages(() => {});
    const patienceMs = 200;
    const [sentAt, toldAt] = [[] as number[], [] as number[]];
    const told = new Promise<void>((resolve) => {
      absorbed.watch(patienceMs, () => {
        toldAt.push(performance.now());
        resolve();
      });
    });
    for (let round = 0; round < 30 && toldAt.length === 0; round++) {
      sentAt.push(performance.now());
      send('as ever 1');
      await sleep(20);
    }
    await told;
    await sleep(2 * patienceMs);
    expect(toldAt).to.have.length(1);
    // Where the machine stood still in between, it may have been told for that.
    expect(toldAt[0]! - sentAt.at(-1)!).to.be.at.least(patienceMs - 1);
  });

  it('tells of each that is late, and not of one that is ended, nor of what was watched for before', async () => {
    const told: string[] = [];
    const absorb = (data: string) => to.absorb({ address, data: Buffer.from(data) });
    const [first, second, third] = ['first', 'second', 'third'].map(absorb) as [Absorbed, Absorbed, Absorbed];
    to.onMessages(() => {});
    await new Promise<void>((resolve) => {
      second.watch(5, () => told.push('second, before'));
      second.watch(40, () => {
        told.push('second');
        resolve();
      });
      third.watch(1, () => told.push('third'));
      first.watch(20, () => told.push('first'));
      third.end();
    });
    expect(told).to.deep.equal(['first', 'second']);
    expect(third.watch(1, () => told.push('ended'))).to.equal(false);
  });

  it('tells of one that is late before others that were watched first', async () => {
    const [patient, impatient] = [
      to.absorb({ address, data: said }),
      to.absorb({ address, data: Buffer.from('other') }),
    ];
    patient.watch(3_600_000, () => {});
    await new Promise<void>((resolve) => {
      impatient.watch(20, resolve);
      to.onMessages(() => {});
    });
  });

  it('does not take for late what is pending', async () => {
    const absorbed = to.absorb({ address, data: said });
    to.onMessages(() => {});
    let late = false;
    absorbed.watch(500, () => {
      late = true;
    });
    // A thread that stands still for longer, while it comes.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
    send('as ever 1');
    await new Promise((resolve) => setTimeout(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(late).to.equal(false);
    expect(absorbed.since()).to.be.a('number');
  });

  it('can be ended, and closed, by whoever is told', async () => {
    for (const end of [(absorbed: Absorbed) => absorbed.end(), () => to.close()]) {
      const others = [to.absorb({ address, data: Buffer.from('another') }), to.absorb({ address, data: said })];
      await new Promise<void>((resolve) => {
        others[0]!.watch(1, () => {
          for (const other of others) end(other);
          resolve();
        });
      });
    }
  });

  it('tells at once when its socket is closed, as nothing comes any more', () => {
    const absorbed = to.absorb({ address, data: said });
    let late = 0;
    absorbed.watch(60_000, () => void late++);
    to.close();
    expect(late).to.equal(1);
    expect(absorbed.watch(1, () => void late++)).to.equal(false);
  });

  it('refuses to watch for no milliseconds, and without a function', () => {
    const absorbed = to.absorb({ address, data: said });
    expect(() => absorbed.watch(0, () => {})).to.throw(RangeError);
    expect(() => absorbed.watch(1.5, () => {})).to.throw(RangeError);
  });
});
