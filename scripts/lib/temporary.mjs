/** Folders that are gone when they are not needed any more, also after Ctrl-C. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * @template T @param {string} name @param {(folder: string) => Promise<T>} action gets an absolute path without links
 * @returns {Promise<T>}
 */
export async function withTemporaryFolder(name, action) {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), `fairlead-${name}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await action(folder);
  } finally {
    process.off('exit', remove);
    remove();
  }
}
