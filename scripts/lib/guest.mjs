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
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { writeControl } from './guest/control.mjs';
import { cacheFolder, prepareKernel } from './guest/kernel.mjs';
import { chooseAccelerator, qemuCommand } from './guest/qemu.mjs';
import { ensureCommands } from './packages.mjs';
import { run, runVisibly, signalGroup, start } from './process.mjs';
import { withTemporaryFolder } from './temporary.mjs';
import { root } from './tree.mjs';

/** An emulated guest boots in 6 s on an idle machine; this is for one with everything else running beside it. */
const BOOT_TIMEOUT_MS = 180_000;
const DEFAULT_MEMORY_MB = 4096;
/** How many lines of the console a report of a dead guest has: what a kernel dies of stands above up to 50 lines of traces. */
const CONSOLE_LINES = 120;

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
function boot(options, kernel, accelerator, bootTimeoutMs) {
  return withTemporaryFolder('guest', async (control) => {
    const interactive = options.argv.length === 0;
    const out = options.outDir === undefined ? undefined : realpathSync(options.outDir);
    const memoryMb = options.memoryMb ?? Math.min(DEFAULT_MEMORY_MB, Math.floor(freemem() / 2 ** 21));
    await writeControl(control, { ...options, out, modules: kernel.modules });
    const onOutput = options.onOutput ?? ((chunk, stream) => void process[stream].write(chunk));
    const servers = await Promise.all([
      listen(join(control, 'stdout'), (chunk) => onOutput(chunk, 'stdout')),
      listen(join(control, 'stderr'), (chunk) => onOutput(chunk, 'stderr')),
    ]);
    const command = qemuCommand({ kernel, accelerator, memoryMb, control, out, interactive });
    const qemu = start(command, { cwd: control, stdio: interactive ? 'inherit' : ['ignore', 'ignore', 'pipe'] });
    const { bootMs, ...end } = await watchOver(qemu, control, options, bootTimeoutMs);
    for (const server of servers) server.close();
    // The command may have ended just before its time was up; then it counts.
    const code = await readFile(join(control, 'exit'), 'utf8').catch(() => undefined);
    if (code === undefined) throw died(end, accelerator, control);
    return { code: Number(code), bootMs, accelerator };
  });
}

/**
 * Waits until QEMU has ended, and ends it when the guest or its command takes too long.
 * @param {import('node:child_process').ChildProcess} qemu @param {string} control
 * @param {GuestOptions} options @param {number} bootTimeoutMs
 */
async function watchOver(qemu, control, { argv, timeoutMs, onStarted }, bootTimeoutMs) {
  const began = performance.now();
  const seen = { bootMs: -1, late: '', death: 'ended before its command did', complaint: '' };
  qemu.once('exit', (_, signal) => {
    if (signal) seen.death = `was ended by ${signal}, which something else sent to QEMU`;
  });
  qemu.stderr?.on('data', (chunk) => {
    seen.complaint += chunk;
  });
  const watch = setInterval(() => {
    const elapsed = performance.now() - began;
    if (seen.bootMs < 0 && existsSync(join(control, 'started'))) {
      seen.bootMs = Math.round(elapsed);
      onStarted?.(seen.bootMs);
    }
    if (seen.bootMs < 0 && elapsed > bootTimeoutMs) seen.late = `did not boot within ${bootTimeoutMs / 1000} s`;
    if (seen.bootMs >= 0 && timeoutMs && elapsed - seen.bootMs > timeoutMs) {
      seen.late = `was still busy with "${argv.join(' ')}" after ${timeoutMs / 1000} s`;
    }
    if (seen.late) signalGroup(qemu, 'SIGKILL');
  }, 50);
  try {
    await new Promise((resolve, reject) => {
      qemu.once('error', reject);
      qemu.once('close', resolve);
    });
  } finally {
    clearInterval(watch);
  }
  return seen;
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

/**
 * @param {{ late: string, death: string, complaint: string }} end why this process ended QEMU, if it did; how it ended
 *   otherwise; what it wrote to stderr
 * @param {string} accelerator @param {string} control
 */
function died({ late, death, complaint }, accelerator, control) {
  const console = existsSync(join(control, 'console')) ? readFileSync(join(control, 'console'), 'utf8') : '';
  const lines = `${complaint}${console}`.replaceAll('\r', '').trim().split('\n').slice(-CONSOLE_LINES);
  const words =
    lines.join('') === '' ? 'It said nothing.' : `Its last words:\n${lines.map((line) => `  | ${line}`).join('\n')}`;
  return new Failure(
    late ? 'FL_GUEST_TIMEOUT' : 'FL_GUEST_DIED',
    `The guest (${accelerator}) ${late || death}. ${words}`,
  );
}
