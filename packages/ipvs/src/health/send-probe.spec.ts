import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import type { Probe } from './probe.js';
import { sendProbe, statusOf } from './send-probe.js';
import type { ProbeOutcome } from './verdict.js';

describe('a probe on a socket', () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  async function listen(onConnection: (socket: Socket) => void, host = '127.0.0.1'): Promise<[Server, number]> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      onConnection(socket);
    }).listen(0, host);
    await once(server, 'listening');
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return [server, (server.address() as AddressInfo).port];
  }

  const ask = (probe: Probe) => new Promise<ProbeOutcome>((resolve) => void sendProbe(probe, resolve));
  const get = (port: number, rest: Partial<Extract<Probe, { kind: 'http' }>> = {}): Probe => ({
    kind: 'http',
    address: '127.0.0.1',
    port,
    path: '/healthz',
    expect: '200',
    ...rest,
  });

  for (const [status, expect_, ok] of [
    [200, '200', true],
    [204, '200', false],
    [503, '200', false],
    [200, '2xx-3xx', true],
    [302, '2xx-3xx', true],
    [404, '2xx-3xx', false],
    [199, '2xx-3xx', false],
  ] as const) {
    it(`that expects ${expect_} ${ok ? 'passes' : 'fails'} on ${status}`, async () => {
      const [, port] = await listen((socket) => socket.end(`HTTP/1.1 ${status} Whatever\r\n\r\n{}`));
      const outcome = await ask(get(port, { expect: expect_ }));
      expect(outcome.ok).to.equal(ok);
      if (!outcome.ok) expect(outcome.reason).to.contain(`http://127.0.0.1:${port}/healthz`).and.contain(`${status}`);
    });
  }

  it('sends a request that an HTTP server understands, over IPv6 too', async () => {
    let request = '';
    const [, port] = await listen((socket) => {
      socket.setEncoding('latin1').on('data', (text) => {
        request += text;
        if (request.endsWith('\r\n\r\n')) socket.end('HTTP/1.0 200\r\n\r\n');
      });
    }, '::1');
    expect(await ask(get(port, { address: '::1', path: '/a?b' }))).to.deep.equal({ ok: true });
    expect(request).to.match(/^GET \/a\?b HTTP\/1\.1\r\n/);
    expect(request).to.contain(`\r\nHost: [::1]:${port}\r\n`).and.contain('\r\nConnection: close\r\n');
  });

  it('puts a status line together that comes in pieces', async () => {
    const [, port] = await listen((socket) => {
      socket.setNoDelay();
      const pieces = ['HT', 'TP/1.1 2', '00 OK\r\n'];
      const next = () => {
        const piece = pieces.shift();
        if (piece !== undefined) socket.write(piece, () => setImmediate(next));
      };
      next();
    });
    expect(await ask(get(port))).to.deep.equal({ ok: true });
  });

  it('fails where nothing listens, where no HTTP is spoken, and where the connection is closed or reset', async () => {
    const [server, closed] = await listen(() => {});
    await new Promise((resolve) => server.close(resolve));
    const [, ssh] = await listen((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'));
    const [, rude] = await listen((socket) => socket.end());
    const [, abrupt] = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const reasons = [];
    for (const port of [closed, ssh, rude, abrupt]) {
      const outcome = await ask(get(port));
      reasons.push(outcome.ok ? '' : outcome.reason);
    }
    expect(reasons).to.deep.equal([
      `http://127.0.0.1:${closed}/healthz: connect ECONNREFUSED 127.0.0.1:${closed}`,
      `http://127.0.0.1:${ssh}/healthz answers, but not HTTP`,
      `http://127.0.0.1:${rude}/healthz closes the connection without an answer`,
      `http://127.0.0.1:${abrupt}/healthz: read ECONNRESET`,
    ]);
  });

  it('by TCP passes as soon as it is connected, and fails where nothing listens', async () => {
    const [server, port] = await listen(() => {});
    const probe: Probe = { kind: 'tcp', address: '127.0.0.1', port };
    expect(await ask(probe)).to.deep.equal({ ok: true });
    await new Promise((resolve) => server.close(resolve));
    expect((await ask(probe)).ok).to.equal(false);
  });

  it('that is given up says nothing any more, and closes its connection', async () => {
    let told = false;
    let giveUp = () => {};
    const ended = new Promise((resolve) => {
      void listen((socket) => {
        socket.resume().on('close', resolve);
        giveUp();
      }).then(([, port]) => {
        giveUp = sendProbe(get(port), () => {
          told = true;
        });
      });
    });
    await ended;
    expect(told).to.equal(false);
  });

  const beginnings: [string, number | undefined][] = [
    ['', undefined],
    ['HTTP/1.1 20', undefined],
    ['HTTP/1.1 200', undefined],
    ['HTTP/1.1 200 OK', 200],
    ['HTTP/1.0 404\r\n', 404],
    ['HTTP/2 200 ', Number.NaN],
    ['HTTP/1.1 2000', Number.NaN],
    ['hello', Number.NaN],
    ['HTTP/1.1 abc ', Number.NaN],
  ];
  for (const [text, status] of beginnings) {
    it(`reads ${JSON.stringify(text)} as ${status}`, () => {
      expect(statusOf(text)).to.deep.equal(status);
    });
  }
});
