/** `npm run setup`: what all the other commands do first. */
import { Failure } from '../failure.mjs';
import { setup } from '../setup/setup.mjs';
import { say } from '../steps.mjs';

/** @param {string[]} args @returns {Promise<number>} */
export async function main(args) {
  if (args.length > 0) throw new Failure('FL_USAGE', 'Usage: npm run setup (it takes no arguments)', { exitCode: 2 });
  await setup();
  say('Everything is installed and built.');
  return 0;
}
