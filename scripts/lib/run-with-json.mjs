/**
 * Runs a program of the tree where it finds what it needs, and brings the file that it writes for `--json FILE` back
 * here: in the guest, the tree and everything else is gone when it ends.
 */
import { accessSync, constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Failure } from './failure.mjs';
import { withIpvs } from './guest.mjs';
import { runVisibly } from './process.mjs';
import { formatDuration, say, terminalHints } from './steps.mjs';
import { withTemporaryFolder } from './temporary.mjs';
import { root } from './tree.mjs';

/**
 * @param {readonly string[]} program a script and its first arguments, relative to the tree
 * @param {readonly string[]} args what the user gave, `--json FILE` possibly among them
 * @param {'ipvs' | 'root' | 'none'} needs
 * @returns {Promise<number>} exit code
 */
export async function runWithJson(program, args, needs) {
  const { file, rest } = takeJsonOption(args);
  if (needs === 'root' && process.getuid?.() !== 0) {
    throw new Failure('FL_NOT_ROOT', 'Network namespaces on this machine need root: run the same with sudo.');
  }
  const target = file === undefined ? undefined : writableTarget(file);
  return withTemporaryFolder('out', async (outDir) => {
    const result = join(outDir, 'result.json');
    const argv = [process.execPath, ...program, ...rest, ...(target === undefined ? [] : ['--json', result])];
    const code =
      needs === 'ipvs' ? await runOnIpvs(argv, outDir) : await runVisibly(argv, { cwd: root, env: terminalHints() });
    // Everybody else says why, but who was killed cannot.
    if (code > 128) say(`${program.join(' ')} was ended by signal ${code - 128}.`);
    if (target === undefined) return code;
    try {
      await copyFile(result, target);
    } catch (error) {
      if (code !== 0) return code; // it failed, and has said why, before there was a result
      throw new Failure('FL_JSON', `Could not write ${target}: ${/** @type {Error} */ (error).message}`);
    }
    return code;
  });
}

/** @param {readonly string[]} argv @param {string} outDir */
async function runOnIpvs(argv, outDir) {
  const onStarted = (/** @type {number} */ bootMs) => {
    if (bootMs > 0) say(`This kernel has no ip_vs: in a guest, up after ${formatDuration(bootMs)}`);
  };
  const { code } = await withIpvs({ argv, cwd: root, env: terminalHints(), outDir, onStarted });
  return code;
}

/**
 * @param {readonly string[]} args
 * @returns {{ file: string | undefined, rest: string[] }} `--json FILE` or `--json=FILE` and everything else
 */
export function takeJsonOption(args) {
  const index = args.findIndex((arg) => arg === '--json' || arg.startsWith('--json='));
  const option = args[index];
  if (option === undefined) return { file: undefined, rest: [...args] };
  const isPair = option === '--json';
  const file = isPair ? args[index + 1] : option.slice('--json='.length);
  if (!file) throw new Failure('FL_USAGE', '--json needs the name of a file.', { exitCode: 2 });
  return { file, rest: [...args.slice(0, index), ...args.slice(index + (isPair ? 2 : 1))] };
}

/** Said now, not after minutes of work. @param {string} file @returns {string} absolute, from where npm was called */
function writableTarget(file) {
  const target = resolve(process.env.npm_command ? (process.env.INIT_CWD ?? '') : '', file);
  try {
    accessSync(dirname(target), constants.W_OK);
  } catch (error) {
    throw new Failure('FL_JSON', `Cannot write ${target}: ${/** @type {Error} */ (error).message}`);
  }
  return target;
}
