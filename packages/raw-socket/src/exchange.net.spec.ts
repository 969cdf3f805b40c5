/** Questions to another host, which take a while, or find nobody. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { exchange, inNetns, type SystemError, sockaddrIn, sockaddrIn6 } from './index.js';
import { createLan, ip, type Lan } from './lan.spec.helpers.js';

const PORT = 8_080;

describe('exchange with another host', function () {
  this.timeout(60_000); // namespaces, on a machine that may be busy
  let lan: Lan;
  let server: Server;
  before(async () => {
    lan = createLan();
    server = inNetns(lan.right.netns, () =>
      createServer((socket) => socket.on('data', (data) => socket.end(data))).listen(PORT),
    );
    if (!server.listening) await once(server, 'listening');
    // So often is a neighbour asked for that does not answer.
    inNetns(lan.left.netns, () => writeFileSync('/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms', '100'));
  });
  after(() => {
    server.close();
    lan.remove();
  });

  const begin = (
    address: Uint8Array,
    done: (error: SystemError | undefined, answer: string) => void,
    request = 'what?',
  ) =>
    inNetns(lan.left.netns, () => exchange({ address, request: Buffer.from(request), enough: request.length }, done));
  const ask = (address: Uint8Array, request?: string) =>
    new Promise<string>((resolve) => {
      begin(address, (error, answer) => resolve(error ? `${error.syscall} ${error.code}` : answer), request);
    });

  it('is done in the namespace of the thread at that time, by IPv4 and by IPv6', async () => {
    expect(await ask(sockaddrIn({ address: '10.0.0.2', port: PORT }))).to.equal('what?');
    expect(await ask(sockaddrIn6({ address: 'fd00::2', port: PORT }))).to.equal('what?');
  });

  it('reaches a link-local address by its interface', async () => {
    const [link] = JSON.parse(ip('-n', lan.right.netns, '-json', 'address', 'show', 'eth0')) as [
      { addr_info: { local: string; scope: string }[] },
    ];
    const address = link.addr_info.find(({ local, scope }) => scope === 'link' && local.startsWith('fe80'))!.local;
    const asked = { address, port: PORT, scopeId: lan.left.ifindex };
    // Until the address is known to be nobody else's, nothing is answered from it.
    while ((await ask(sockaddrIn6(asked))) !== 'what?') await new Promise(setImmediate);
  });

  it('tells what is refused there', async () => {
    for (const request of ['', 'what?']) {
      expect(await ask(sockaddrIn({ address: '10.0.0.2', port: 1 }), request)).to.equal('connect ECONNREFUSED');
    }
  });

  it('tells that there is no way there, and that nobody is there', async () => {
    expect(await ask(sockaddrIn({ address: '192.0.2.1', port: PORT }))).to.equal('connect ENETUNREACH');
    expect(await ask(sockaddrIn({ address: '10.0.0.66', port: PORT }))).to.equal('connect EHOSTUNREACH');
  });

  it('sends the request once it is connected, when that takes a while', async () => {
    for (const request of ['', 'what?', 'x'.repeat(1_024)]) {
      const address = sockaddrIn({ address: '10.0.0.3', port: PORT });
      const answer = ask(address, request);
      ip('-n', lan.right.netns, 'address', 'add', '10.0.0.3/24', 'dev', 'eth0');
      expect(await answer).to.equal(request);
      ip('-n', lan.right.netns, 'address', 'delete', '10.0.0.3/24', 'dev', 'eth0');
      ip('-n', lan.left.netns, 'neighbour', 'flush', 'dev', 'eth0');
    }
  });

  it('can be given up while it connects', async () => {
    const giveUp = begin(sockaddrIn({ address: '10.0.0.67', port: PORT }), () => expect.fail('this was given up'));
    await new Promise(setImmediate);
    const connecting = () => ip('netns', 'exec', lan.left.netns, 'cat', '/proc/net/tcp').includes('4300000A');
    expect(connecting()).to.equal(true);
    giveUp();
    expect(connecting()).to.equal(false);
  });
});
