import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../process.mjs';
import { root } from '../tree.mjs';
import { sumUp } from './records.mjs';

describe('the reporter of npm test', () => {
  /** @type {string} */ let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead spec,-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs mocha on one spec. @param {string} source */
  async function report(source) {
    const spec = join(folder, 'sample.spec.mjs');
    writeFileSync(spec, source);
    const records = join(folder, 'records');
    const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
    const reporter = join(root, 'scripts', 'lib', 'test', 'reporter.mjs');
    const { code, output } = await run([process.execPath, mocha, '--reporter', reporter, spec], {
      cwd: root,
      env: { ...process.env, FAIRLEAD_TEST_RECORDS: records },
    });
    return { result: sumUp(readFileSync(records, 'utf8'), { code }), output };
  }

  it('tells the runner and the reader of every test, and how values differ', async () => {
    const { result, output } = await report(`
      describe('outer', () => {
        it('is well', () => {});
        it.skip('waits', () => {});
        it('differs', () => { throw Object.assign(new Error('unlike'), { expected: 'left', actual: 'right' }); });
      });`);
    expect(result).to.deep.include({ passed: 1, failed: 1, skipped: 1 });
    expect(result.failures[0]).to.deep.include({ title: 'outer › differs' });
    expect(result.failures[0]?.error).to.include('unlike').and.include('left').and.include('right');
    expect(output).to.include('is well');
  });

  it('counts a hook that fails', async () => {
    const { result } = await report(`
      describe('outer', () => { before(() => { throw new Error('no scene'); }); it('never runs', () => {}); });`);
    expect(result).to.deep.include({ passed: 0, failed: 1 });
    expect(result.failures[0]?.error).to.include('no scene');
  });

  it('has told what passed before the process died', async () => {
    const { result } = await report(`
      it('is well', () => {});
      it('dies', () => process.kill(process.pid, 'SIGKILL'));`);
    expect(result).to.deep.include({ passed: 1, failed: 1 });
    expect(result.failures[0]?.error).to.include('137');
  });
});
