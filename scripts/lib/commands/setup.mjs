/** `npm run setup`: what all the other commands do first. Says nothing when there is nothing to do. */
import { setup } from '../setup/setup.mjs';

/** @returns {Promise<number>} */
export async function main() {
  await setup();
  return 0;
}
