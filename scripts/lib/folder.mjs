/** Folders outside of the tree: caches and locks. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from './failure.mjs';

/**
 * Makes a folder and what is missing above it. One by one: `recursive: true` never returns where the file system takes
 * no folders but says "no such file", as /proc does.
 * @param {string} path absolute
 */
export function makeFolder(path) {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'EEXIST') return; // another process was faster
    throw new Failure(
      'FL_FOLDER',
      `Could not make ${path}: ${message}. Set XDG_CACHE_HOME to a folder that can be written to.`,
    );
  }
}
