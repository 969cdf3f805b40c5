/**
 * `npm run bench -- NAME [--json FILE] [OPTIONS]`: a benchmark of test/bench, on a kernel that has what it needs;
 * without a name, the list of them.
 */
import { Failure } from '../failure.mjs';
import { ensureCommands } from '../packages.mjs';
import { run } from '../process.mjs';
import { runWithJson } from '../run-with-json.mjs';
import { setup } from '../setup/setup.mjs';
import { root } from '../tree.mjs';

const PROGRAM = 'test/dist/bench/main.js';

/** @param {string[]} args @returns {Promise<number>} */
export async function main(args) {
  await setup();
  const [name] = args;
  if (!name || name.startsWith('-')) return runWithJson([PROGRAM], [], 'none');
  const { code, stdout, output } = await run([process.execPath, PROGRAM, '--needs', name], { cwd: root });
  if (code !== 0) throw new Failure('FL_BENCH', output.trim(), { exitCode: 2 });
  const [needs, ...commands] = stdout.trim().split(' ');
  await ensureCommands(commands, 'to measure against');
  return runWithJson([PROGRAM], args, /** @type {'ipvs' | 'root' | 'none'} */ (needs));
}
