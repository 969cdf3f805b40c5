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
import { say } from './steps.mjs';
import { withTemporaryFolder } from './temporary.mjs';
import { root } from './tree.mjs';

/** An emulated guest boots in 6 s on an idle machine; this is for one with everything else running beside it. */
const BOOT_TIMEOUT_MS = 180_000;
const DEFAULT_MEMORY_MB = 4096;
/** How many lines of the console a report of a dead guest has: what a kernel dies of stands above up to 50 lines of traces. */
const CONSOLE_LINES = 120;
/**
 * Signals that end a program for a fault of its own. QEMU 7.2 has one now and then when it emulates two processors in
 * two threads: a race while the kernel of the guest moves the windows of PCI devices (SIGSEGV in
 * memory_region_dispatch_write). It is over before the guest is up, and the next boot goes well.
 */
const CRASHES = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT'];
/** How many boots one command is worth when QEMU crashes in them. */
const BOOTS = 3;

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
 *
 * @typedef {object} End of QEMU
 * @property {number} bootMs until the command was started; -1: it was not, nothing of the user's has run
 * @property {string} late why this process ended QEMU, if it did
 * @property {NodeJS.Signals | null} signal that ended it
 * @property {string} complaint what it wrote to stderr
 */

/** QEMU itself crashed before the command was started: the one death after which another boot does no harm. */
class BootCrash extends Failure {
  /** @param {string} signal @param {'kvm' | 'tcg'} accelerator @param {string} words the last ones, of QEMU and guest */
  constructor(signal, accelerator, words) {
    super('FL_GUEST_DIED', `The guest (${accelerator}) did not boot: QEMU itself crashed (${signal}). ${words}`);
    this.signal = signal;
    this.words = words;
  }
}

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
  return bootDespiteCrashes(options, kernel, accelerator);
}

/**
 * Boots again when QEMU crashed before the command was started; a command that was started is never run again.
 * @param {GuestOptions} options @param {import('./guest/kernel.mjs').Kernel} kernel
 * @param {'kvm' | 'tcg'} accelerator @returns {Promise<GuestResult>}
 */
async function bootDespiteCrashes(options, kernel, accelerator) {
  /** @type {string[]} */ const signals = [];
  for (;;) {
    try {
      return await boot(options, kernel, accelerator, BOOT_TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof BootCrash)) throw error;
      signals.push(error.signal);
      if (signals.length === BOOTS) {
        const crashes = `QEMU itself crashed ${BOOTS} times before the command was started (${signals.join(', ')})`;
        throw new Failure(
          'FL_GUEST_DIED',
          `The guest (${accelerator}) did not boot: ${crashes}. ${adviceAfterCrash(accelerator)} ${error.words}`,
        );
      }
      say(
        `QEMU itself crashed (${error.signal}) before the command was started in the guest: booting again, ` +
          `boot ${signals.length + 1} of ${BOOTS} at most.`,
      );
    }
  }
}

/**
 * One boot, in a control folder of its own.
 * @param {GuestOptions} options @param {import('./guest/kernel.mjs').Kernel} kernel
 * @param {'kvm' | 'tcg'} accelerator @param {number} bootTimeoutMs @returns {Promise<GuestResult>}
 * @throws {Failure} BootCrash when QEMU crashed before the command was started
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
    const end = await watchOver(qemu, control, options, bootTimeoutMs);
    for (const server of servers) server.close();
    // The command may have ended just before its time was up; then it counts.
    const code = await readFile(join(control, 'exit'), 'utf8').catch(() => undefined);
    if (code === undefined) throw died(end, accelerator, control);
    return { code: Number(code), bootMs: end.bootMs, accelerator };
  });
}

/**
 * Waits until QEMU has ended, and ends it when the guest or its command takes too long.
 * @param {import('node:child_process').ChildProcess} qemu @param {string} control
 * @param {GuestOptions} options @param {number} bootTimeoutMs @returns {Promise<End>}
 */
async function watchOver(qemu, control, { argv, timeoutMs, onStarted }, bootTimeoutMs) {
  const began = performance.now();
  /** @type {End} */ const seen = { bootMs: -1, late: '', signal: null, complaint: '' };
  qemu.once('exit', (_, signal) => {
    seen.signal = signal;
  });
  qemu.stderr?.on('data', (chunk) => {
    seen.complaint += chunk;
  });
  const lookForStart = () => {
    if (seen.bootMs >= 0 || !existsSync(join(control, 'started'))) return;
    seen.bootMs = Math.round(performance.now() - began);
    onStarted?.(seen.bootMs);
  };
  const watch = setInterval(() => {
    lookForStart();
    const elapsed = performance.now() - began;
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
  lookForStart(); // it may have been started, and QEMU have ended, since the last look
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

/** @param {End} end @param {'kvm' | 'tcg'} accelerator @param {string} control @returns {Failure} */
function died({ bootMs, late, signal, complaint }, accelerator, control) {
  const console = existsSync(join(control, 'console')) ? readFileSync(join(control, 'console'), 'utf8') : '';
  const lines = `${complaint}${console}`.replaceAll('\r', '').trim().split('\n').slice(-CONSOLE_LINES);
  const words =
    lines.join('') === '' ? 'It said nothing.' : `Its last words:\n${lines.map((line) => `  | ${line}`).join('\n')}`;
  const guest = `The guest (${accelerator})`;
  if (late) return new Failure('FL_GUEST_TIMEOUT', `${guest} ${late}. ${words}`);
  if (signal === null) return new Failure('FL_GUEST_DIED', `${guest} ended before its command did. ${words}`);
  if (!CRASHES.includes(signal)) {
    const cause = `was ended by ${signal}, which something else sent to QEMU`;
    return new Failure('FL_GUEST_DIED', `${guest} ${cause}. ${words}`);
  }
  if (bootMs < 0) return new BootCrash(signal, accelerator, words);
  const crash = `died because QEMU itself crashed (${signal}) after the command was started; it is not run a second time`;
  return new Failure('FL_GUEST_DIED', `${guest} ${crash}. ${adviceAfterCrash(accelerator)} ${words}`);
}

/** @param {'kvm' | 'tcg'} accelerator that QEMU crashed with */
function adviceAfterCrash(accelerator) {
  const other =
    accelerator === 'tcg'
      ? 'FAIRLEAD_ACCEL=kvm in the environment, where /dev/kvm works'
      : 'FAIRLEAD_ACCEL=tcg in the environment, which is slower';
  return `That is a fault of QEMU, not of the command. Run it again; if it stays, with ${other}, or with another version of QEMU.`;
}
