/** `npm run guest -- CMD ARGS...`: a command in the guest, on the tree as it is (nothing is built before). */
import { Failure } from '../failure.mjs';
import { runInGuest } from '../guest.mjs';
import { terminalHints } from '../steps.mjs';

/** @param {string[]} args @returns {Promise<number>} */
export async function main(args) {
  if (args.length === 0 && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new Failure('FL_USAGE', 'Usage: npm run guest -- CMD ARGS... (a shell without CMD needs a terminal)', {
      exitCode: 2,
    });
  }
  const { code } = await runInGuest({ argv: args, cwd: process.cwd(), env: terminalHints() });
  return code;
}
