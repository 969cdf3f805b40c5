/**
 * The commands of the working tree: `npm run setup|demo|bench|guest` and `npm test`. Plain JavaScript without any
 * dependency, since nothing is installed when it starts.
 */
import { Failure } from './lib/failure.mjs';
import { endChildrenOnSignals } from './lib/process.mjs';
import { paint, say } from './lib/steps.mjs';

/** @type {Record<string, () => Promise<{ main: (args: string[]) => Promise<number> }>>} */
const commands = {
  setup: () => import('./lib/commands/setup.mjs'),
  demo: () => import('./lib/commands/demo.mjs'),
  test: () => import('./lib/commands/test.mjs'),
  bench: () => import('./lib/commands/bench.mjs'),
  guest: () => import('./lib/commands/guest.mjs'),
};

endChildrenOnSignals();
const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
try {
  if (!command)
    throw new Failure('FL_USAGE', `Usage: node scripts/fairlead.mjs ${Object.keys(commands).join('|')} [ARGS]`, {
      exitCode: 2,
    });
  process.exitCode = await (await command()).main(args);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say(`${paint('red', 'error', process.stderr)} ${error.code}: ${error.message}`);
  process.exitCode = error.exitCode;
}
