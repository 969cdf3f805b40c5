/**
 * One at a time, between processes: flock(2) on a file that this process holds open. The kernel releases it when this
 * process is gone, however it went (a SIGKILL included), so no lock is ever left behind.
 */
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from './failure.mjs';
import { makeFolder } from './folder.mjs';
import { run } from './process.mjs';
import { say } from './steps.mjs';

/**
 * Runs `action` while holding the lock `file`; waits, and says so, while another process holds it.
 * @template T @param {string} file @param {string} what for the message: what the other one is doing
 * @param {() => Promise<T>} action @returns {Promise<T>}
 */
export async function withLock(file, what, action) {
  makeFolder(dirname(file));
  const fd = openSync(file, 'a');
  try {
    if (!(await flock(fd, ['--nonblock']))) {
      say(`Waiting for another process that is ${what} …`);
      if (!(await flock(fd, []))) throw new Failure('FL_LOCK', `Could not lock ${file}: see what flock says above.`);
    }
    return await action();
  } finally {
    closeSync(fd);
  }
}

/**
 * flock(1) locks the open file that it shares with this process, which therefore has the lock when flock has ended.
 * @param {number} fd @param {string[]} options @returns {Promise<boolean>}
 */
async function flock(fd, options) {
  const { code } = await run(['flock', ...options, '3'], { stdio: ['ignore', 'ignore', 'inherit', fd] });
  return code === 0;
}
