import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { root as tree } from '../tree.mjs';
import { SUITES, specFiles } from './suites.mjs';

describe('the suites of npm test', () => {
  /** @type {string} */ let root;
  const write = (/** @type {string} */ path) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fairlead-spec-'));
    for (const name of ['a.spec', 'b.net.spec', 'c.ipvs.spec', 'd']) {
      write(`packages/api/src/deep/${name}.ts`);
      write(`packages/api/dist/deep/${name}.js`);
      write(`test/e2e/${name}.ts`);
      write(`test/dist/e2e/${name}.js`);
    }
    write('packages/api/dist/deep/renamed.spec.js');
    write('scripts/lib/e.spec.mjs');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  for (const [name, files] of /** @type {[string, string[]][]} */ ([
    ['unit', ['packages/api/dist/deep/a.spec.js']],
    ['system', ['test/dist/e2e/a.spec.js', 'scripts/lib/e.spec.mjs']],
    ['net', ['packages/api/dist/deep/b.net.spec.js', 'test/dist/e2e/b.net.spec.js']],
    ['ipvs', ['packages/api/dist/deep/c.ipvs.spec.js', 'test/dist/e2e/c.ipvs.spec.js']],
  ])) {
    it(`${name} has its own specs only, and none whose source is gone`, () => {
      const suite = SUITES.find((candidate) => candidate.name === name);
      expect(suite && specFiles(suite, root)).to.deep.equal(files);
    });
  }

  it('have every spec of this tree in exactly one of them', () => {
    const all = SUITES.flatMap((suite) => specFiles(suite, tree));
    expect(all.filter((file, index) => all.indexOf(file) !== index)).to.deep.equal([]);
    expect(all).to.include('scripts/lib/test/suites.spec.mjs');
  });
});
