/** Network namespaces: made, entered, left and deleted, here and by iproute2. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { assert, expect } from 'chai';
import { runNode } from './child.spec.helpers.js';
import {
  constants as c,
  createNetns,
  deleteNetns,
  inNetns,
  listNetns,
  netnsPath,
  RawSocket,
  sockaddrNl,
} from './index.js';
import { createLan, ip, type Lan, netnsName } from './lan.spec.helpers.js';

const INDEX = JSON.stringify(new URL('./index.js', import.meta.url).href);
const here = () => readlinkSync('/proc/thread-self/ns/net');
const ino = (path: string) => execFileSync('stat', ['--format=%i', path], { encoding: 'utf8' }).trim();

describe('createNetns and deleteNetns', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  const name = netnsName();
  afterEach(() => {
    if (existsSync(netnsPath(name))) ip('netns', 'delete', name);
  });

  it('make and remove what `ip netns` makes and removes', () => {
    const home = here();
    createNetns(name);
    expect(here(), 'the calling thread stays').to.equal(home);
    expect(`net:[${ino(netnsPath(name))}]`).to.not.equal(home);
    expect(listNetns()).to.include(name);
    expect(
      ip('netns', 'list')
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).to.include(name);
    expect(ip('netns', 'exec', name, 'ip', '-brief', 'link')).to.match(/^lo\s+DOWN/);
    ip('netns', 'delete', name);
    expect(listNetns()).to.not.include(name);

    ip('netns', 'add', name);
    deleteNetns(name);
    expect(ip('netns', 'list')).to.not.include(name);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).to.not.include(name);
  });

  it('refuse a name that is taken, and one that is not there', () => {
    createNetns(name);
    const inode = ino(netnsPath(name));
    expect(() => createNetns(name))
      .to.throw(Error, 'EEXIST')
      .that.includes({ code: 'EEXIST', syscall: 'open' });
    expect(ino(netnsPath(name)), 'the first one is untouched').to.equal(inode);
    deleteNetns(name);
    expect(() => deleteNetns(name))
      .to.throw(Error, 'ENOENT')
      .with.property('code', 'ENOENT');
  });

  it('remove the file that a crash left behind without a namespace', () => {
    writeFileSync(netnsPath(name), '');
    expect(() => createNetns(name)).to.throw(Error, 'EEXIST');
    deleteNetns(name);
    expect(existsSync(netnsPath(name))).to.equal(false);
  });

  it('refuse to do it without the right, and say which', () => {
    process.seteuid!(65_534);
    try {
      expect(() => createNetns(name)).to.throw(Error, /^EPERM: .*CAP_SYS_ADMIN/);
    } finally {
      process.seteuid!(0);
    }
  });

  it('leave no file behind when the last step fails', () => {
    // Without /proc there is no namespace file to mount.
    const code = `
      import { execFileSync } from 'node:child_process';
      const { createNetns } = await import(${INDEX});
      execFileSync('umount', ['-l', '/proc']);
      try { createNetns(${JSON.stringify(name)}); } catch ({ code, syscall }) { console.log(code, syscall); }
    `;
    const argv = ['--mount', process.execPath, '--input-type=module', '-e', code];
    const { stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
    expect({ stdout, stderr }).to.deep.equal({ stdout: 'ENOENT mount\n', stderr: '' });
    expect(existsSync(netnsPath(name))).to.equal(false);
  });

  it('make /run/netns a shared mount once, whoever needs it first', async () => {
    const create = (netns: string) =>
      `"$0" --input-type=module -e "const { createNetns } = await import('$1'); createNetns('${netns}')"`;
    const mounts = `grep ' /netns /run/netns ' /proc/self/mountinfo | sed 's/ - .*//; s/shared:.*/shared/; s/.* //'`;
    const script = `
      set -e
      mount --make-rprivate / && mount -t tmpfs none /run && mount --make-private /run
      ${create('one')} && ${mounts}
      ip netns add two && ${create('three')} && ${mounts}
      ip netns list
    `;
    const argv = ['--mount', 'sh', '-c', script, process.execPath, new URL('./index.js', import.meta.url).href];
    const { stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
    expect(stderr).to.equal('');
    const [first, second, ...names] = stdout.trim().split('\n');
    expect([first, second], 'shared, and mounted once').to.deep.equal(['shared', 'shared']);
    expect(names).to.have.members(['one', 'two', 'three']);
  });

  it('leave no descriptor and no thread behind', () => {
    const count = (path: string) => readdirSync(path).length;
    inNetns('/proc/self/ns/net', () => {}); // starts the thread pool, once
    const before = [count('/proc/self/fd'), count('/proc/self/task')];
    for (let round = 0; round < 20; round++) {
      createNetns(name);
      expect(() => createNetns(name)).to.throw(Error, 'EEXIST');
      new RawSocket({ domain: c.AF_NETLINK, type: c.SOCK_RAW, protocol: 0, netns: name }).close();
      expect(() => inNetns(name, () => assert.fail())).to.throw();
      inNetns(name, () => {});
      deleteNetns(name);
    }
    expect([count('/proc/self/fd'), count('/proc/self/task')]).to.deep.equal(before);
  });
});

describe('inNetns', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  let lan: Lan;
  before(() => {
    lan = createLan();
  });
  after(() => lan.remove());
  const wanted = () => `net:[${ino(netnsPath(lan.left.netns))}]`;

  it('runs the function inside, returns what it returns, and is back', () => {
    const home = here();
    expect(inNetns(lan.left.netns, here)).to.equal(wanted());
    expect(inNetns(netnsPath(lan.left.netns), () => 42)).to.equal(42);
    expect(here()).to.equal(home);
  });

  it('is back when the function throws, and throws the same', () => {
    const home = here();
    const error = new Error('inside');
    expect(() =>
      inNetns(lan.left.netns, () => {
        throw error;
      }),
    ).to.throw(error);
    expect(here()).to.equal(home);
  });

  it('can be nested', () => {
    const home = here();
    const seen = inNetns(lan.left.netns, () => {
      const inner = inNetns(lan.right.netns, here);
      return [inner, here()];
    });
    expect(seen).to.deep.equal([`net:[${ino(netnsPath(lan.right.netns))}]`, wanted()]);
    expect(here()).to.equal(home);
  });

  it('refuses a function that would go on outside: promises and thenables', () => {
    const home = here();
    expect(() => inNetns(lan.left.netns, async () => {})).to.throw(TypeError, 'promise');
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    expect(() => inNetns(lan.left.netns, () => ({ then() {} }))).to.throw(TypeError, 'promise');
    expect(inNetns(lan.left.netns, () => null)).to.equal(null);
    expect(here()).to.equal(home);
  });

  it('stays outside when there is no such namespace', () => {
    let ran = false;
    const run = () => {
      ran = true;
    };
    expect(() => inNetns('fl-none', run))
      .to.throw(Error, 'ENOENT')
      .that.includes({ code: 'ENOENT', syscall: 'open' });
    expect(() => inNetns('/proc/self/ns/uts', run)).to.throw(Error, 'not a network namespace');
    expect(ran).to.equal(false);
  });

  it('opens servers there, and child processes', async () => {
    const server = inNetns(lan.left.netns, () => createServer((_, response) => response.end('inside')).listen(8080));
    const code = `fetch('http://10.0.0.1:8080/').then(async (reply) => process.stdout.write(await reply.text()))`;
    const child = inNetns(lan.right.netns, () => spawn(process.execPath, ['-e', code]));
    const output = await new Promise((resolve) => child.stdout.setEncoding('utf8').once('data', resolve));
    server.close();
    expect(output).to.equal('inside');
  });

  it('sees the interfaces and settings of the namespace', () => {
    const addresses = inNetns(lan.left.netns, () => networkInterfaces().eth0!.map(({ address }) => address));
    expect(addresses).to.include.members(['10.0.0.1', 'fd00::1']);
    const path = '/proc/sys/net/ipv4/conf/all/proxy_arp';
    const before = readFileSync(path, 'utf8');
    inNetns(lan.left.netns, () => writeFileSync(path, before.trim() === '1' ? '0' : '1'));
    expect(inNetns(lan.left.netns, () => readFileSync(path, 'utf8'))).to.not.equal(before);
    expect(readFileSync(path, 'utf8')).to.equal(before);
  });

  it('ends the process, with the reason, when it cannot come back', async () => {
    const { signal, stdout, stderr } = await runNode(`
      process.on('uncaughtException', () => console.log('went on'));
      raw.inNetns(${JSON.stringify(lan.left.netns)}, () => process.seteuid(65534));
      console.log('went on');
    `);
    expect(signal).to.equal('SIGABRT');
    expect(stdout).to.equal('');
    expect(stderr).to.include(`cannot return from network namespace /run/netns/${lan.left.netns}`);
  });

  it('does not even leave when it could not come back, where a socket can be opened all the same', async () => {
    // Root of a user namespace may enter the network namespaces that belong to it, but not the one that it came from.
    const { code, stdout, stderr } = await runNode(
      `
      import { spawn } from 'node:child_process';
      const child = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; read line']);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const netns = '/proc/' + child.pid + '/ns/net';
      try { raw.inNetns(netns, () => console.log('inside')); }
      catch ({ code, syscall, message }) { console.log(code, syscall, /could not return/.test(message)); }
      const socket = new RawSocket({ domain: c.AF_PACKET, type: c.SOCK_RAW, protocol: 0, netns });
      console.log(socket.closed);
      child.stdin.end();
    `,
      { wrapper: ['unshare', '--user', '--map-root-user'] },
    );
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.equal('EPERM setns true\nfalse\n');
  });

  it('leaves the threads of the pool at home, even when it comes before their first use', () => {
    // A CommonJS program: loading an ES module would have used the pool.
    const code = `
      const { readlink, readlinkSync } = require('node:fs');
      const { inNetns } = require(${JSON.stringify(fileURLToPath(new URL('./index.js', import.meta.url)))});
      const home = readlinkSync('/proc/thread-self/ns/net');
      inNetns(${JSON.stringify(lan.left.netns)}, () => {
        for (let i = 0; i < 8; i++) readlink('/proc/thread-self/ns/net', (_, there) => console.log(there === home));
      });
    `;
    const { stdout } = spawnSync(process.execPath, ['--experimental-require-module', '-e', code], { encoding: 'utf8' });
    expect(stdout).to.equal('true\n'.repeat(8));
  });

  it('works in a worker thread, which alone moves', async () => {
    const { code, stdout, stderr } = await runNode(`
      import { readlinkSync } from 'node:fs';
      const worker = new Worker(PRELUDE + \`
        import { readlinkSync } from 'node:fs';
        import { parentPort } from 'node:worker_threads';
        const here = () => readlinkSync('/proc/thread-self/ns/net');
        parentPort.postMessage([here(), raw.inNetns(${JSON.stringify(lan.left.netns)}, here), here()]);
      \`, { eval: true, type: 'module' });
      worker.on('message', (seen) => console.log(seen.join(' '), readlinkSync('/proc/thread-self/ns/net')));
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout.trim().split(' ')).to.deep.equal([here(), wanted(), here(), here()]);
  });
});

describe('a netlink socket', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  it('is answered by the namespace in which it was opened, by poll() and by event', async () => {
    const lan = createLan();
    const socket = new RawSocket({
      domain: c.AF_NETLINK,
      type: c.SOCK_RAW,
      protocol: c.NETLINK_ROUTE,
      netns: lan.left.netns,
    });
    socket.bind(sockaddrNl());
    // RTM_GETLINK, dump: nlmsghdr and ifinfomsg.
    const request = Buffer.alloc(32);
    request.writeUInt32LE(32, 0);
    request.writeUInt16LE(18, 4);
    request.writeUInt16LE(0x301, 6);
    const names = (data: Buffer) => ['lo', 'eth0'].filter((name) => data.includes(`${name}\0`));
    socket.send(request);
    expect(socket.poll(5000)).to.equal(true);
    expect(names(Buffer.concat(socket.receive().map(({ data }) => data)))).to.deep.equal(['lo', 'eth0']);
    ip('-n', lan.left.netns, 'link', 'delete', 'eth0');
    while (socket.receive().length > 0);
    const heard = new Promise<Buffer>((resolve) => socket.onMessages(([message]) => resolve(message!.data)));
    socket.send(request);
    expect(names(await heard)).to.deep.equal(['lo']);
    socket.close();
    lan.remove();
  });

  it('resolves a generic netlink family (CTRL_CMD_GETFAMILY)', () => {
    const socket = new RawSocket({ domain: c.AF_NETLINK, type: c.SOCK_RAW, protocol: c.NETLINK_GENERIC });
    const request = Buffer.alloc(36);
    request.writeUInt32LE(36, 0);
    request.writeUInt16LE(16, 4); // GENL_ID_CTRL
    request.writeUInt16LE(1, 6); // NLM_F_REQUEST
    request.writeUInt32LE(77, 8);
    request.set([3, 1], 16); // CTRL_CMD_GETFAMILY
    request.writeUInt16LE(11, 20);
    request.writeUInt16LE(2, 22); // CTRL_ATTR_FAMILY_NAME
    request.write('nlctrl\0', 24);
    for (let round = 0; round < 1000; round++) {
      socket.send(request);
      const [reply] = socket.receive();
      expect(reply!.data.readUInt32LE(8), 'sequence').to.equal(77);
      expect(reply!.data.includes('nlctrl\0')).to.equal(true);
    }
    socket.close();
  });
});
