/** The command line of QEMU, and the choice between KVM and emulation. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../failure.mjs';
import { run } from '../process.mjs';
import { step } from '../steps.mjs';

/** @typedef {'kvm' | 'tcg'} Accelerator */

/**
 * Emulated, an older processor is the faster one: five levels of page tables, SMAP and AVX, which `max` has, cost a
 * third of all processor time (boot and start of Node.js, measured).
 */
const CPU = { kvm: 'max', tcg: 'Nehalem' };
/** Says which clock the kernel of this machine trusts. */
const CLOCK_SOURCE = '/sys/devices/system/clocksource/clocksource0/current_clocksource';

/** A guest that works under KVM is in its shell in 2 s; one that has not been for this long hangs. */
const KVM_PROBE_MS = 10_000;

/**
 * @param {object} machine
 * @param {import('./kernel.mjs').Kernel} machine.kernel
 * @param {Accelerator} machine.accelerator
 * @param {number} machine.memoryMb
 * @param {string} machine.control folder for init.sh and start.sh; holds the sockets `stdout` and `stderr`
 * @param {string} [machine.out] folder shared writable
 * @param {boolean} machine.interactive the guest's console is this terminal
 * @returns {string[]} to be run with `control` as its working directory: paths of sockets must be short
 */
export function qemuCommand({ kernel, accelerator, memoryMb, control, out, interactive }) {
  const accel = accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi';
  // The guest reads this machine's time stamp counter. It distrusts that by default and reads an emulated HPET instead:
  // 4 µs a call rather than 0.3.
  const isTscTrusted = existsSync(CLOCK_SOURCE) && readFileSync(CLOCK_SOURCE, 'utf8').trim() === 'tsc';
  const clock = isTscTrusted ? ' tsc=reliable' : '';
  const append = `console=ttyS0 quiet loglevel=4 panic=-1 rdinit=/init mitigations=off${clock}`;
  return [
    'qemu-system-x86_64',
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35,vmport=off', '-accel', accel, '-cpu', CPU[accelerator]],
    ...['-smp', '2', '-m', String(memoryMb)],
    ...['-kernel', kernel.image, '-initrd', kernel.initramfs, '-append', append],
    ...share('root', '/', 'readonly=on,multidevs=remap'),
    ...share('control', control, 'multidevs=remap'),
    ...(out === undefined ? [] : share('out', out, 'multidevs=remap')),
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
    ...['-chardev', 'socket,id=stdout,path=stdout', '-device', 'virtserialport,nr=1,chardev=stdout'],
    ...['-chardev', 'socket,id=stderr,path=stderr', '-device', 'virtserialport,nr=2,chardev=stderr'],
    ...['-chardev', interactive ? 'stdio,id=console,signal=off' : 'file,id=console,path=console'],
    ...['-serial', 'chardev:console'],
  ];
}

/** @param {string} tag @param {string} path @param {string} options */
function share(tag, path, options) {
  // A comma in a path is written twice in QEMU's options.
  return ['-virtfs', `local,path=${path.replaceAll(',', ',,')},mount_tag=${tag},security_model=none,${options}`];
}

/**
 * KVM where it has proved to work on this machine, emulation elsewhere: /dev/kvm may exist and its guests hang. The
 * answer is kept in the cache; `FAIRLEAD_ACCEL=kvm` or `tcg` overrules it.
 * @param {string} cache
 * @param {(limitMs: number) => Promise<boolean>} boots whether a guest under KVM is up and down again within the limit
 * @returns {Promise<Accelerator>}
 */
export async function chooseAccelerator(cache, boots) {
  const wish = process.env.FAIRLEAD_ACCEL;
  if (wish === 'kvm' || wish === 'tcg') return wish;
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return 'tcg';
  }
  const file = join(cache, 'accelerator.json');
  const { code, stdout, output } = await run(['qemu-system-x86_64', '--version']);
  if (code !== 0) throw new Failure('FL_GUEST_QEMU', `qemu-system-x86_64 does not start here: ${output.trim()}`);
  const machine = `${release()} ${stdout.split('\n')[0]}`;
  const known = await readFile(file, 'utf8').then(JSON.parse, () => undefined);
  if (known?.machine === machine && ['kvm', 'tcg'].includes(known.accelerator)) return known.accelerator;
  const accelerator = await step('Trying whether a guest boots under KVM on this machine', async () =>
    (await boots(KVM_PROBE_MS)) ? 'kvm' : 'tcg',
  );
  await mkdir(cache, { recursive: true });
  const part = `${file}.${process.pid}`;
  await writeFile(part, `${JSON.stringify({ machine, accelerator })}\n`);
  await rename(part, file);
  return accelerator;
}
