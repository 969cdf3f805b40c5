import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Failure } from './failure.mjs';
import { runWithJson, takeJsonOption } from './run-with-json.mjs';

describe('--json FILE', () => {
  for (const [args, file, rest] of /** @type {[string[], string | undefined, string[]][]} */ ([
    [[], undefined, []],
    [['--json', 'out.json'], 'out.json', []],
    [['--a', '--json', 'out.json', 'b'], 'out.json', ['--a', 'b']],
    [['--a', '--json=out.json', 'b'], 'out.json', ['--a', 'b']],
  ])) {
    it(`is taken out of "${args.join(' ')}"`, () => {
      expect(takeJsonOption(args)).to.deep.equal({ file, rest });
    });
  }

  it('without a file is refused', () => {
    expect(() => takeJsonOption(['--json'])).to.throw(Failure);
    expect(() => takeJsonOption(['--json='])).to.throw(Failure);
  });

  describe('with a program that writes it', () => {
    /** @type {string} */ let folder;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'fairlead spec-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    /** @param {string} source */
    const program = (source) => {
      const file = join(folder, 'program.mjs');
      writeFileSync(file, `import { writeFileSync } from 'node:fs'; const [,, ...args] = process.argv; ${source}`);
      return [file];
    };

    it('has the result where the user wanted it, and the program’s exit code', async () => {
      const target = join(folder, 'my results.json');
      const source = 'writeFileSync(args.at(-1), JSON.stringify(args.slice(0, -2))); process.exitCode = 5;';
      expect(await runWithJson(program(source), ['--json', target, '--fast'], 'none')).to.equal(5);
      expect(JSON.parse(readFileSync(target, 'utf8'))).to.deep.equal(['--fast']);
    });

    it('has the exit code of a program that failed before there was a result', async () => {
      const target = join(folder, 'out.json');
      expect(await runWithJson(program('process.exitCode = 4;'), ['--json', target], 'none')).to.equal(4);
      expect(existsSync(target)).to.equal(false);
    });

    it('fails when a program that claims success wrote nothing', async () => {
      const error = await runWithJson(program(''), ['--json', join(folder, 'x')], 'none').catch((reason) => reason);
      expect(error).to.be.instanceOf(Failure).with.property('code', 'FL_JSON');
    });

    it('is refused before anything runs when its folder is not there', async () => {
      const marker = join(folder, 'ran');
      const source = `writeFileSync(${JSON.stringify(marker)}, '');`;
      const target = join(folder, 'no', 'x.json');
      const error = await runWithJson(program(source), ['--json', target], 'none').catch((reason) => reason);
      expect(error).to.be.instanceOf(Failure);
      expect(existsSync(marker)).to.equal(false);
    });
  });
});
