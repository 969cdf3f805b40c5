/**
 * Child processes that never outlive this one: each is started through `setpriv --pdeathsig KILL`, so that the kernel
 * ends it when this process is gone, however it went (a SIGKILL included).
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, join } from 'node:path';
import { Failure } from './failure.mjs';
import { say } from './steps.mjs';

/** Where users without sbin in their PATH (Debian's default) still have ip, nft and modprobe. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** PATH with the system folders behind it. @param {string | undefined} path @returns {string} */
export function searchPath(path = process.env.PATH) {
  const folders = (path ?? '').split(delimiter).filter(Boolean);
  return [...folders, ...SYSTEM_FOLDERS.filter((folder) => !folders.includes(folder))].join(delimiter);
}

/**
 * The first executable file of that name in the search path.
 * @param {string} command @param {string} [path] @returns {string | undefined}
 */
export function which(command, path = searchPath()) {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, command);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // not in this folder: the next one may have it
    }
  }
  return undefined;
}

/**
 * Starts a child that dies with this process. It leads a process group of its own: Ctrl-C reaches it once, from
 * endChildrenOnSignals, and not a second time from the terminal.
 * @param {readonly string[]} argv @param {import('node:child_process').SpawnOptions} [options]
 */
export function start(argv, options = {}) {
  const [command, ...args] = ['setpriv', '--pdeathsig', 'KILL', '--', ...argv];
  const env = { ...(options.env ?? process.env) };
  env.PATH = searchPath(env.PATH);
  const child = spawn(/** @type {string} */ (command), args, { ...options, env, detached: true });
  running.add(child);
  child.once('close', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/**
 * Runs a command to its end.
 * @param {readonly string[]} argv
 * @param {import('node:child_process').SpawnOptions & { timeoutMs?: number, onOutput?: (chunk: Buffer) => void }} [options]
 *   `stdio: 'inherit'` shows the output; otherwise it is collected, and handed to `onOutput` as it comes
 * @returns {Promise<{ code: number, signal: NodeJS.Signals | null, timedOut: boolean, stdout: string, output: string }>}
 *   `code` is 128 + n after signal n, as in a shell; `output` is stdout and stderr as they came
 */
export async function run(argv, options = {}) {
  const { timeoutMs, onOutput, ...spawnOptions } = options;
  const child = start(argv, { stdio: ['ignore', 'pipe', 'pipe'], ...spawnOptions });
  /** @type {Buffer[]} */ const stdout = [];
  /** @type {Buffer[]} */ const output = [];
  child.stdout?.on('data', (chunk) => {
    stdout.push(chunk);
    output.push(chunk);
    onOutput?.(chunk);
  });
  child.stderr?.on('data', (chunk) => {
    output.push(chunk);
    onOutput?.(chunk);
  });
  let timedOut = false;
  const timer = timeoutMs
    ? setTimeout(() => {
        timedOut = true;
        signalGroup(child, 'SIGKILL');
      }, timeoutMs)
    : undefined;
  try {
    const { code, signal } = await new Promise((resolve, reject) => {
      child.once('error', reject);
      // After a timeout, grandchildren may hold the pipes open: do not wait for 'close' then.
      child.once('exit', (code, signal) => timedOut && resolve({ code, signal }));
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    return {
      code: code ?? 128 + signalNumber(signal),
      signal,
      timedOut,
      stdout: Buffer.concat(stdout).toString(),
      output: Buffer.concat(output).toString(),
    };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs a command whose output is shown as it comes.
 * @param {readonly string[]} argv
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number,
 *   onOutput?: (chunk: Buffer, stream: 'stdout' | 'stderr') => void }} [options] `env` is added to this process's own;
 *   without `onOutput` the child writes to this process's stdout and stderr by itself
 * @returns {Promise<number>} its exit code, 128 + n after signal n
 * @throws {Failure} FL_TIMEOUT when it was killed after `timeoutMs`
 */
export async function runVisibly(argv, { cwd, env, timeoutMs, onOutput } = {}) {
  const output = onOutput ? 'pipe' : 'inherit';
  const child = start(argv, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', output, output] });
  child.stdout?.on('data', (chunk) => onOutput?.(chunk, 'stdout'));
  child.stderr?.on('data', (chunk) => onOutput?.(chunk, 'stderr'));
  let timedOut = false;
  const timer = setTimeout(
    () => {
      timedOut = true;
      signalGroup(child, 'SIGKILL');
    },
    timeoutMs ?? 2 ** 31 - 1,
  );
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
    });
    if (timedOut) throw new Failure('FL_TIMEOUT', `Not done after ${(timeoutMs ?? 0) / 1000} s: ${argv.join(' ')}`);
    return code;
  } finally {
    clearTimeout(timer);
  }
}

/** @param {NodeJS.Signals | null} signal */
function signalNumber(signal) {
  return signal === null ? 0 : system.signals[signal];
}

/** Makes Ctrl-C, SIGTERM and SIGHUP end the children first, and then this process with 128 + n. */
export function endChildrenOnSignals() {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      // Whoever did not press the key wants to know why it stopped.
      say(`Stopping: ${signal} received`);
      void endChildren(signal).then(() => process.exit(128 + signalNumber(signal)));
    });
  }
}

/** How long children may clean up (a lab removes its namespaces) before they are killed. */
const GRACE_MS = 10_000;

/** @param {NodeJS.Signals} signal */
async function endChildren(signal) {
  const children = [...running].filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  for (const child of children) signalGroup(child, signal);
  const timer = setTimeout(() => {
    for (const child of children) signalGroup(child, 'SIGKILL');
  }, GRACE_MS);
  await ended;
  clearTimeout(timer);
}

/**
 * Signals a child of `start` and what it started in its process group.
 * @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal
 */
export function signalGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: it has ended by itself, which is what was wanted
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/** `text` as one word for a POSIX shell. @param {string} text */
export function shellQuote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
