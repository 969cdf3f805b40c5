/** What the socket does to its process: exceptions of listeners, garbage collection, the end of programs and workers. */
import { expect } from 'chai';
import { runNode } from './child.spec.helpers.js';

describe('an exception of a listener', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  it('ends the process like any uncaught exception', async () => {
    const { code, stderr } = await runNode(`
      const s = unix();
      s.onMessages(() => { throw new Error('thrown by the listener'); });
      s.send(Buffer.from('x'), s.getsockname());
    `);
    expect(code).to.equal(1);
    expect(stderr).to.include('Error: thrown by the listener');
  });

  it('goes to uncaughtException, and the socket goes on listening', async () => {
    const { code, stdout, stderr } = await runNode(`
      const s = unix();
      process.on('uncaughtException', (error, origin) => {
        console.log('caught', error.message, origin);
        if (error.message === 'third') s.close();
      });
      s.onMessages(([message]) => { throw new Error(message.data.toString()); });
      for (const text of ['first', 'second', 'third']) {
        setImmediate(() => s.send(Buffer.from(text), s.getsockname()));
        await tick();
        await tick();
      }
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const caught = ['first', 'second', 'third'].map((text) => `caught ${text} uncaughtException\n`);
    expect(stdout).to.equal(caught.join(''));
  });

  it('may come after the listener closed its own socket', async () => {
    const { code, stdout } = await runNode(`
      const s = unix();
      process.on('uncaughtException', (error) => console.log(error.message, s.closed));
      s.onMessages(() => { s.close(); gc(); throw new Error('after close'); });
      s.send(Buffer.from('x'), s.getsockname());
    `);
    expect(code).to.equal(0);
    expect(stdout).to.equal('after close true\n');
  });

  it('is also what a socket error becomes when there is no onError', async () => {
    const { code, stdout } = await runNode(`
      const open = () => new RawSocket({ domain: c.AF_INET, type: c.SOCK_DGRAM, protocol: 0 });
      const [s, closed] = [open(), open()];
      closed.bind(raw.sockaddrIn({ address: '127.77.0.1', port: 0 }));
      s.connect(closed.getsockname());
      closed.close();
      process.on('uncaughtException', (error) => { console.log(error.code, error.syscall); s.close(); });
      s.onMessages(() => {});
      s.send(Buffer.from('x'));
    `);
    expect(code).to.equal(0);
    expect(stdout).to.equal('ECONNREFUSED recvmmsg\n');
  });
});

describe('a signal', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  it('neither ends poll() before its time, with EINTR, nor prolongs it', async () => {
    const { code, stdout, stderr } = await runNode(`
      import { spawn } from 'node:child_process';
      let signals = 0;
      process.on('SIGUSR2', () => signals++);
      const s = unix();
      const loop = 'while kill -USR2 ' + process.pid + '; do sleep 0.02; done';
      const sender = spawn('sh', ['-c', loop], { stdio: 'ignore' });
      while (signals === 0) await tick();
      const [before, start] = [signals, performance.now()];
      console.log(s.poll(300), performance.now() - start >= 299);
      while (signals === before) await tick();
      sender.kill('SIGKILL');
      await new Promise((resolve) => sender.on('exit', resolve));
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.equal('false true\n');
  });
});

describe('garbage collection', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  it('leaves a socket alone that listens, though nothing refers to it', async () => {
    const { code, stdout, stderr } = await runNode(`
      const address = (() => {
        const s = unix();
        s.onMessages((messages) => { console.log(messages[0].data.toString()); s.close(); });
        return s.getsockname();
      })();
      for (let i = 0; i < 5; i++) { gc(); await tick(); }
      unix().send(Buffer.from('heard'), address);
    `);
    expect({ code, stdout, stderr }).to.deep.equal({ code: 0, stdout: 'heard\n', stderr: '' });
  });

  it('leaves it alone too when the listener does not refer to it, and it is unreferenced', async () => {
    const { stdout } = await runNode(`
      const address = (() => {
        const s = unix();
        s.onMessages(() => console.log('heard'));
        s.unref();
        return s.getsockname();
      })();
      for (let i = 0; i < 5; i++) { gc(); await tick(); }
      unix().send(Buffer.from('x'), address);
      await tick(); await tick();
    `);
    expect(stdout).to.equal('heard\n');
  });

  it('leaves the native socket alone as well, whose listener refers to nothing', async () => {
    const { code, stdout } = await runNode(`
      const address = (() => {
        const s = new native.Socket(c.AF_UNIX, c.SOCK_DGRAM, 0, undefined, 100, 1, 0);
        s.bind(family);
        s.listen(() => { console.log('called'); process.exit(0); });
        return s.getsockname();
      })();
      for (let i = 0; i < 5; i++) { gc(); await tick(); }
      unix().send(Buffer.from('x'), address);
    `);
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: 'called\n' });
  });

  it('leaves a socket alone that something is repeated on, until that is ended', async () => {
    const { code, stdout, stderr } = await runNode(`
      const to = unix();
      const datagram = { data: Buffer.from('x'), address: to.getsockname() };
      const begin = (address) => {
        const s = unix();
        s.repeat(raw.packDatagrams([{ ...datagram, address }]), { everyMs: 1, withinMs: 60_000 }, () => console.log('missed'));
      };
      begin(datagram.address);
      for (let i = 0; i < 5; i++) { gc(); await tick(); }
      to.receive();
      let heard = 0;
      to.onMessages((messages) => { heard += messages.length; if (heard >= 3) { console.log('heard'); to.close(); } });
    `);
    // Once nobody hears it, it is refused, and the socket let go, so that the program ends.
    expect({ code, stdout, stderr }).to.deep.equal({ code: 0, stdout: 'heard\nmissed\n', stderr: '' });
  });

  it('closes sockets that do not listen, or repeat something, or no longer', async () => {
    const { code, stdout } = await runNode(`
      const before = openFds();
      const packed = raw.packDatagrams([]);
      for (let i = 0; i < 500; i++) {
        const s = unix();
        if (i % 2) { s.onMessages(() => {}); s.onMessages(() => {}); s.onMessages(null); }
        if (i % 3) s.repeat(packed, { everyMs: 60_000, withinMs: 60_000 }, () => {}).end();
      }
      const during = openFds();
      for (let i = 0; i < 10; i++) { gc(); await tick(); }
      // The last one may still be in a register of the loop.
      console.log(during - before > 100, openFds() - before < 5);
    `);
    expect(code).to.equal(0);
    expect(stdout).to.equal('true true\n');
  });

  it('returns the memory of messages, errors and sockets', async () => {
    const { code, stdout } = await runNode(`
      const [a, b] = [unix(), unix()];
      b.setsockopt(c.SOL_SOCKET, c.SO_TIMESTAMPNS, 1);
      const to = b.getsockname();
      const data = Buffer.alloc(2000);
      const packed = raw.packDatagrams([{ data, address: to }]);
      async function work(rounds) {
        for (let i = 0; i < rounds; i++) {
          a.send(data, to);
          a.sendBatch([data, data], to);
          b.receive();
          try { a.bind(Buffer.alloc(16)); } catch {}
          const s = unix();
          s.onMessages(() => {});
          s.repeat(packed, { everyMs: 60_000, withinMs: 60_000 }, () => {});
          s.close();
          if (i % 500 === 0) { await tick(); gc(); }
        }
        for (let i = 0; i < 5; i++) { gc(); await tick(); }
        return process.memoryUsage().rss;
      }
      await work(5000);
      const before = await work(5000);
      console.log(Math.round((await work(15_000) - before) / 2 ** 20));
    `);
    expect(code).to.equal(0);
    // Noise is below 1 MiB; 15,000 rounds that each leaked one Buffer would be 29 MiB, 300 bytes 4 MiB.
    expect(Number(stdout)).to.be.lessThan(3);
  });
});

describe('the end of a program', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  it('waits for a socket that listens, not for one that does not, or is unreferenced before or after', async () => {
    const { code, stdout } = await runNode(`
      const idle = unix();
      const before = unix();
      before.unref();
      before.onMessages(() => {});
      const after = unix();
      after.onMessages(() => {});
      after.unref();
      const stopped = unix();
      stopped.onMessages(() => {});
      stopped.onMessages(null);
      const waited = unix();
      waited.unref();
      waited.onMessages(() => { console.log('heard'); waited.unref(); });
      waited.ref();
      setTimeout(() => waited.send(Buffer.from('x'), waited.getsockname()), 50).unref();
      process.on('exit', () => console.log('exit'));
    `);
    expect(code).to.equal(0);
    expect(stdout).to.equal('heard\nexit\n');
  });

  it('may come inside a listener', async () => {
    const { code, stderr } = await runNode(`
      const s = unix();
      s.onMessages(() => process.exit(7));
      s.send(Buffer.from('x'), s.getsockname());
    `);
    expect({ code, stderr }).to.deep.equal({ code: 7, stderr: '' });
  });

  it('may find sockets open, listening and closing', async () => {
    const { code, stderr } = await runNode(`
      globalThis.kept = Array.from({ length: 50 }, () => unix());
      for (const s of kept.slice(10)) s.onMessages(() => {});
      for (const s of kept.slice(20)) s.unref();
      for (const s of kept.slice(30)) s.close();
      for (const s of kept) if (!s.closed) s.unref();
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });
});

describe('a worker thread', function () {
  this.timeout(60_000); // processes and namespaces, on a machine that may be busy
  it('has sockets of its own', async () => {
    const { code, stdout, stderr } = await runNode(`
      const worker = new Worker(PRELUDE + \`
        import { parentPort } from 'node:worker_threads';
        const s = unix();
        s.onMessages((messages) => { parentPort.postMessage(messages[0].data.toString()); s.close(); });
        parentPort.postMessage(s.getsockname());
      \`, { eval: true, type: 'module' });
      const s = unix();
      worker.on('message', (message) => {
        if (typeof message === 'string') console.log(message);
        else s.send(Buffer.from('from the main thread'), message);
      });
      worker.on('exit', (code) => console.log('exit', code));
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.equal('from the main thread\nexit 0\n');
  });

  it('that is terminated closes what it had open: idle, listening, and busy in a listener', async () => {
    const { code, stdout, stderr } = await runNode(`
      const before = openFds();
      for (let round = 0; round < 8; round++) {
        const worker = new Worker(PRELUDE + \`
          import { parentPort } from 'node:worker_threads';
          globalThis.kept = Array.from({ length: 20 }, () => unix());
          for (const s of kept.slice(5)) s.onMessages(() => {});
          for (const s of kept.slice(15)) s.close();
          const busy = unix();
          busy.onMessages(() => { parentPort.postMessage('busy'); for (;;); });
          if (\${round} % 2) busy.send(Buffer.from('x'), busy.getsockname());
          else parentPort.postMessage('idle');
        \`, { eval: true, type: 'module' });
        await new Promise((resolve) => worker.once('message', resolve));
        await worker.terminate();
      }
      for (let i = 0; i < 5; i++) { gc(); await tick(); }
      console.log(openFds() - before);
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(Number(stdout), 'sockets left open').to.be.lessThan(5);
  });

  it('may exit or throw inside a listener', async () => {
    const { code, stdout, stderr } = await runNode(`
      for (const end of ['process.exit(3)', 'throw new Error("boom")']) {
        const worker = new Worker(PRELUDE + \`
          const s = unix();
          s.onMessages(() => { \${end}; });
          s.send(Buffer.from('x'), s.getsockname());
        \`, { eval: true, type: 'module' });
        worker.on('error', (error) => console.log(error.message));
        await new Promise((resolve) => worker.on('exit', (code) => { console.log('exit', code); resolve(); }));
      }
    `);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.equal('exit 3\nboom\nexit 1\n');
  });
});
