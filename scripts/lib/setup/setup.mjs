/**
 * Makes the working tree ready to run: Debian packages, `npm ci`, the native addon, the TypeScript build. Every step
 * is done only when needed and marked as done only after it succeeded, so that an interrupted run is simply repeated.
 */
import { accessSync, chmodSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from '../failure.mjs';
import { withLock } from '../lock.mjs';
import { ensureCommands } from '../packages.mjs';
import { run, which } from '../process.mjs';
import { step } from '../steps.mjs';
import { root } from '../tree.mjs';
import { installFingerprint, missingOutputs, sourceFingerprint } from './fingerprint.mjs';

/** As in package.json's `engines`. */
const NODE = [20, 19];
/** What the native addon is built with. */
const BUILD_COMMANDS = ['cc', '/usr/include/stdio.h'];
/** What the lab, the demo and the tests run. */
const RUN_COMMANDS = ['ip', 'nft', 'nsenter', 'setpriv', 'ping', 'ps'];

/** Inside node_modules, so that it goes when they go. */
const installStamp = join(root, 'node_modules', '.fairlead-stamp');
const buildStamp = join(root, '.setup', 'built');

/** @throws {Failure} with one clear line when something is missing that may not be installed */
export async function setup() {
  checkPlatform();
  if (!isInstalled()) await ensureCommands([...BUILD_COMMANDS, ...RUN_COMMANDS], 'to build and run Fairlead');
  else await ensureCommands(RUN_COMMANDS, 'to run Fairlead');
  if (isInstalled() && isBuilt()) return;
  checkWritable();
  await withLock(join(root, '.setup', 'lock'), 'setting this working tree up', async () => {
    if (!isInstalled()) await step('Installing npm packages (npm ci)', install);
    if (!isBuilt()) await step('Building (native addon, tsc)', build);
  });
}

function checkPlatform() {
  if (process.platform !== 'linux') {
    throw new Failure('FL_PLATFORM', `Fairlead works with the Linux kernel; this is ${process.platform}.`);
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = NODE;
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    throw new Failure(
      'FL_NODE_VERSION',
      `Fairlead needs Node.js ${NODE.join('.')} or later; this is ${process.versions.node}. Get one from https://nodejs.org/en/download.`,
    );
  }
  if (!which('npm'))
    throw new Failure('FL_NO_NPM', 'npm was not found in PATH: install the npm that belongs to Node.js.');
}

function checkWritable() {
  try {
    accessSync(root, constants.W_OK);
  } catch (error) {
    const why = /** @type {Error} */ (error).message;
    throw new Failure('FL_READ_ONLY', `Cannot build in ${root} (${why}): run this as the user who owns it.`);
  }
}

function isInstalled() {
  return readStamp(installStamp) === installFingerprint(root);
}

function isBuilt() {
  return readStamp(buildStamp) === sourceFingerprint(root) && missingOutputs(root).length === 0;
}

/** @param {string} file */
function readStamp(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

async function install() {
  const fingerprint = installFingerprint(root);
  rmSync(installStamp, { force: true });
  // NODE_ENV=production would leave the compiler out, a quiet npm the reason of a failure.
  await must(['npm', 'ci', '--include=dev', '--no-fund', '--no-audit', '--loglevel=error'], 'npm ci');
  writeFileSync(installStamp, fingerprint);
}

async function build() {
  // What changes while the compiler runs is built by the next run.
  const fingerprint = sourceFingerprint(root);
  const isWhole = missingOutputs(root).length === 0;
  rmSync(buildStamp, { force: true });
  await must([process.execPath, 'packages/raw-socket/build.mjs'], 'Building the native addon');
  // tsc trusts its build info and does not look whether a file that it wrote is still there.
  const force = isWhole ? [] : ['--force'];
  await must([await compiler(), '-b', ...force], 'tsc -b');
  // So that a link to it in the PATH is a command.
  chmodSync(join(root, 'packages', 'cli', 'dist', 'main.js'), 0o755);
  writeFileSync(buildStamp, fingerprint);
}

/** The program behind bin/tsc, which starts it as a child of its own: that would go on when this process is killed. */
async function compiler() {
  const url = pathToFileURL(join(root, 'node_modules', 'typescript', 'lib', 'getExePath.js')).href;
  return /** @type {{ default: () => string }} */ (await import(url)).default();
}

/** @param {string[]} argv @param {string} what */
async function must(argv, what) {
  const { code, output } = await run(argv, { cwd: root });
  if (code !== 0) {
    throw new Failure('FL_SETUP', `${what} failed (exit code ${code}):\n${output.trim()}`);
  }
}
