import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { compiledFile, installFingerprint, missingOutputs, sourceFingerprint } from './fingerprint.mjs';

describe('what tells whether setup has anything to do', () => {
  /** @type {string} */ let root;
  const write = (/** @type {string} */ path, text = '') => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fairlead spec-'));
    for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.base.json']) write(name, '{}');
    write('packages/api/src/a.ts');
    write('packages/api/dist/a.js');
    write('packages/raw-socket/native/addon.c');
    write('packages/raw-socket/build/Release/raw_socket.node');
    write('test/e2e/b.spec.ts');
    write('test/dist/e2e/b.spec.js');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  for (const path of [
    'packages/api/src/a.ts',
    'packages/raw-socket/native/addon.c',
    'test/e2e/b.spec.ts',
    'tsconfig.base.json',
  ]) {
    it(`a change of ${path} does, also one that leaves its size`, () => {
      const before = sourceFingerprint(root);
      utimesSync(join(root, path), 1, 1);
      expect(sourceFingerprint(root)).to.not.equal(before);
    });
  }

  it('a new and a removed source do', () => {
    const before = sourceFingerprint(root);
    write('packages/api/src/new.ts');
    expect(sourceFingerprint(root)).to.not.equal(before);
    rmSync(join(root, 'packages/api/src/new.ts'));
    expect(sourceFingerprint(root)).to.equal(before);
  });

  it('what the build itself writes does not', () => {
    const before = sourceFingerprint(root);
    write('packages/api/dist/a.js', 'other');
    write('packages/api/tsconfig.tsbuildinfo');
    write('packages/raw-socket/build/Release/x.o');
    write('test/dist/e2e/c.spec.js');
    expect(sourceFingerprint(root)).to.equal(before);
  });

  it('the lock file does, for the installed packages and for the build', () => {
    const before = [installFingerprint(root), sourceFingerprint(root)];
    write('package-lock.json', '{ }');
    expect(installFingerprint(root)).to.not.equal(before[0]);
    expect(sourceFingerprint(root)).to.not.equal(before[1]);
  });

  it('an output that somebody deleted does', () => {
    expect(missingOutputs(root)).to.deep.equal([]);
    rmSync(join(root, 'packages/api/dist'), { recursive: true });
    rmSync(join(root, 'packages/raw-socket/build'), { recursive: true });
    expect(missingOutputs(root)).to.have.members([
      join(root, 'packages/api/dist/a.js'),
      join(root, 'packages/raw-socket/build/Release/raw_socket.node'),
    ]);
  });

  for (const [source, output] of [
    ['packages/api/src/x/y.ts', 'packages/api/dist/x/y.js'],
    ['test/bench/row.ts', 'test/dist/bench/row.js'],
    ['packages/api/src/types.d.ts', undefined],
    ['packages/api/README.md', undefined],
    ['packages/api/vitest.ts', undefined],
  ]) {
    it(`${source} is compiled to ${output ?? 'nothing'}`, () => {
      expect(compiledFile('/tree', `/tree/${source}`)).to.equal(output && `/tree/${output}`);
    });
  }
});
