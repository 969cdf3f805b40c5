/**
 * Builds build/Release/raw_socket.node from native/*.c: `node build.mjs [--force]`, run by npm's install.
 *
 * One `cc` line is enough when Node's headers lie beside the running node (or in npm's `nodedir`), which they do
 * wherever Node came from a tarball, a version manager, a container image or a distribution's -dev package. Only
 * without them is node-gyp asked, since it knows how to download headers. Nothing happens when the addon is newer than
 * its sources. CC, CFLAGS and LDFLAGS are honoured.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const native = join(root, 'native');
const output = join(root, 'build', 'Release', 'raw_socket.node');
const sources = readdirSync(native)
  .filter((name) => name.endsWith('.c'))
  .sort()
  .map((name) => join(native, name));

function isCurrent() {
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  const inputs = [...sources, join(native, 'addon.h'), join(native, 'binding.gyp'), fileURLToPath(import.meta.url)];
  return inputs.every((path) => statSync(path).mtimeMs <= built);
}

/** The directory with node_api.h and uv.h of this Node; undefined when it is not installed. */
function headers() {
  const prefixes = [process.env.npm_config_nodedir, join(dirname(process.execPath), '..')];
  return prefixes
    .filter((prefix) => prefix)
    .map((prefix) => join(prefix, 'include', 'node'))
    .find((directory) => existsSync(join(directory, 'node_api.h')) && existsSync(join(directory, 'uv.h')));
}

const words = (text) => (text ?? '').split(/\s+/).filter((word) => word !== '');

/** Fails with one line: npm shows it among many of its own. */
function fail(message) {
  process.stderr.write(`@fairlead/raw-socket: ${message}\n`);
  process.exit(1);
}

function compile(include) {
  const [compiler, ...compilerWords] = words(process.env.CC ?? 'cc');
  // Renamed into place at the end: a process that runs the old addon keeps it, and nobody ever loads half of a new one.
  const temporary = `${output}.${process.pid}`;
  const flags = ['-std=gnu11', '-O2', '-g', '-Wall', '-Wextra', '-fPIC', '-fvisibility=hidden', '-pthread', '-shared'];
  const argv = [...compilerWords, ...flags, ...words(process.env.CFLAGS), `-I${include}`, '-o', temporary, ...sources];
  const result = spawnSync(compiler, [...argv, ...words(process.env.LDFLAGS)], { stdio: 'inherit' });
  if (result.error?.code === 'ENOENT') {
    fail(
      `no C compiler: '${compiler}' was not found. Install gcc or clang (apt-get install gcc libc6-dev), or set CC.`,
    );
  }
  if (result.error || result.status !== 0) {
    rmSync(temporary, { force: true });
    fail(`'${compiler}' did not compile native/*.c (${result.error?.message ?? `exit ${result.status}`}); see above.`);
  }
  renameSync(temporary, output);
}

/** node-gyp as it comes with npm. The gyp file is in native/, where npm does not take it for an order to build. */
function compileWithNodeGyp() {
  const npm = 'node_modules/npm/node_modules/node-gyp/bin/node-gyp.js';
  const program = [
    process.env.npm_config_node_gyp,
    process.env.npm_execpath && join(dirname(process.env.npm_execpath), '../node_modules/node-gyp/bin/node-gyp.js'),
    join(dirname(process.execPath), '../lib', npm),
    join(dirname(process.execPath), '../share/nodejs', npm),
  ].find((path) => path && existsSync(path));
  const remedy =
    "Install the headers of this Node (apt-get install libnode-dev, or a Node with include/node), or point npm's nodedir at them.";
  if (!program) fail(`no Node headers beside ${process.execPath}, and no node-gyp to download them. ${remedy}`);
  const result = spawnSync(process.execPath, [program, 'rebuild', '--directory', native], { stdio: 'inherit' });
  if (result.error || result.status !== 0) {
    fail(`no Node headers beside ${process.execPath}, and node-gyp failed too (see above). ${remedy}`);
  }
  copyFileSync(join(native, 'build', 'Release', 'raw_socket.node'), output);
  rmSync(join(native, 'build'), { recursive: true });
}

if (process.platform !== 'linux') {
  process.stderr.write('@fairlead/raw-socket: not built, since it works on Linux only.\n');
} else if (process.argv.includes('--force') || !isCurrent()) {
  mkdirSync(dirname(output), { recursive: true });
  const include = headers();
  if (include) compile(include);
  else compileWithNodeGyp();
}
