/** Datagrams that a listener is not called for, between sockets that need no rights and no network. */
import { expect } from 'chai';
import { constants as c, type Message, RawSocket, type SystemError, sockaddrIn } from './index.js';
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
});
