import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { withLock } from './lock.mjs';

describe('a lock between processes', () => {
  /** @type {string} */ let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead spec-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('lets one in at a time', async () => {
    let inside = 0;
    let most = 0;
    const visit = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(join(folder, 'new', 'lock'), 'testing', visit)));
    expect(most).to.equal(1);
  });

  it('is free again after a failure, which it passes on', async () => {
    const file = join(folder, 'lock');
    const failure = new Error('no');
    const error = await withLock(file, 'testing', () => Promise.reject(failure)).catch((reason) => reason);
    expect(error).to.equal(failure);
    expect(await withLock(file, 'testing', async () => 'in')).to.equal('in');
  });

  it('is free again when its holder was killed', async () => {
    const file = join(folder, 'lock');
    const program = `
      const { withLock } = await import(${JSON.stringify(new URL('lock.mjs', import.meta.url).href)});
      await withLock(${JSON.stringify(file)}, 'testing', () => { console.log('in'); return new Promise(() => setInterval(() => {}, 1e6)); });`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(/** @type {import('node:stream').Readable} */ (holder.stdout), 'data');
    const entered = withLock(file, 'testing', async () => 'in');
    holder.kill('SIGKILL');
    expect(await entered).to.equal('in');
  });
});
