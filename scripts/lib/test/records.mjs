/** Adds up what the reporter wrote about one suite. */

/**
 * @typedef {{ event: 'pass' | 'pending' | 'end' } | { event: 'fail', title: string, error: string } |
 *   { event: 'lingers', resources: string[], suites: string[] }} TestRecord
 * @typedef {{ title: string, error: string }} FailedTest
 * @typedef {{ passed: number, failed: number, skipped: number, failures: FailedTest[] }} SuiteResult
 * @typedef {{ code: number } | { reason: string }} Ending how the process that ran the tests ended: by itself, or not
 */

/**
 * @param {string} text the lines of the reporter's file; the last one may be cut off
 * @param {Ending} ending
 * @returns {SuiteResult} a run that did not come to its proper end counts as one more failure
 */
export function sumUp(text, ending) {
  /** @type {TestRecord[]} */
  const records = text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line)];
    } catch {
      return []; // the process was killed while it wrote this line, which the missing 'end' tells
    }
  });
  /** @param {TestRecord['event']} event */
  const count = (event) => records.filter((record) => record.event === event).length;
  const failures = records.flatMap((record) =>
    record.event === 'fail' ? [{ title: record.title, error: record.error }] : [],
  );
  const reason = improperEnd(records, ending);
  if (reason) failures.push({ title: 'the run itself', error: reason });
  return { passed: count('pass'), failed: failures.length, skipped: count('pending'), failures };
}

/** @param {readonly TestRecord[]} records @param {Ending} ending @returns {string | undefined} */
function improperEnd(records, ending) {
  const lingers = records.find((record) => record.event === 'lingers');
  if (lingers) {
    const { resources, suites } = lingers;
    return `All tests ran, but something kept the process alive: ${resources.join(', ')}. Suspects: ${suites.join('; ')}.`;
  }
  if ('reason' in ending) return ending.reason;
  if (!records.some((record) => record.event === 'end')) {
    return `Crashed with exit code ${ending.code} before all tests had run: see its output above.`;
  }
  const failed = records.some((record) => record.event === 'fail');
  return ending.code !== 0 && !failed ? `Ended with exit code ${ending.code}, though no test failed.` : undefined;
}

/** @param {readonly SuiteResult[]} results @returns {string} `N passed, N failed[, N skipped]` */
export function closingLine(results) {
  /** @param {'passed' | 'failed' | 'skipped'} key */
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const skipped = sum('skipped');
  return `${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
