/**
 * Runs a command in a small virtual machine whose kernel has ip_vs, on top of this machine's own files: the same
 * Node.js, the same working tree at the same path. What the command writes is gone afterwards, but for `outDir`.
 *
 *   host                                    guest
 *   /            ──9p, read only──▶         / (under a tmpfs)
 *   outDir       ◀─9p─▶                     outDir, the same path
 *   control      ◀─9p─▶ settings, command, started, exit (the exit code: no console is parsed for it)
 *   sockets      ◀─virtio ports──           stdout and stderr, each on its own
 *   control/console ◀─serial line──         the kernel's messages, shown when a guest dies
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { cacheFolder, prepareKernel } from './guest/kernel.mjs';
import { chooseAccelerator, qemuCommand } from './guest/qemu.mjs';
import { ensureCommands } from './packages.mjs';
import { run, runVisibly, searchPath, shellQuote, signalGroup, start } from './process.mjs';
import { root } from './tree.mjs';

/** An emulated guest boots in 6 s on an idle machine; this is for one with everything else running beside it. */
const BOOT_TIMEOUT_MS = 180_000;
const DEFAULT_MEMORY_MB = 4096;
/** How many lines of the console a report of a dead guest has. */
const CONSOLE_LINES = 40;

/**
 * @typedef {object} GuestOptions
 * @property {readonly string[]} argv the command, found in the host's PATH; none: an interactive shell
 * @property {string} [cwd] default: the working tree
 * @property {Record<string, string | undefined>} [env] beyond PATH, HOME, TERM and LANG
 * @property {number} [memoryMb]
 * @property {number} [timeoutMs] for the command, from the moment the guest is up; none by default
 * @property {(chunk: Buffer, stream: 'stdout' | 'stderr') => void} [onOutput] default: to this process's own
 * @property {string} [outDir] an existing folder that the guest can write, at the same path there
 * @property {(bootMs: number) => void} [onStarted] when the command starts
 * @typedef {{ code: number, bootMs: number, accelerator: 'kvm' | 'tcg' }} GuestResult
 */

/**
 * Runs a command where ip_vs is: here, when this kernel has it and this process may use it, else in the guest.
 * @param {GuestOptions} options @returns {Promise<{ code: number, where: 'host' | 'guest' }>}
 */
export async function withIpvs(options) {
  if (!(await hostHasIpvs())) return { code: (await runInGuest(options)).code, where: 'guest' };
  options.onStarted?.(0);
  return { code: await runVisibly(options.argv, { ...options, cwd: options.cwd ?? root }), where: 'host' };
}

/** @returns {Promise<boolean>} whether IPVS can be used on this kernel by this process */
export async function hostHasIpvs() {
  if (process.getuid?.() !== 0) return false;
  if (existsSync('/proc/net/ip_vs')) return true;
  const { code } = await run(['modprobe', '--quiet', 'ip_vs']).catch(() => ({ code: 1 }));
  return code === 0 && existsSync('/proc/net/ip_vs');
}

/**
 * Boots the guest, runs the command there and ends the guest.
 * @param {GuestOptions} options @returns {Promise<GuestResult>} the command's exit code (128 + n after a signal)
 * @throws {Failure} FL_GUEST_... when there is no exit code: not booted, died, or out of time
 */
export async function runInGuest(options) {
  await ensureCommands(['qemu-system-x86_64', 'depmod', 'modprobe', 'xz'], 'to boot the guest');
  const cache = cacheFolder();
  const kernel = await prepareKernel(cache);
  const accelerator = await chooseAccelerator(cache, (limitMs) =>
    boot({ argv: ['true'], onOutput: () => {} }, kernel, 'kvm', limitMs).then(
      () => true,
      () => false,
    ),
  );
  return boot(options, kernel, accelerator, BOOT_TIMEOUT_MS);
}

/**
 * @param {GuestOptions} options @param {import('./guest/kernel.mjs').Kernel} kernel
 * @param {'kvm' | 'tcg'} accelerator @param {number} bootTimeoutMs @returns {Promise<GuestResult>}
 */
async function boot(options, kernel, accelerator, bootTimeoutMs) {
  const interactive = options.argv.length === 0;
  const control = await mkdtemp(join(realpathSync(tmpdir()), 'fairlead-guest-'));
  const out = options.outDir === undefined ? undefined : realpathSync(options.outDir);
  const memoryMb = options.memoryMb ?? Math.min(DEFAULT_MEMORY_MB, Math.floor(freemem() / 2 ** 21));
  /** @type {import('node:net').Server[]} */ const servers = [];
  try {
    await writeControl(control, options, kernel, out);
    const onOutput = options.onOutput ?? ((chunk, stream) => void process[stream].write(chunk));
    for (const stream of /** @type {const} */ (['stdout', 'stderr'])) {
      servers.push(await listen(join(control, stream), (chunk) => onOutput(chunk, stream)));
    }
    const command = qemuCommand({ kernel, accelerator, memoryMb, control, out, interactive });
    const started = performance.now();
    const qemu = start(command, { cwd: control, stdio: interactive ? 'inherit' : ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    qemu.stderr?.on('data', (chunk) => {
      complaint += chunk;
    });
    const exited = new Promise((resolve, reject) => {
      qemu.once('error', reject);
      qemu.once('close', resolve);
    });
    let bootMs = -1;
    let late = '';
    const watch = setInterval(() => {
      const elapsed = performance.now() - started;
      if (bootMs < 0 && existsSync(join(control, 'started'))) {
        bootMs = Math.round(elapsed);
        options.onStarted?.(bootMs);
      }
      if (bootMs < 0 && elapsed > bootTimeoutMs) late = `did not boot within ${bootTimeoutMs / 1000} s`;
      if (bootMs >= 0 && options.timeoutMs && elapsed - bootMs > options.timeoutMs) {
        late = `was still busy with "${options.argv.join(' ')}" after ${options.timeoutMs / 1000} s`;
      }
      if (late) signalGroup(qemu, 'SIGKILL');
    }, 50);
    try {
      await exited;
    } finally {
      clearInterval(watch);
    }
    // The command may have ended just before its time was up; then it counts.
    const code = await readFile(join(control, 'exit'), 'utf8').catch(() => undefined);
    if (code === undefined) throw died(late, accelerator, control, complaint);
    return { code: Number(code), bootMs, accelerator };
  } finally {
    for (const server of servers) server.close();
    await rm(control, { recursive: true, force: true });
  }
}

/**
 * The folder shared with init.sh and start.sh.
 * @param {string} control @param {GuestOptions} options @param {import('./guest/kernel.mjs').Kernel} kernel
 * @param {string | undefined} out
 */
async function writeControl(control, options, kernel, out) {
  const cwd = realpathSync(options.cwd ?? root);
  const path = searchPath();
  const [columns, rows] = [process.stdout.columns ?? 80, process.stdout.rows ?? 24];
  const settings = {
    MODULES: realpathSync(kernel.modules),
    OUT: out ?? '',
    GUEST_PATH: path,
    INTERACTIVE: options.argv.length === 0 ? 'yes' : '',
    COLUMNS: String(columns),
    ROWS: String(rows),
  };
  await writeFile(join(control, 'settings'), assignments(settings));
  const kept = new Set([realpathSync(root), cwd, realpathSync(process.execPath)].filter(isHidden));
  await writeFile(join(control, 'kept'), [...kept].map((folder) => `${folder}\n`).join(''));
  const env = {
    PATH: path,
    HOME: process.env.HOME ?? '/root',
    XDG_CACHE_HOME: process.env.XDG_CACHE_HOME,
    TERM: process.env.TERM ?? 'dumb',
    LANG: process.env.LANG ?? 'C.UTF-8',
    ...options.env,
  };
  const argv = options.argv.length === 0 ? ['bash', '-i'] : options.argv;
  const variables = Object.entries(env).filter(([, value]) => value !== undefined);
  const words = ['env', '-i', ...variables.map(([name, value]) => `${name}=${value}`), ...argv];
  await writeFile(
    join(control, 'command'),
    `cd ${shellQuote(cwd)} || exit 126\nexec ${words.map(shellQuote).join(' ')}\n`,
  );
  await writeFile(join(control, 'start'), await readFile(new URL('guest/start.sh', import.meta.url)));
}

/** @param {string} path */
function isHidden(path) {
  return path.startsWith('/tmp/') || path.startsWith('/run/');
}

/** @param {Record<string, string>} values */
function assignments(values) {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${shellQuote(value)}\n`)
    .join('');
}

/** @param {string} path @param {(chunk: Buffer) => void} onData @returns {Promise<import('node:net').Server>} */
function listen(path, onData) {
  const server = createServer((socket) => {
    socket.on('data', onData);
    socket.on('error', () => socket.destroy()); // QEMU was killed: `exited` tells
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** @param {string} late @param {string} accelerator @param {string} control @param {string} complaint */
function died(late, accelerator, control, complaint) {
  const console = existsSync(join(control, 'console')) ? readFileSync(join(control, 'console'), 'utf8') : '';
  const lines = `${complaint}${console}`.replaceAll('\r', '').trim().split('\n').slice(-CONSOLE_LINES);
  const what = late || 'ended before its command did';
  return new Failure(
    late ? 'FL_GUEST_TIMEOUT' : 'FL_GUEST_DIED',
    `The guest (${accelerator}) ${what}. Its last words:\n${lines.map((line) => `  | ${line}`).join('\n')}`,
  );
}
