import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { constants as c, isSystemError, RawSocket } from './index.js';
import { localSocket } from './local.spec.helpers.js';

/** Runs fn with the rights of nobody. */
function asNobody<T>(fn: () => T): T {
  if (process.geteuid!() !== 0) return fn();
  process.seteuid!(65_534);
  try {
    return fn();
  } finally {
    process.seteuid!(0);
  }
}

function thrownBy(fn: () => unknown): Error & { code?: string; errno?: number; syscall?: string } {
  try {
    fn();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('system errors', () => {
  it('carry code, errno and syscall, and say what was attempted and what is missing', () => {
    const error = asNobody(() => thrownBy(() => new RawSocket({ domain: c.AF_PACKET, type: c.SOCK_RAW, protocol: 0 })));
    expect(error).to.be.instanceOf(Error).and.to.include({ code: 'EPERM', errno: -1, syscall: 'socket' });
    expect(error.message).to.equal(
      'EPERM: operation not permitted, socket (domain 17, type 3, protocol 0; raw and packet sockets need CAP_NET_RAW)',
    );
  });

  it('name a domain that the kernel does not know', () => {
    const error = thrownBy(() => new RawSocket({ domain: 9999, type: c.SOCK_RAW, protocol: 0 }));
    expect(error).to.include({ code: 'EAFNOSUPPORT', syscall: 'socket' });
  });

  it('name a network namespace that does not exist', () => {
    const open = () => new RawSocket({ domain: c.AF_NETLINK, type: c.SOCK_RAW, protocol: 0, netns: 'fl-none' });
    const error = thrownBy(open);
    expect(error).to.include({ code: 'ENOENT', errno: -2, syscall: 'open' });
    expect(error.message).to.include('/run/netns/fl-none');
  });

  it('refuse a file that is not a network namespace, without waiting when it is a FIFO', () => {
    const directory = mkdtempSync(join(tmpdir(), 'fl-'));
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    for (const netns of ['/etc/passwd', '/proc/self/ns/uts', fifo]) {
      const open = () => new RawSocket({ domain: c.AF_NETLINK, type: c.SOCK_RAW, protocol: 0, netns });
      expect(thrownBy(open)).to.include({ code: 'EINVAL', syscall: 'setns' });
    }
    rmSync(directory, { recursive: true });
  });

  it('come from every kind of call', () => {
    const socket = localSocket();
    const nowhere = Buffer.concat([Buffer.from(new Uint16Array([c.AF_UNIX]).buffer), Buffer.from('\0fl-nobody')]);
    const inet = Buffer.alloc(16);
    const table: [() => unknown, string, string][] = [
      [() => socket.bind(inet), 'EINVAL', 'bind'],
      [() => socket.connect(nowhere), 'ECONNREFUSED', 'connect'],
      [() => socket.send(Buffer.from('x'), nowhere), 'ECONNREFUSED', 'send'],
      [() => socket.send(Buffer.from('x')), 'ENOTCONN', 'send'],
      [() => socket.sendBatch([Buffer.from('x')], nowhere), 'ECONNREFUSED', 'sendmmsg'],
      [() => socket.setsockopt(c.SOL_SOCKET, 9999, 1), 'ENOPROTOOPT', 'setsockopt'],
      [() => socket.getsockopt(c.SOL_SOCKET, 9999), 'ENOPROTOOPT', 'getsockopt'],
      [() => socket.attachFilter([{ code: 0xffff, jt: 0, jf: 0, k: 0 }]), 'EINVAL', 'setsockopt'],
    ];
    for (const [call, code, syscall] of table) {
      expect(thrownBy(call), `${call}`).to.include({ code, syscall });
    }
    socket.close();
  });

  it('are recognised, by code too', () => {
    const error = thrownBy(() => new RawSocket({ domain: 9999, type: c.SOCK_RAW, protocol: 0 }));
    expect(isSystemError(error)).to.equal(true);
    expect(isSystemError(error, 'EAFNOSUPPORT')).to.equal(true);
    expect(isSystemError(error, 'EPERM')).to.equal(false);
    expect(isSystemError(Object.assign(new Error('x'), { code: 'EPERM' }))).to.equal(false);
    expect(isSystemError('EPERM')).to.equal(false);
  });
});
