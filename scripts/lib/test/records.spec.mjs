import { expect } from 'chai';
import { closingLine, sumUp } from './records.mjs';

/** @param {import('./records.mjs').TestRecord[]} records */
const lines = (...records) => records.map((record) => `${JSON.stringify(record)}\n`).join('');
/** @type {import('./records.mjs').TestRecord} */ const pass = { event: 'pass' };
/** @type {import('./records.mjs').TestRecord} */ const fail = { event: 'fail', title: 'a › b', error: 'Error: no' };
/** @type {import('./records.mjs').TestRecord} */ const end = { event: 'end' };

describe('the sum of a suite', () => {
  it('counts what passed, failed and was skipped, and keeps the failures', () => {
    expect(sumUp(lines(pass, fail, { event: 'pending' }, pass, end), { code: 1 })).to.deep.equal({
      passed: 2,
      failed: 1,
      skipped: 1,
      failures: [{ title: 'a › b', error: 'Error: no' }],
    });
  });

  for (const { title, text, ending, reason } of [
    { title: 'crashed at once', text: '', ending: { code: 139 }, reason: 'exit code 139' },
    { title: 'crashed in between', text: lines(pass), ending: { code: 134 }, reason: 'exit code 134' },
    { title: 'ended early as if all were well', text: lines(pass), ending: { code: 0 }, reason: 'exit code 0' },
    { title: 'was killed while it wrote', text: `${lines(pass)}{"event":"fa`, ending: { code: 137 }, reason: '137' },
    { title: 'was out of time', text: lines(pass), ending: { reason: 'Not done after 9 s' }, reason: '9 s' },
    { title: 'failed afterwards', text: lines(pass, end), ending: { code: 7 }, reason: 'exit code 7' },
    {
      title: 'did not end',
      text: lines(pass, end, { event: 'lingers', resources: ['Timeout'], suites: ['health'] }),
      ending: { code: 1 },
      reason: 'health',
    },
  ]) {
    it(`has one failure more when the run ${title}`, () => {
      const result = sumUp(text, ending);
      expect(result.failed).to.equal(1);
      expect(result.failures[0]?.error).to.include(reason);
    });
  }

  it('has none for an exit code that the failed tests explain', () => {
    expect(sumUp(lines(pass, fail, end), { code: 1 }).failed).to.equal(1);
  });
});

describe('the closing line', () => {
  const result = (passed = 0, failed = 0, skipped = 0) => ({ passed, failed, skipped, failures: [] });

  it('adds all suites up', () => {
    expect(closingLine([result(3, 1), result(4, 2)])).to.equal('7 passed, 3 failed');
  });

  it('speaks of skipped tests only when there are some', () => {
    expect(closingLine([result(1), result(0, 0, 2)])).to.equal('1 passed, 0 failed, 2 skipped');
  });
});
