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
    const growth = new Growth();
    runner.on('suite end', (/** @type {any} */ suite) => suite.parent?.root && growth.note(suite.title));
    runner.on('pass', () => write({ event: 'pass' }));
    runner.on('pending', () => write({ event: 'pending' }));
    runner.on('fail', (/** @type {any} */ test, /** @type {any} */ error) => {
      write({ event: 'fail', title: test.titlePath().join(' › '), error: describe(error) });
    });
    runner.once('end', () => {
      write({ event: 'end' });
      setTimeout(() => {
        write({ event: 'lingers', ...growth.suspects() });
        closeSync(file);
        process.exit(1);
      }, LINGER_MS).unref();
    });
  }
}

/** Which suites left more open (timers, sockets, processes) than there was before them. */
class Growth {
  /** @type {{ title: string, open: string[] }[]} */ #notes = [{ title: '', open: process.getActiveResourcesInfo() }];

  /** @param {string} title of the suite that has just ended */
  note(title) {
    this.#notes.push({ title, open: process.getActiveResourcesInfo() });
  }

  /** @returns {{ resources: string[], suites: string[] }} what is open now, and after which suites that came up */
  suspects() {
    const resources = process.getActiveResourcesInfo();
    const count = (/** @type {string[]} */ open) => open.filter((type) => resources.includes(type)).length;
    const grown = this.#notes.filter(({ open }, index) => count(open) > count(this.#notes[index - 1]?.open ?? open));
    return { resources, suites: grown.map(({ title }) => title) };
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
