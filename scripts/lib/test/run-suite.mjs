/** Runs one suite with mocha, here or in the guest, and adds up what came out. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../failure.mjs';
import { withIpvs } from '../guest.mjs';
import { ensureCommands } from '../packages.mjs';
import { run, runVisibly } from '../process.mjs';
import { formatDuration, say, terminalHints } from '../steps.mjs';
import { withTemporaryFolder } from '../temporary.mjs';
import { root } from '../tree.mjs';
import { sumUp } from './records.mjs';
import { API_SUITE, specFiles } from './suites.mjs';

/** @typedef {import('./records.mjs').SuiteResult} SuiteResult */

/**
 * What others put on nodes, kube-proxy above all; what Fairlead is a peer, or a rival, of; and what speaks SCTP. The guest has the files of this
 * machine.
 */
const SURROUNDINGS = ['iptables-nft-restore', 'ipset', 'keepalived', 'ipvsadm', 'perl'];
/** Wireshark's decoder, which is large: what it is to judge is skipped where it cannot be had. */
const JUDGES = ['tshark'];

/**
 * @param {import('./suites.mjs').Suite} suite @param {readonly string[]} mochaOptions e.g. `--grep`
 * @returns {Promise<SuiteResult>}
 */
export async function runSuite(suite, mochaOptions) {
  const specs = specFiles(suite, root);
  if (specs.length === 0) return failed(`The suite ${suite.name} has no spec files.`);
  const obstacle = suite.kind === 'net' ? await whyNoNamespaces() : undefined;
  if (obstacle) return cannotRun(suite, obstacle);
  if (suite.kind !== 'plain' && process.getuid?.() === 0)
    await ensureCommands(SURROUNDINGS, 'to test Fairlead beside others');
  if (suite.kind === 'net') await ensureCommands(JUDGES, 'to have packets judged').catch(sayWhy);
  return withTemporaryFolder('test', (outDir) => runMocha(suite, [...mochaOptions, ...specs], outDir));
}

/**
 * @param {import('./suites.mjs').Suite} suite @param {readonly string[]} args @param {string} outDir
 * @returns {Promise<SuiteResult>}
 */
async function runMocha(suite, args, outDir) {
  const records = join(outDir, 'records');
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const reporter = join(root, 'scripts', 'lib', 'test', 'reporter.mjs');
  const timeout = String(suite.testTimeoutMs);
  const argv = [process.execPath, mocha, '--reporter', reporter, '--timeout', timeout, ...args];
  // Whoever has the variable set still has all other suites leave that cluster alone.
  const kubeconfig = suite === API_SUITE ? process.env.FAIRLEAD_TEST_KUBECONFIG : undefined;
  const env = { ...terminalHints(), FAIRLEAD_TEST_RECORDS: records, FAIRLEAD_TEST_KUBECONFIG: kubeconfig };
  const { timeoutMs } = suite;
  const isIpvs = suite.kind === 'ipvs';
  let started = !isIpvs;
  const onStarted = (/** @type {number} */ bootMs) => {
    started = true;
    if (bootMs > 0) say(`This kernel has no ip_vs: in a guest, up after ${formatDuration(bootMs)}`);
  };
  /** @type {import('./records.mjs').Ending} */ let ending;
  try {
    const ipvsEnv = { ...env, CI: process.env.CI, FAIRLEAD_REQUIRE_IPVS: '1' };
    ending = isIpvs
      ? await withIpvs({ argv, cwd: root, env: ipvsEnv, timeoutMs, outDir, onStarted })
      : { code: await runVisibly(argv, { cwd: root, env, timeoutMs }) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (!started && process.getuid?.() !== 0) return cannotRun(suite, error.message);
    ending = { reason: `${error.code}: ${error.message}` };
  }
  return sumUp(await readFile(records, 'utf8').catch(() => ''), ending);
}

/** @param {unknown} error */
function sayWhy(error) {
  if (!(error instanceof Failure)) throw error;
  say(error.message);
}

/** @returns {Promise<string | undefined>} why this process cannot make network namespaces */
async function whyNoNamespaces() {
  if (process.getuid?.() !== 0) return 'network namespaces need root: run npm test with sudo';
  const { code, output } = await run(['unshare', '--net', 'true']);
  return code === 0 ? undefined : `network namespaces cannot be made here (${output.trim()}): run on a machine or VM`;
}

/**
 * What a machine is not able to test is said, and skipped where a person works; a CI run must not lose it silently.
 * @param {import('./suites.mjs').Suite} suite @param {string} why @returns {SuiteResult}
 */
function cannotRun(suite, why) {
  const line = `The suite ${suite.name} was not run: ${why}`;
  if (process.env.CI) return failed(line);
  say(line);
  return { passed: 0, failed: 0, skipped: 1, failures: [] };
}

/** @param {string} error @returns {SuiteResult} */
function failed(error) {
  return { passed: 0, failed: 1, skipped: 0, failures: [{ title: 'the run itself', error }] };
}
