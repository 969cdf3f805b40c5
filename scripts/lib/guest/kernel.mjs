/**
 * The guest's kernel: Debian's own, downloaded and unpacked into a cache outside the tree, never installed. A folder
 * appears in the cache only when it is complete; what an interrupted download left is removed by the next one.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure } from '../failure.mjs';
import { withLock } from '../lock.mjs';
import { run, which } from '../process.mjs';
import { step } from '../steps.mjs';
import { cpio } from './cpio.mjs';
import { loadOrder } from './modules.mjs';

/** What the initramfs must load to reach the host's files; everything else is loaded on demand from there. */
const BOOT_MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_console', 'virtio_rng'];
/** The tools of init.sh, all of them busybox. */
const TOOLS = ['sh', 'mount', 'mkdir', 'insmod', 'ln', 'ip', 'hostname', 'sleep', 'switch_root'];
/** Most of a kernel package drives hardware that no guest has: 300 MB of 400. */
const KEPT_DRIVERS = ['block', 'char', 'net', 'virtio'];
const DROPPED = ['kernel/sound', 'kernel/drivers/net/ethernet', 'kernel/drivers/net/wireless'];
/** Part of the folder's name: raised when an older folder would not do any more. */
const LAYOUT = 1;

const STALE_AFTER_MS = 24 * 3600_000; // a day

/** @typedef {{ release: string, image: string, initramfs: string, modules: string }} Kernel absolute paths */

/** @param {NodeJS.ProcessEnv} [env] @returns {string} */
export function cacheFolder(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'fairlead', 'guest');
}

/**
 * The kernel to boot, from the cache or, the first time, from Debian's archive.
 * @param {string} [cache] @returns {Promise<Kernel>}
 */
export async function prepareKernel(cache = cacheFolder()) {
  const ready = await cached(cache);
  if (ready) return ready;
  return withLock(join(cache, 'lock'), "fetching the guest's kernel", async () => {
    const other = await cached(cache);
    if (other) return other;
    for (const name of await readdir(cache)) {
      if (name.startsWith('partial-')) await rm(join(cache, name), { recursive: true });
    }
    const existing = (await kernelFolders(cache)).at(-1);
    const folder = existing ?? (await fetchKernel(cache));
    await buildInitramfs(folder);
    for (const stale of await kernelFolders(cache, /^kernel-/)) {
      if (stale !== folder) await rm(stale, { recursive: true });
    }
    const kernel = await cached(cache);
    if (!kernel) throw new Error(`The kernel just prepared in ${folder} is not complete`);
    return kernel;
  });
}

/** @param {string} cache @param {RegExp} [pattern] @returns {Promise<string[]>} */
async function kernelFolders(cache, pattern = new RegExp(`^kernel-${LAYOUT}-`)) {
  const names = await readdir(cache).catch(() => /** @type {string[]} */ ([]));
  return names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(cache, name));
}

/** @param {string} cache @returns {Promise<Kernel | undefined>} */
async function cached(cache) {
  const folder = (await kernelFolders(cache)).at(-1);
  if (!folder) return undefined;
  const kernel = await describe(folder);
  return existsSync(kernel.initramfs) ? kernel : undefined;
}

/** @param {string} folder @returns {Promise<Kernel>} */
async function describe(folder) {
  const release = (await readFile(join(folder, 'release'), 'utf8')).trim();
  const recipe = createHash('sha256').update(await readFile(initScript));
  recipe.update(JSON.stringify([BOOT_MODULES, TOOLS]));
  return {
    release,
    image: join(folder, 'vmlinux'),
    initramfs: join(folder, `initramfs-${recipe.digest('hex').slice(0, 16)}`),
    modules: join(folder, 'lib', 'modules'),
  };
}

const initScript = new URL('init.sh', import.meta.url);

/** @param {string} cache @returns {Promise<string>} the complete folder */
async function fetchKernel(cache) {
  if (process.arch !== 'x64') {
    throw new Failure('FL_GUEST_ARCH', `The guest is made for x86_64 machines; this one is ${process.arch}.`);
  }
  const work = join(cache, `partial-${process.pid}`);
  await mkdir(work, { recursive: true });
  const image = await imagePackage();
  const debs = await step(`Downloading the guest's kernel (${image}, 70 MB) into ${cache}`, () =>
    download(work, [image, 'busybox-static']),
  );
  return step('Unpacking the kernel', async () => {
    for (const deb of debs) {
      await must(['dpkg', '-x', deb, work], `unpack ${deb}`);
      await rm(deb);
    }
    // Debian 13 and later have everything below usr.
    for (const path of ['lib/modules', 'bin/busybox']) {
      if (existsSync(join(work, path))) continue;
      await mkdir(dirname(join(work, path)), { recursive: true });
      await rename(join(work, 'usr', path), join(work, path));
    }
    const release = (await readdir(join(work, 'lib', 'modules')))[0];
    if (!release) throw new Failure('FL_GUEST_KERNEL', `The package ${image} has no kernel modules in it.`);
    await dropDrivers(join(work, 'lib', 'modules', release));
    await must(['depmod', '-b', work, release], 'list the dependencies of the kernel modules');
    await unpackImage(join(work, 'boot', `vmlinuz-${release}`), join(work, 'vmlinux'));
    await writeFile(join(work, 'release'), `${release}\n`);
    const folder = join(cache, `kernel-${LAYOUT}-${release}`);
    await must(['sync', '-f', work], 'write the kernel to the disk');
    await rename(work, folder);
    return folder;
  });
}

const XZ_MAGIC = Buffer.from('fd377a585a00', 'hex');

/**
 * Makes the kernel's ELF image out of its bzImage, so that QEMU can start it directly (PVH): an emulated processor
 * takes 4 s to unpack it by itself. Where the payload is of a kind not known here, that is what it has to do.
 * Offsets: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
 * @param {string} file @param {string} image
 */
async function unpackImage(file, image) {
  const bytes = await readFile(file);
  const setup = ((bytes[0x1f1] ?? 0) + 1) * 512;
  const offset = setup + bytes.readUInt32LE(0x248);
  const payload = bytes.subarray(offset, offset + bytes.readUInt32LE(0x24c));
  if (!payload.subarray(0, XZ_MAGIC.length).equals(XZ_MAGIC)) return copyFile(file, image);
  await writeFile(`${image}.xz`, payload);
  // The size of the unpacked image is appended to the stream.
  await must(['sh', '-c', 'xz -dc --single-stream -- "$1.xz" >"$1"', 'sh', image], 'unpack the kernel');
  await rm(`${image}.xz`);
}

/** @param {string} modules */
async function dropDrivers(modules) {
  const drivers = await readdir(join(modules, 'kernel', 'drivers'));
  const dropped = drivers.filter((name) => !KEPT_DRIVERS.includes(name)).map((name) => `kernel/drivers/${name}`);
  for (const path of [...dropped, ...DROPPED]) await rm(join(modules, path), { recursive: true, force: true });
}

/** @returns {Promise<string>} the package that `linux-image-amd64` stands for now */
async function imagePackage() {
  if (!which('apt-get') || !which('dpkg')) {
    throw new Failure(
      'FL_GUEST_KERNEL',
      "The guest's kernel is a Debian package, and this machine has no apt-get: run this on Debian, or on a machine whose kernel has ip_vs.",
    );
  }
  const find = async () => {
    const { stdout } = await run(['apt-cache', 'show', '--no-all-versions', 'linux-image-amd64']);
    return /^Depends: (linux-image-\S+)/m.exec(stdout)?.[1];
  };
  const name = (await find()) ?? ((await updateLists()) ? await find() : undefined);
  if (!name) {
    throw new Failure(
      'FL_GUEST_KERNEL',
      "apt knows no package linux-image-amd64 for the guest's kernel: run 'apt-get update' as root (needs Debian's archive), then try again.",
    );
  }
  return name;
}

/** @returns {Promise<boolean>} whether it was possible */
async function updateLists() {
  if (process.getuid?.() !== 0) return false;
  return (await run(['apt-get', 'update', '-qq'])).code === 0;
}

/** @param {string} folder @param {string[]} packages @returns {Promise<string[]>} the files, checked by apt */
async function download(folder, packages) {
  // Without this apt complains that its own user cannot write into a folder of root's.
  const argv = ['apt-get', 'download', '-q', '-o', 'APT::Sandbox::User=root', ...packages];
  const attempt = () => run(argv, { cwd: folder });
  let result = await attempt();
  // Lists of some weeks ago name versions that the archive has no longer.
  if (result.code !== 0 && (await updateLists())) result = await attempt();
  if (result.code !== 0) {
    throw new Failure(
      'FL_GUEST_DOWNLOAD',
      `Downloading ${packages.join(' and ')} failed (${lastLine(result.output)}): check the network and 'apt-get update', then try again.`,
    );
  }
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith('.deb')).map((name) => join(folder, name));
}

/** @param {string} folder */
async function buildInitramfs(folder) {
  const { release, initramfs, modules } = await describe(folder);
  const from = join(modules, release);
  const order = loadOrder(
    await readFile(join(from, 'modules.dep'), 'utf8'),
    await readFile(join(from, 'modules.builtin'), 'utf8'),
    BOOT_MODULES,
  );
  const files = await Promise.all(
    order.map(async (path, index) => ({ path: `modules/${index}.ko`, data: await moduleImage(join(from, path)) })),
  );
  const folders = ['bin', 'modules', 'proc', 'sys', 'dev', 'host', 'control', 'writable', 'root', 'kept'];
  const archive = cpio([
    ...folders.map((path) => ({ path, folder: /** @type {const} */ (true) })),
    { path: 'bin/busybox', mode: 0o755, data: await readFile(join(folder, 'bin', 'busybox')) },
    ...TOOLS.map((tool) => ({ path: `bin/${tool}`, link: 'busybox' })),
    { path: 'init', mode: 0o755, data: await readFile(initScript) },
    { path: 'modules/order', data: order.map((_, index) => `${index}.ko\n`).join('') },
    ...files,
  ]);
  // Another working tree may be using its own one now: only what is old goes.
  for (const name of await readdir(folder)) {
    if (!name.startsWith('initramfs-')) continue;
    const { mtimeMs } = await stat(join(folder, name));
    if (Date.now() - mtimeMs > STALE_AFTER_MS) await rm(join(folder, name));
  }
  const part = join(folder, `partial-${process.pid}`);
  await writeFile(part, archive);
  await rename(part, initramfs);
}

/** @param {string} file @returns {Promise<Buffer>} not compressed: busybox leaves that to the kernel, which may not do it */
async function moduleImage(file) {
  if (file.endsWith('.ko')) return readFile(file);
  const part = `${file}.image`;
  await must(['sh', '-c', 'xz -dc -- "$1" >"$2"', 'sh', file, part], `unpack ${file}`);
  const image = await readFile(part);
  await rm(part);
  return image;
}

/** @param {string[]} argv @param {string} what */
async function must(argv, what) {
  const { code, output } = await run(argv);
  if (code !== 0) throw new Failure('FL_GUEST_KERNEL', `Could not ${what}: ${argv[0]} said "${lastLine(output)}".`);
}

/** @param {string} text */
function lastLine(text) {
  return text.trim().split('\n').at(-1) ?? '';
}
