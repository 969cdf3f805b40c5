/**
 * One at a time, between processes: flock(2) held by a child. The kernel releases it when that child is gone, and the
 * child is gone when this process is (also after SIGKILL), so no lock is ever left behind.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from './failure.mjs';
import { signalGroup, start } from './process.mjs';
import { say } from './steps.mjs';

/**
 * Runs `action` while holding the lock `file`; waits, and says so, while another process holds it.
 * @template T @param {string} file @param {string} what for the message: what the other one is doing
 * @param {() => Promise<T>} action @returns {Promise<T>}
 */
export async function withLock(file, what, action) {
  mkdirSync(dirname(file), { recursive: true });
  let holder = await hold(file, ['--nonblock']);
  if (!holder) {
    say(`Waiting for another process that is ${what} …`);
    holder = await hold(file, []);
  }
  if (!holder) throw new Failure('FL_LOCK', `Could not lock ${file}: see what flock says above.`);
  try {
    return await action();
  } finally {
    signalGroup(holder, 'SIGKILL');
  }
}

/**
 * @param {string} file @param {string[]} options of flock(1)
 * @returns {Promise<import('node:child_process').ChildProcess | undefined>} undefined when flock gave up
 */
async function hold(file, options) {
  const child = start(['flock', ...options, '--no-fork', file, 'sh', '-c', 'echo locked; exec sleep infinity'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const locked = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.stdout?.once('data', () => resolve(true));
    child.once('exit', () => resolve(false));
  });
  child.stdout?.destroy();
  child.unref();
  return locked ? child : undefined;
}
