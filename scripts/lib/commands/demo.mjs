/**
 * `npm run demo [-- OPTIONS]`: `fairlead demo` on this kernel when it has ip_vs or none is asked for
 * (`--forwarder nftables`), else in the guest.
 */
import { run } from '../process.mjs';
import { runWithJson } from '../run-with-json.mjs';
import { setup } from '../setup/setup.mjs';
import { root } from '../tree.mjs';

const PROGRAM = ['packages/cli/dist/main.js', 'demo'];

/** @param {string[]} args @returns {Promise<number>} */
export async function main(args) {
  await setup();
  const { code, stdout, output } = await run([process.execPath, ...PROGRAM, '--needs', ...args], { cwd: root });
  const needs = stdout.trim();
  if (needs === 'ipvs' || needs === 'root') return runWithJson(PROGRAM, args, needs);
  // Wrong options, or a call for help: what was said is meant for whoever gave them.
  process[code === 0 ? 'stdout' : 'stderr'].write(output);
  return code;
}
