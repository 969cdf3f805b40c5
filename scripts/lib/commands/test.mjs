/**
 * `npm test`: all suites, one after the other; `npm test -- unit net --grep TEXT` picks. The last line is
 * `N passed, N failed[, N skipped]`, everything added up. `npm run test:api` runs what can run against a cluster.
 */
import { parseArgs } from 'node:util';
import { Failure } from '../failure.mjs';
import { runVisibly } from '../process.mjs';
import { setup } from '../setup/setup.mjs';
import { formatDuration, hasColors, paint, say, terminalHints } from '../steps.mjs';
import { closingLine } from '../test/records.mjs';
import { runSuite } from '../test/run-suite.mjs';
import { API_SUITE, SUITES } from '../test/suites.mjs';
import { root } from '../tree.mjs';

/** @typedef {import('../test/records.mjs').SuiteResult} SuiteResult */

const LINT = { name: 'lint', title: 'format, lint and the types of the scripts' };
const NAMES = [LINT, ...SUITES, API_SUITE].map(({ name }) => name);
const USAGE = `Usage: npm test [-- ${NAMES.join('|')} ... [--grep TEXT]]`;
/** Each counts as one test. */
const CHECKS = [
  { argv: ['node_modules/.bin/biome', 'ci'], remedy: 'npm run format repairs most of what it finds' },
  { argv: ['node_modules/.bin/tsc', '-p', 'scripts'], remedy: 'the build does not check JavaScript, this does' },
];

/** @param {string[]} args @returns {Promise<number>} */
export async function main(args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
    return 0;
  }
  const { chosen, mochaOptions } = parse(args);
  /** @type {{ name: string, result: SuiteResult, tookMs: number }[]} */ const done = [];
  try {
    await setup();
    for (const suite of chosen) {
      const started = performance.now();
      console.log(paint('bold', `\n━━ ${suite.name}: ${suite.title} ━━`));
      const result = 'kind' in suite ? await runSuite(suite, mochaOptions) : await lint();
      done.push({ name: suite.name, result, tookMs: performance.now() - started });
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const failures = [{ title: 'the set-up', error: `${error.code}: ${error.message}` }];
    done.push({ name: 'setup', result: { passed: 0, failed: 1, skipped: 0, failures }, tookMs: 0 });
  }
  report(done);
  const results = done.map(({ result }) => result);
  console.log(closingLine(results));
  const isEmpty = results.every(({ passed, failed, skipped }) => passed + failed + skipped === 0);
  if (isEmpty) say('No test matched: nothing was tested.');
  return isEmpty || results.some(({ failed }) => failed > 0) ? 1 : 0;
}

/** @param {string[]} args */
function parse(args) {
  try {
    const { values, positionals } = parseArgs({ args, options: { grep: { type: 'string' } }, allowPositionals: true });
    const unknown = positionals.find((name) => !NAMES.includes(name));
    if (unknown) throw new Error(`there is no suite "${unknown}"`);
    /** @type {(typeof LINT | import('../test/suites.mjs').Suite)[]} */ const all = [LINT, ...SUITES, API_SUITE];
    const chosen = all.filter((suite) => {
      if (positionals.length > 0) return positionals.includes(suite.name);
      return suite !== API_SUITE && (values.grep === undefined || suite !== LINT);
    });
    if (chosen.includes(API_SUITE) && !process.env.FAIRLEAD_TEST_KUBECONFIG) {
      throw new Error(
        'the suite api needs a cluster: set FAIRLEAD_TEST_KUBECONFIG to the kubeconfig of one without Fairlead',
      );
    }
    // A forgotten .only would silently leave out all the rest.
    return { chosen, mochaOptions: values.grep === undefined ? ['--forbid-only'] : ['--grep', values.grep] };
  } catch (error) {
    throw new Failure('FL_USAGE', `${/** @type {Error} */ (error).message}. ${USAGE}`, { exitCode: 2 });
  }
}

/** @returns {Promise<SuiteResult>} */
async function lint() {
  /** @type {SuiteResult} */ const result = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const { argv, remedy } of CHECKS) {
    const colors = argv[1] === 'ci' && !hasColors(process.stdout) ? ['--colors=off'] : [];
    const code = await runVisibly([...argv, ...colors], { cwd: root, env: terminalHints() });
    if (code === 0) {
      result.passed++;
      continue;
    }
    result.failed++;
    result.failures.push({ title: argv.join(' '), error: `Exit code ${code}, see above (${remedy}).` });
  }
  return result;
}

/** @param {readonly { name: string, result: SuiteResult, tookMs: number }[]} done */
function report(done) {
  const failures = done.flatMap(({ name, result }) => result.failures.map((failure) => ({ name, ...failure })));
  if (failures.length > 0) console.log(paint('bold', '\n━━ failures ━━'));
  for (const { name, title, error } of failures) {
    console.log(`\n${paint('red', `✘ ${name}: ${title}`)}\n${error.replaceAll(/^/gm, '    ')}`);
  }
  console.log(paint('bold', '\n━━ all suites ━━'));
  for (const { name, result, tookMs } of done) {
    const mark = result.failed > 0 ? paint('red', '✘') : paint('green', '✔');
    console.log(`${mark} ${name.padEnd(8)} ${closingLine([result]).padEnd(36)} ${formatDuration(tookMs)}`);
  }
}
