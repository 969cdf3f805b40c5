import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeFolder } from './folder.mjs';

describe('makeFolder', () => {
  it('makes what is missing, and may be asked again', () => {
    const base = mkdtempSync(join(tmpdir(), 'fairlead-folder-'));
    makeFolder(join(base, 'a', 'b'));
    makeFolder(join(base, 'a', 'b'));
    expect(existsSync(join(base, 'a', 'b'))).to.equal(true);
    rmSync(base, { recursive: true });
  });

  it('fails with advice where no folder can be made', () => {
    expect(() => makeFolder('/proc/nowhere/cache'))
      .to.throw(/Could not make \/proc\/nowhere.*XDG_CACHE_HOME/)
      .with.property('code', 'FL_FOLDER');
  });
});
