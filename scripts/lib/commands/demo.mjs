/**
 * `npm run demo [-- OPTIONS]`: `fairlead demo` on this kernel when it has ip_vs or none is asked for
 * (`--forwarder nftables`), else in the guest.
 */
import { runWithJson } from '../run-with-json.mjs';
import { setup } from '../setup/setup.mjs';

/** @param {string[]} args @returns {Promise<number>} */
export async function main(args) {
  await setup();
  const index = args.indexOf('--forwarder');
  const isNftables = args.includes('--forwarder=nftables') || (index >= 0 && args[index + 1] === 'nftables');
  const isHelp = args.includes('--help') || args.includes('-h');
  const needs = isNftables ? 'root' : 'ipvs';
  return runWithJson(['packages/cli/dist/main.js', 'demo'], args, isHelp ? 'none' : needs);
}
