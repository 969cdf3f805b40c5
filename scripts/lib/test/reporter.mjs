/**
 * Mocha's own report for people, and beside it a file with one JSON line per event for the runner. Lines are written as
 * things happen, so that a run that crashes still tells how far it came. FAIRLEAD_TEST_RECORDS names the file.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import Mocha from 'mocha';

/** A run that is still alive so long after its last test never ends: something was left open. */
const LINGER_MS = 15_000;

export default class Reporter extends Mocha.reporters.Spec {
  /** @param {any} runner @param {any} options */
  constructor(runner, options) {
    super(runner, options);
    const file = openSync(/** @type {string} */ (process.env.FAIRLEAD_TEST_RECORDS), 'a');
    /** @param {import('./records.mjs').TestRecord} record */
    const write = (record) => void writeSync(file, `${JSON.stringify(record)}\n`);
    runner.on('pass', () => write({ event: 'pass' }));
    runner.on('pending', () => write({ event: 'pending' }));
    runner.on('fail', (/** @type {any} */ test, /** @type {any} */ error) => {
      write({ event: 'fail', title: test.titlePath().join(' › '), error: describe(error) });
    });
    runner.once('end', () => {
      write({ event: 'end' });
      setTimeout(() => {
        write({ event: 'lingers', resources: process.getActiveResourcesInfo() });
        closeSync(file);
        process.exit(1);
      }, LINGER_MS).unref();
    });
  }
}

/** @param {any} error @returns {string} its stack, and what differs from what was expected */
function describe(error) {
  const text = String(error?.stack ?? error?.message ?? error);
  if (error?.actual === undefined || error?.expected === undefined || error.showDiff === false) return text;
  return `${text}\n${Mocha.reporters.Base.generateDiff(show(error.actual), show(error.expected))}`;
}

/** @param {unknown} value */
function show(value) {
  if (typeof value === 'string') return value;
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner), 2) ?? String(value);
}
